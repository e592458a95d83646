"""Train one batch of runs of a cell side by side and write down their rows.  JAX is imported here."""

from __future__ import annotations

import csv
import math
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from . import model
from .corpus import CONTEXT, load_corpus, windows

VALIDATION_BATCH = 128


@dataclass(frozen=True)
class Row:
    """One finished run, as it stands in ``runs.csv``."""

    phase: str
    width: int
    layers: int
    n_params: int
    total_params: int
    tokens: int
    steps: int
    batch_tokens: int
    lr: float
    seed: int
    flops: int
    val_loss: float
    train_loss_tail: float
    diverged: int
    side_by_side: int
    train_seconds: float
    eval_seconds: float


@dataclass(frozen=True)
class Job:
    """Runs of one cell that are trained side by side: pairs of (peak learning rate, seed)."""

    phase: str
    width: int
    tokens: int
    runs: tuple[tuple[float, int], ...]


def append_rows(path: Path, rows: list[Row]) -> None:
    """Append rows to a CSV file and force them to disk."""
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, [f.name for f in fields(Row)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
        handle.flush()
        os.fsync(handle.fileno())


class Runner:
    """Holds the corpus on the device and trains jobs."""

    def __init__(self) -> None:
        train, validation, _ = load_corpus()
        self.pool = len(windows(train))
        self.train = jnp.asarray(windows(train))
        self.compiled: dict[tuple[int, int], tuple[Any, Any]] = {}
        held = windows(validation)
        self.validation = jnp.asarray(held.reshape(-1, VALIDATION_BATCH, CONTEXT + 1))

    def _order(self, seed: int, job: Job) -> tuple[npt.NDArray[np.int32], int]:
        """Return the window numbers of every step, drawn without replacement, and the initial key."""
        rng = np.random.default_rng([seed, job.width, job.tokens])
        key = int(rng.integers(2**31))
        chosen = rng.permutation(self.pool)[: job.tokens // CONTEXT].astype(np.int32)
        return chosen.reshape(-1, model.BATCH), key

    def run(self, job: Job) -> list[Row]:
        """Train a job's runs side by side from scratch and evaluate each on all validation bytes."""
        drawn = {seed: self._order(seed, job) for seed in {seed for _, seed in job.runs}}
        order = np.stack([drawn[seed][0] for _, seed in job.runs])
        keys = jnp.stack([jax.random.key(drawn[seed][1]) for _, seed in job.runs])
        peaks = jnp.asarray([lr for lr, _ in job.runs], jnp.float32)
        state = jax.vmap(lambda key: model.init_state(key, job.width))(keys)
        steps = order.shape[1]
        total = jnp.float32(steps)
        tail = np.zeros(len(job.runs))
        shape = (job.width, len(job.runs))
        if shape not in self.compiled:  # before the clock starts
            block = jnp.asarray(order[:, : model.BLOCK_STEPS])
            self.compiled[shape] = (
                model.train_block.lower(state, block, peaks, total, self.train).compile(),
                model.evaluate.lower(state.params, self.validation).compile(),
            )
        train_block, evaluate = self.compiled[shape]
        start = time.process_time()
        for first in range(0, steps, model.BLOCK_STEPS):
            block = jnp.asarray(order[:, first : first + model.BLOCK_STEPS])
            state, losses = train_block(state, block, peaks, total, self.train)
            tail = np.asarray(losses)[:, -32:].mean(axis=1)
        trained = time.process_time()
        result = np.asarray(evaluate(state.params, self.validation), dtype=np.float64)
        done = time.process_time()
        body, params = model.count_params(job.width)
        share = len(job.runs)
        return [
            Row(
                phase=job.phase,
                width=job.width,
                layers=model.LAYERS,
                n_params=body,
                total_params=params,
                tokens=job.tokens,
                steps=steps,
                batch_tokens=model.BATCH * CONTEXT,
                lr=lr,
                seed=seed,
                flops=model.count_flops(job.width, job.tokens),
                val_loss=round(float(result[i]), 6),
                train_loss_tail=round(float(tail[i]), 6),
                diverged=int(not math.isfinite(result[i]) or result[i] > math.log(model.VOCAB)),
                side_by_side=share,
                train_seconds=round((trained - start) / share, 3),
                eval_seconds=round((done - trained) / share, 3),
            )
            for i, (lr, seed) in enumerate(job.runs)
        ]
