"""``sldagent ablate TABLE --llm SPEC --candidates N``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import (
    add_common,
    add_models,
    add_roles,
    load_task,
    model_options,
    open_archive,
    positive_int,
    seed_int,
)
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="CSV or Parquet table, task card (.toml) or built-in task")
    add_roles(parser)
    parser.add_argument("--at", metavar="TABLE", type=Path, help="table of inputs at which predictions are wanted")
    parser.add_argument("--candidates", metavar="N", type=positive_int, required=True, help="candidates of every run")
    parser.add_argument("--seed", metavar="N", type=seed_int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seeds", metavar="R", type=positive_int, default=1, help="repeat with R seeds (default: 1)")
    parser.add_argument("--workers", metavar="W", type=positive_int, help="processes (default: one per core)")
    add_models(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent import session
    from sldagent.ablation import ablate, compare, configs
    from sldagent.api import run_config
    from sldagent.report.progress import progress

    grounds = session.prepare(load_task(args, args.table))
    config = run_config(
        minutes=None, candidates=args.candidates, seed=args.seed, islands=None, workers=args.workers, **model_options(args)
    )
    configs(config)
    with open_archive(args, read_only=False) as archive, progress(sys.stderr) as observer:
        results = list(ablate(grounds, config, archive, args.seeds, observer))
    comparison = compare(results)
    if args.json:
        output.print_json({"results": results, "comparison": comparison, "archive": archive.place})
        return 0
    columns = ["arm", "seed", "run", "calls", "tokens", "dollars", "read", "best X", "X", "C", "test R2"]
    rows = [
        (
            r.arm, r.seed, r.run, r.calls, r.tokens, "unknown" if r.usd is None else f"{r.usd:.4f}",
            f"{r.programs}/{r.asked}", number(r.best_x), number(r.x), number(r.complexity), number(r.test_r2),
        )
        for r in results
    ]  # fmt: skip
    output.show(table(columns, rows, numbers=[c for c in columns if c not in ("arm", "run")]))
    for r in results:
        output.show(f"  {r.run}: {r.formula}")
    if args.seeds > 1:
        output.show(f"Medians over {args.seeds} seeds; wins: seeds in which the recommended law's X is below the grammar's")
        heads = ["arm", "best X", "X", "test R2", "calls", "wins"]
        lines = [(c.arm, number(c.best_x), number(c.x), number(c.test_r2), number(c.calls), c.wins) for c in comparison]
        output.show(table(heads, lines, numbers=heads[1:]))
    output.show(f"Archive: {archive.place}")
    return 0
