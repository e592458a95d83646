"""How often is the law behind a simulated table found, or one that extrapolates as well?

    python experiments/selection/recovered.py OUT.json --candidates 300 [--noise 0.01] [--seeds 0] [--tables a,b]
    python experiments/selection/recovered.py OUT.json --minutes 1

One discovery per table and seed.  The true law is refitted to the training rows by the same evaluator.  The law is
*recovered* where the choice has its canonical form, up to names, bounds and scopes of parameters.  It is *matched in X*
where the choice's X is at most 0.02 above the true law's, and *matched on the judged rows* where the logarithm of its mean
squared error there (noise-free, in units of the training spread) is at most ln 1.5 above the true law's.  Results already
in OUT.json with the same settings are not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from experiments.selection.drafts import Simulated
from experiments.selection.pools import judged_r2
from experiments.selection.simulated import SIMULATED
from sldagent import session
from sldagent.archive.store import Archive
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.canonical import structure_hash
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law

X_TOLERANCE = 0.02
JUDGED_TOLERANCE = float(np.log(1.5))
SMALLEST = 1e-24
"""Mean squared errors below this (relative to the spread) are rounding."""


@dataclass(frozen=True)
class Row:
    """One table and seed; errors are natural logarithms of relative mean squared errors."""

    table: str
    kind: str
    noise: float
    seed: int
    budget: str
    laws: int
    seconds: float
    formula: str
    r2: float
    """Of the choice on the judged rows, not clipped."""
    x: float
    judged: float
    true_r2: float
    true_x: float
    true_judged: float
    true_valid: bool
    found: bool
    """The true form is somewhere in the archive."""
    recovered: bool
    in_shortlist: bool
    regret: float
    """Best judged R2 among valid laws less the choice's, both clipped at -1."""
    regret_shortlist: float
    """The same within the short list."""

    @property
    def matched_x(self) -> bool:
        return self.x <= self.true_x + X_TOLERANCE

    @property
    def matched_judged(self) -> bool:
        return self.judged <= self.true_judged + JUDGED_TOLERANCE


def form(law: Law) -> str:
    """Hash of the canonical structure without names, bounds and scopes of parameters."""
    return structure_hash(
        replace(
            law,
            parameters=tuple(
                replace(p, kind="real", lower=-np.inf, upper=np.inf, start=None, scope="group") for p in law.parameters
            ),
        )
    )


def judged_error(sim: Simulated, record: Any) -> float:
    """Mean over targets of ln(MSE on the judged rows / training variance)."""
    train, test = sim.task.part("train"), sim.task.part("test")
    with np.errstate(all="ignore"):
        law = parse_program(record.source).law
        out = predict(law, record.evaluation.parameters, test.X, test.group, layout_of(test))
        relative = np.mean((out - test.Y) ** 2, axis=0) / np.var(train.Y, axis=0)
    return float(np.mean(np.log(np.maximum(relative, SMALLEST)))) if np.isfinite(relative).all() else np.inf


def examine(sim: Simulated, noise: float, seed: int, config: RunConfig, budget: str, keep: Path | None) -> Row:
    """Discover on one table and compare with the truth; the archive stays in the folder `keep`."""
    grounds = session.prepare(sim.task)
    truth = SimpleNamespace(source=sim.truth, evaluation=Evaluator(grounds.train, grounds.cuts).evaluate(sim.program))
    started = time.time()
    place = contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory()
    with place as folder, Archive.open(f"sqlite:///{folder}/{sim.name}-{noise:g}-{seed}.db") as archive:
        summary = session.run(grounds, config, archive).summary
        records = [
            r for r in archive.candidates(summary.run) if r.evaluation.failure is None and np.isfinite(r.evaluation.x)
        ]
    took = time.time() - started
    by_index = {r.k: r for r in records}
    choice = by_index[summary.shortlist[0]]
    scores = {k: max(judged_r2(sim.task, r), -1.0) for k, r in by_index.items()}
    forms = {k: form(parse_program(r.source).law) for k, r in by_index.items()}
    true_form = form(sim.program.law)
    return Row(
        table=sim.name,
        kind=sim.kind,
        noise=noise,
        seed=seed,
        budget=budget,
        laws=len(records),
        seconds=took,
        formula=choice.formula,
        r2=judged_r2(sim.task, choice),
        x=choice.evaluation.x,
        judged=judged_error(sim, choice),
        true_r2=judged_r2(sim.task, truth),
        true_x=truth.evaluation.x,
        true_judged=judged_error(sim, truth),
        true_valid=truth.evaluation.valid,
        found=true_form in forms.values(),
        recovered=forms[choice.k] == true_form,
        in_shortlist=any(forms[k] == true_form for k in summary.shortlist),
        regret=max(s for k, s in scores.items() if by_index[k].evaluation.valid) - scores[choice.k],
        regret_shortlist=max(scores[k] for k in summary.shortlist) - scores[choice.k],
    )


HEAD = (
    f"{'table':18s} {'noise':>6s} {'seed':>4s} {'laws':>5s} {'R2':>8s} {'of truth':>8s} {'X':>7s} {'of truth':>8s} "
    f"{'judged':>7s} {'of truth':>8s} marks {'regret':>6s} {'of 3':>6s} {'s':>5s}  choice"
)
LEGEND = "marks: true form f in the archive, s in the short list, r chosen (recovered); matched x in X, j on the judged rows"


def show(row: Row) -> str:
    flags = (row.found, row.in_shortlist, row.recovered, row.matched_x, row.matched_judged)
    marks = "".join(mark if on else "." for mark, on in zip("fsrxj", flags, strict=True))
    return (
        f"{row.table:18s} {row.noise:6.3f} {row.seed:4d} {row.laws:5d} {row.r2:8.4f} {row.true_r2:8.4f} "
        f"{row.x:7.2f} {row.true_x:8.2f} {row.judged:7.2f} {row.true_judged:8.2f} {marks} "
        f"{row.regret:6.3f} {row.regret_shortlist:6.3f} {row.seconds:5.0f}  {row.formula}"
    )


def summary(rows: list[Row]) -> str:
    """Shares and mean regrets of all rows."""

    def share(flags: list[bool]) -> str:
        return f"{100.0 * np.mean(flags):.0f} %"

    return (
        f"{len(rows)} discoveries: recovered {share([r.recovered for r in rows])}, "
        f"recovered or matched in X {share([r.recovered or r.matched_x for r in rows])}, "
        f"matched on the judged rows {share([r.matched_judged for r in rows])}, "
        f"true form in the archive {share([r.found for r in rows])}; regret mean {np.mean([r.regret for r in rows]):.3f}, "
        f"worst {max(r.regret for r in rows):.3f}, against the short list {np.mean([r.regret_shortlist for r in rows]):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float)
    budget.add_argument("--candidates", type=int)
    parser.add_argument("--noise", default="0.01", help="fractions of the target's spread, separated by commas")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--tables", default=",".join(SIMULATED))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="existing folder for the archives of the runs")
    args = parser.parse_args()
    label = f"{args.minutes:g} minutes" if args.minutes else f"{args.candidates} candidates"
    rows = [Row(**r) for r in json.loads(args.out.read_text())] if args.out.exists() else []
    done = {(r.table, r.noise, r.seed, r.budget) for r in rows}
    wanted = [
        (n, noise, seed)
        for noise in map(float, args.noise.split(","))
        for seed in map(int, args.seeds.split(","))
        for n in args.tables.split(",")
    ]
    shown: list[Row] = []
    print(HEAD)
    for name, noise, seed in wanted:
        if (name, noise, seed, label) not in done:
            config = RunConfig(seed=seed, minutes=args.minutes, candidates=args.candidates, workers=args.workers)
            row = examine(SIMULATED[name](noise, seed), noise, seed, config, label, args.keep)
            rows.append(row)
            args.out.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
        shown.append(next(r for r in rows if (r.table, r.noise, r.seed, r.budget) == (name, noise, seed, label)))
        print(show(shown[-1]), flush=True)
    print(LEGEND)
    print(summary(shown))


if __name__ == "__main__":
    main()
