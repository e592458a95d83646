"""Train what the plans ask for, with the trainer of tiny_lm; resumable and seeded.

    python experiments/practical_use/allocation/train.py --list    # what is missing and how long it may take
    python experiments/practical_use/allocation/train.py           # train it (needs jax)

Rows are appended to ``runs.csv`` and forced to disk as each batch ends.  A run that stands there, or among those of
tiny_lm, is not made again.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

if __package__ in (None, ""):  # started as a file: make the packages importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experiments.practical_use.allocation.cases import (
    RUNS,
    SEEDS,
    Key,
    Setup,
    cases,
    load_plans,
    trainable,
    wanted,
)
from experiments.tiny_lm.rates import Run, load_runs
from experiments.tiny_lm.train import ONE_CORE, Batch
from experiments.tiny_lm.train import RUNS as SMALL_RUNS


def missing(names: Sequence[str], seeds: Sequence[int], runs: Sequence[Run]) -> list[Batch]:
    """Batches that the named cases still lack: one seed after the other, learning rates of one model side by side."""
    done: set[Key] = {(r.width, r.tokens, r.lr, r.seed) for r in runs}
    plans, out = load_plans(), []
    chosen = [case for case in cases(plans) if case.name in names and trainable(plans, case)]
    for seed in seeds:
        for case in chosen:
            together: dict[tuple[int, int], list[float]] = defaultdict(list)
            for run in wanted(plans, case).values():
                if (run.width, run.tokens, run.lr, seed) not in done:
                    together[run.width, run.tokens].append(run.lr)
                    done.add((run.width, run.tokens, run.lr, seed))
            out += [Batch(case.name, w, d, tuple((lr, seed) for lr in sorted(lrs))) for (w, d), lrs in together.items()]
    return out


def seconds(setups: Sequence[Setup], measured: Sequence[Run]) -> list[float]:
    """CPU seconds that runs are likely to take: a parabola in log width through tiny_lm's seconds per token."""
    long = [r for r in measured if r.tokens >= 524_288]
    width = np.log([r.width for r in long])
    curve = np.polyfit(width, np.log([r.seconds / r.tokens for r in long]), 2)
    return [float(np.exp(np.polyval(curve, math.log(s.width)))) * s.tokens for s in setups]


def parse_args(names: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(names), choices=names)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--widths", type=int, nargs="+", help="models of these widths only, to share the work")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no batch after this long")
    parser.add_argument("--list", action="store_true", help="print what is missing and stop")
    return parser.parse_args()


def main() -> None:
    """Train what is missing, or list it."""
    args = parse_args([case.name for case in cases(load_plans())])
    small = load_runs(SMALL_RUNS)
    batches = missing(args.cases, args.seeds, [*small, *load_runs(RUNS)])
    batches = [batch for batch in batches if args.widths is None or batch.width in args.widths]
    if args.list:
        cost = [sum(seconds([Setup(b.width, b.tokens, lr) for lr, _ in b.runs], small)) for b in batches]
        for batch, each in zip(batches, cost, strict=True):
            print(f"{each:6.0f} s ", *batch)
        print(f"{sum(cost):6.0f} s of CPU in all")
        return
    os.environ.setdefault("XLA_FLAGS", ONE_CORE)
    from experiments.tiny_lm.runner import Job, Runner, append_rows

    start, runner = time.monotonic(), Runner()
    for batch in batches:
        if time.monotonic() - start > args.minutes * 60:
            print("out of time", flush=True)
            return
        rows = runner.run(Job(*batch))
        append_rows(RUNS, rows)
        losses = " ".join(f"{row.lr:.4g}/{row.seed}:{row.val_loss:.4f}" for row in rows)
        cpu = sum(row.train_seconds + row.eval_seconds for row in rows)
        clock = (time.monotonic() - start) / 60
        print(f"{clock:6.1f} min, {cpu:.0f} s of CPU  {batch.phase} w={batch.width} D={batch.tokens} {losses}", flush=True)


if __name__ == "__main__":
    main()
