"""Sloth and the baselines of its paper as methods of the protocol: from a ground to predictions for every fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors.sloth.fitting import Problem, fit_problems, predict_scores
from sldagent.predictors.sloth.pooled import pooled
from sldagent.predictors.sloth.protocol import Ground

FloatArray = NDArray[np.float64]
Link = Literal["sigmoid", "monotone"]
SEED = 42
"""Of the authors' random start."""
OTHER_SEEDS = (43, 44)
"""Of further starts: the errors of full Sloth differ by more from one start to another than between many methods."""


@dataclass(frozen=True)
class Method:
    """A way to predict every fold of a ground."""

    name: str
    sees: str
    """What it may use of a test model."""
    predict: Callable[[Ground], list[FloatArray]] | None = None
    """By fold, (n, benchmarks); None for a mean of other methods."""
    mean_of: tuple[str, ...] = ()
    """Methods whose predictions are averaged."""


def sloth(ground: Ground, d: int, link: Link, family: bool = True, seed: int = SEED) -> list[FloatArray]:
    """Sloth with d skills; without `family` all families share one intercept."""
    problems = _families(ground.problems(), family)
    fits = fit_problems(problems, d, link, seed)
    return [predict_scores(f.weights, p.design, p.families) for f, p in zip(fits, problems, strict=True)]


def mean(parts: Sequence[list[FloatArray]]) -> list[FloatArray]:
    """By fold, the mean of several methods' predictions."""
    return [np.mean(predicted, axis=0) for predicted in zip(*parts, strict=True)]


def per_benchmark(ground: Ground, link: Link, *, family: bool, flops: bool) -> list[FloatArray]:
    """Every benchmark on its own (Owen's form): in log FLOPs, or in log size, log tokens and their product."""
    base = ground.problems()
    if flops:
        base = [replace(p, design=np.log(ground.flops)[:, None]) for p in base]
    base = _families(base, family)
    single = [
        replace(p, scores=p.scores[:, j : j + 1], known=p.known[:, j : j + 1], floors=p.floors[j : j + 1])
        for p in base
        for j in range(len(ground.benchmarks))
    ]
    # The authors train the floors of the forms in FLOPs, and keep those of the others at chance.
    fits = fit_problems(single, 1, link, SEED, train_floors=flops)
    columns = [predict_scores(f.weights, p.design, p.families) for f, p in zip(fits, single, strict=True)]
    J = len(ground.benchmarks)
    return [np.concatenate(columns[k * J : (k + 1) * J], axis=1) for k in range(len(base))]


def principal_components(ground: Ground, d: int) -> list[FloatArray]:
    """PCA of the training scores, their scores regressed on log FLOPs and families, transformed back (Ruan's form)."""
    regressors = np.concatenate([np.log(ground.flops)[:, None], ground.one_hot], axis=1)
    out = []
    for fold in ground.folds:
        train = ~fold.test
        mean = ground.scores[train].mean(axis=0)
        _, _, axes = np.linalg.svd(ground.scores[train] - mean, full_matrices=False)
        components = (ground.scores[train] - mean) @ axes[:d].T
        slopes = np.linalg.lstsq(regressors[train], components, rcond=None)[0]
        out.append(mean + regressors @ slopes @ axes[:d])
    return out


def _families(problems: list[Problem], own: bool) -> list[Problem]:
    return problems if own else [replace(p, families=np.ones((len(p.design), 1))) for p in problems]


SIZE = "size, tokens, family and the family's smallest model"
COMPUTE = "FLOPs, family and the family's smallest model"


def methods(dims: tuple[int, ...] = (1, 2, 3, 4)) -> dict[str, Method]:
    """By short name; Sloth and PCA for each number of skills in `dims`."""
    out = [
        Method("flops", "FLOPs", lambda g: per_benchmark(g, "sigmoid", family=False, flops=True)),
        Method("flops-family", COMPUTE, lambda g: per_benchmark(g, "sigmoid", family=True, flops=True)),
        Method("size-family", SIZE, lambda g: per_benchmark(g, "sigmoid", family=True, flops=False)),
        Method("size-family-full", SIZE, lambda g: per_benchmark(g, "monotone", family=True, flops=False)),
    ]
    for d in dims:
        out.append(Method(f"pca-{d}", COMPUTE, partial(principal_components, d=d)))
        out.append(Method(f"shared-{d}", "size and tokens", partial(sloth, d=d, link="sigmoid", family=False)))
        out.append(Method(f"basic-{d}", SIZE, partial(sloth, d=d, link="sigmoid")))
        out.append(Method(f"full-{d}", SIZE, partial(sloth, d=d, link="monotone")))
    starts = {f"full-2-seed{seed}": seed for seed in OTHER_SEEDS}
    out += [Method(name, SIZE, partial(sloth, d=2, link="monotone", seed=seed)) for name, seed in starts.items()]
    out.append(Method("full-2-mean", SIZE, mean_of=("full-2", *starts)))
    out.append(Method("pooled", f"{SIZE}; whether it is tuned", pooled))
    out.append(Method("blend", f"{SIZE}; whether it is tuned", mean_of=("full-2-mean", "pooled")))
    return {method.name: method for method in out}
