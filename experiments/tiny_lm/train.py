"""Run the grid of tiny language models; resumable and seeded.

    python experiments/tiny_lm/train.py              # everything that is missing from runs.csv
    python experiments/tiny_lm/train.py --widths 8   # one size, to check
    python experiments/tiny_lm/train.py --list       # what is missing, without JAX

A run is known by (width, tokens, learning rate, seed); one that is in ``runs.csv`` is not run again.  Rows
are appended and forced to disk as each batch of runs ends.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):  # started as a file: make the package importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.tiny_lm import grid
from experiments.tiny_lm.rates import (
    Run,
    bracket_rates,
    load_runs,
    next_edge_rate,
    predicted_rate,
    refined_rate,
)

RUNS = Path(__file__).resolve().parent / "runs.csv"
Key = tuple[int, int, float, int]  # width, tokens, learning rate, seed
ONE_CORE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Batch(NamedTuple):
    """Runs to be trained side by side: pairs of (learning rate, seed) of one cell."""

    phase: str
    width: int
    tokens: int
    runs: tuple[tuple[float, int], ...]


def _missing(
    phase: str, width: int, tokens: int, rates: list[float], seeds: list[int], done: set[Key]
) -> Batch | None:
    wanted = [(rate, seed) for seed in seeds for rate in rates]
    left = tuple(pair for pair in wanted if (width, tokens, *pair) not in done)
    return Batch(phase, width, tokens, left) if left else None


def plan(phase: str, widths: list[int], runs: list[Run]) -> list[Batch]:
    """Return what a phase still lacks, cheap cells first."""
    done = {(r.width, r.tokens, r.lr, r.seed) for r in runs}
    batches: list[Batch | None] = []
    for width, tokens in grid.cells(widths):
        short = tokens <= grid.SHORT_TOKENS
        if phase == "grid" and short:
            centre = grid.centre_rate(width, tokens)
            batches.append(_missing(phase, width, tokens, grid.around(centre), [0], done))
        elif phase == "edge" and short:
            rate = next_edge_rate(runs, width, tokens)
            if rate is not None:
                batches.append(_missing(phase, width, tokens, [rate], [0], done))
        elif not short and (phase == "predicted" or (phase == "spot" and width in grid.SPOT_WIDTHS)):
            centre = predicted_rate(runs, width, tokens)
            rates = [centre] if phase == "predicted" else grid.around(centre)
            batches.append(_missing(phase, width, tokens, rates, [0], done))
        elif phase == "seeds" and (width, tokens) in grid.SEED_CELLS:
            rates = bracket_rates(runs, width, tokens) if short else [predicted_rate(runs, width, tokens)]
            if width == max(grid.WIDTHS):  # dear: one rate
                rates = rates[len(rates) // 2 :][:1]
            batches.append(_missing(phase, width, tokens, rates, grid.EXTRA_SEEDS, done))
        elif phase == "more" and short:
            rates = bracket_rates(runs, width, tokens)
            batches.append(_missing(phase, width, tokens, rates, grid.EXTRA_SEEDS, done))
        elif phase == "refine" and short:
            rate = refined_rate(runs, width, tokens)
            if rate is not None:
                batches.append(_missing(phase, width, tokens, [rate], [0, *grid.EXTRA_SEEDS], done))
    found = [batch for batch in batches if batch is not None]
    return sorted(found, key=lambda b: (b.width > grid.TRAIN_WIDTH, b.width**1.3 * b.tokens))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="+", default=list(grid.WIDTHS), help="sizes to run")
    parser.add_argument("--phases", nargs="+", default=list(grid.PHASES), choices=grid.PHASES)
    parser.add_argument("--runs", type=Path, default=RUNS, help="the file of raw runs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no batch after this long")
    parser.add_argument("--list", action="store_true", help="print what is missing and stop")
    return parser.parse_args()


def main() -> None:
    """Run what is missing, phase by phase; a phase sees the rows of the phases before it."""
    args = parse_args()
    if args.list:
        for phase in args.phases:
            for batch in plan(phase, args.widths, load_runs(args.runs)):
                print(*batch)
        return
    os.environ.setdefault("XLA_FLAGS", ONE_CORE)
    from experiments.tiny_lm.runner import Job, Runner, append_rows

    start = time.monotonic()
    runner = Runner()
    rounds = [phase for phase in args.phases for _ in range(grid.ROUNDS.get(phase, 1))]
    for phase in rounds:
        for batch in plan(phase, args.widths, load_runs(args.runs)):
            if time.monotonic() - start > args.minutes * 60:
                print("out of time", flush=True)
                return
            rows = runner.run(Job(*batch))
            append_rows(args.runs, rows)
            losses = " ".join(f"{row.lr:.3g}/{row.seed}:{row.val_loss:.4f}" for row in rows)
            clock = (time.monotonic() - start) / 60
            print(f"{clock:6.1f} min {phase} w={batch.width} D={batch.tokens} {losses}", flush=True)


if __name__ == "__main__":
    main()
