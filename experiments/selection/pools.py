"""Make pools of evaluated laws with their true extrapolation score, for the study of choice rules.

    python experiments/selection/pools.py OUT_FOLDER [--tables a,b] [--candidates N] [--seed S] [--workers W]

Every pool is one discovery; each of its laws is scored on the judged rows.  A pool is a pickle of plain dictionaries that
only this study's own scripts write and read.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from experiments.selection.tables import REAL, TABLES
from sldagent import session
from sldagent.archive.store import Archive
from sldagent.evaluation.probe import beyond_rows
from sldagent.evolution.config import RunConfig
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.parse import parse_program
from sldagent.tasks.task import Task


def judged_r2(task: Task, record: Any) -> float:
    """R2 on the judged rows, pooled over groups, mean over targets, not clipped."""
    test = task.part("test")
    program = parse_program(record.source)
    with np.errstate(all="ignore"):
        out = predict(program.law, record.evaluation.parameters, test.X, test.group, layout_of(test))
        score = 1.0 - np.mean(np.mean((out - test.Y) ** 2, axis=0) / np.var(test.Y, axis=0))
    return float(score) if np.isfinite(score) else -np.inf


def beyond(task: Task, record: Any) -> np.ndarray:
    """Predictions (targets, points) on the way from the largest training rows to one decade beyond them."""
    points = beyond_rows(task.part("train"), largest=4)
    program = parse_program(record.source)
    with np.errstate(all="ignore"):
        values = predict(program.law, record.evaluation.parameters, points.X, points.group, layout_of(task))
    return values.T.astype(np.float32)


def make_pool(name: str, candidates: int, seed: int, workers: int, folder: Path) -> None:
    task = TABLES[name]()
    database = folder / f"{name}-{seed}.db"
    database.unlink(missing_ok=True)
    started = time.time()
    with Archive.open(f"sqlite:///{database}") as archive:
        outcome = session.run(session.prepare(task), RunConfig(seed=seed, candidates=candidates, workers=workers), archive)
        rows = []
        for record in archive.candidates(outcome.summary.run):
            e = record.evaluation
            if e.failure is None and np.isfinite(e.x):
                rows.append(
                    {
                        "k": record.k, "operator": record.operator, "formula": record.formula, "x": e.x, "x_se": e.x_se,
                        "x_boot": e.x_boot, "mdl": e.mdl, "complexity": e.complexity, "tree": e.tree,
                        "scalars": e.scalars, "valid": e.valid, "train_r2": e.train_r2, "deficient": e.rank_deficient,
                        "cuts": [(c.cut, c.variable, c.target, c.log_mse, c.kept_log_mse) for c in e.cuts],
                        "judged": judged_r2(task, record), "beyond": beyond(task, record),
                    }
                )
    with (folder / f"{name}-{seed}.pkl").open("wb") as file:
        pickle.dump({"table": name, "seed": seed, "rows": rows, "choice": outcome.summary.shortlist}, file)
    best = max(r["judged"] for r in rows if r["valid"])
    got = {r["k"]: r["judged"] for r in rows}
    short = [round(got[k], 4) for k in outcome.summary.shortlist]
    took = time.time() - started
    print(f"{name} seed {seed}: {len(rows)} laws in {took:.0f} s; best {best:.4f}; short list {short}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default=",".join(REAL))
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.tables.split(","):
        make_pool(name, args.candidates, args.seed, args.workers, args.folder)


if __name__ == "__main__":
    main()
