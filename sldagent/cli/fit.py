"""``sldagent fit TABLE --law LAW``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sldagent.cli import output
from sldagent.cli.options import add_common, add_jail, add_roles, load_task, positive_int, seed_int
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="CSV or Parquet table, task card (.toml) or built-in task")
    parser.add_argument(
        "--law",
        metavar="LAW",
        required=True,
        help="a published law ('sldagent laws'), a formula such as \"E + A*N**-a\", or a program file (.py)",
    )
    parser.add_argument("--loss", metavar="LOSS", help="mse, relative, log, huber:DELTA or lad (default: the law's own)")
    parser.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of the random starts (default: 0)")
    parser.add_argument(
        "--engine",
        choices=("auto", "cpu", "jax"),
        default="auto",
        help="cpu, jax (an accelerator, or JAX's CPU device), or whichever is faster (default: auto)",
    )
    sure = parser.add_argument_group("intervals of the parameters")
    sure.add_argument("--bootstrap", metavar="N", type=positive_int, help="percentile intervals of N refits to resamples")
    sure.add_argument(
        "--cluster",
        choices=("cell", "run", "group"),
        help="what is resampled as a whole (default: cell, training runs or combinations of scale levels)",
    )
    sure.add_argument(
        "--resample",
        choices=("pairs", "residuals"),
        help="draw rows, or keep them and change the signs of their residuals (default: pairs)",
    )
    sure.add_argument("--profile", metavar="PARAMETER", help="profile-likelihood interval of this parameter")
    sure.add_argument("--level", metavar="P", type=float, default=0.9, help="share that an interval holds (default: 0.9)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="also export the law (.py, .json, .tex or .typ)")
    add_roles(parser)
    add_jail(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.api import fit_task
    from sldagent.errors import ConfigError
    from sldagent.report.formula import formula_text
    from sldagent.report.parameters import parameter_lines, profile_text, span_text
    from sldagent.uncertainty.bootstrap import Resampling, check_level
    from sldagent.uncertainty.laws import profile_of_fit, with_bootstrap

    check_level(args.level)
    for option in ("cluster", "resample"):
        if getattr(args, option) is not None and args.bootstrap is None:
            raise ConfigError(f"--{option} is of a bootstrap: add --bootstrap N")
    task = load_task(args, args.table)
    fitted = fit_task(task, args.law, args.loss, args.seed, jail=args.jail, engine=args.engine)
    if args.bootstrap is not None:
        cluster: Any = args.cluster or "cell"
        resample: Any = args.resample or "pairs"
        fitted = with_bootstrap(fitted, Resampling(args.bootstrap, args.seed, cluster, resample, args.engine))
    intervals = None if fitted.bootstrap is None else fitted.bootstrap.intervals(args.level)
    profiles = None if args.profile is None else profile_of_fit(fitted, args.profile, args.level)
    if args.output is not None:
        fitted.export(args.output)
    if args.json:
        told = None if fitted.diagnosis is None else asdict(fitted.diagnosis)
        found = {**fitted.summary(), "standard_errors": fitted.standard_errors, "diagnosis": told}
        if fitted.bootstrap is not None:
            found["intervals"] = {"level": args.level, "refits": fitted.bootstrap.count, "parameters": intervals}
        if profiles is not None:
            found["profile"] = {"parameter": args.profile, "level": args.level, "intervals": profiles}
        output.print_json(found)
        return 0
    for note in task.notes:
        output.show(f"guessed: {note}")
    output.show(f"{', '.join(fitted.targets)} = {formula_text(fitted.program.law)}")
    errors = fitted.standard_errors or {}
    rows = [
        (
            group,
            label,
            number(float(fitted.parameters[name][index]), 6),
            number(float(errors[name][index]), 2) if name in errors else None,
            *([span_text(intervals[name], index)] if intervals is not None else []),
        )
        for group, label, name, index in parameter_lines(fitted)
    ]
    columns = ["group", "parameter", "value", "± se"]
    heads = columns if intervals is None else [*columns, f"{args.level:.0%} interval"]
    output.show(table(heads, rows, numbers=columns[2:]))
    n = len(task.part("train").X)
    output.show(f"objective {number(fitted.objective, 6)}, R2 {number(fitted.r2, 6)} on the {n} rows fitted")
    if fitted.bootstrap is not None:
        output.show(f"intervals: {fitted.bootstrap.count} refits to resampled rows ({args.resample or 'pairs'})")
    for found_profile in profiles or ():
        output.show(profile_text(found_profile, args.profile, args.level))
    for sentence in fitted.diagnosis.sentences() if fitted.diagnosis else ():
        output.show(f"note: {sentence}")
    return 0
