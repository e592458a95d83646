"""Simulated tables with known truth, two or so for every kind of scaling experiment.

    SIMULATED["moe"](0.01, 0)          # noise of 1 % of the target's spread, seed 0
    simulated("moe", 1.0, 0).task      # the same, for the study's table list

A seed changes the constants a little, the random designs and the noise; the noise level changes only the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from experiments.selection import simulated_designs as designs
from experiments.selection import simulated_runs as runs
from experiments.selection import simulated_sizes as sizes
from experiments.selection.drafts import Draft, Draw, Simulated, realise

MAKERS: tuple[Callable[[Draw], Draft], ...] = (
    sizes.chinchilla,
    sizes.kaplan,
    sizes.isoflop,
    sizes.isoflop_compute,
    sizes.power_floor,
    sizes.power_shift,
    sizes.repeated,
    sizes.repeated_overfit,
    sizes.saturation,
    sizes.saturation_groups,
    sizes.broken,
    sizes.broken_groups,
    designs.mixture,
    designs.mixture_scale,
    designs.rate_batch,
    designs.rate,
    designs.u_shape,
    designs.double_descent,
    designs.moe,
    designs.moe_fine,
    designs.test_time,
    designs.ensemble,
    runs.vocabulary,
    runs.fine_tuning,
    runs.noisy_groups,
    runs.checkpoints,
    runs.schedule,
    runs.sparsity,
    runs.pruning,
    runs.precision,
    runs.quantisation,
)

SIMULATED: dict[str, Callable[[float, int], Simulated]] = {m.__name__: partial(realise, m.__name__, m) for m in MAKERS}

NOISE_PERCENTS = (0.0, 0.3, 1.0, 3.0)


def simulated(name: str, noise_percent: float, seed: int) -> Simulated:
    """A simulated table by name; raises KeyError for a name that is not in `SIMULATED`."""
    return SIMULATED[name](noise_percent / 100.0, seed)


def table_name(name: str, noise_percent: float, seed: int) -> str:
    """``sim_moe_n1`` (seed 0), ``sim_moe_n0.3_s2``."""
    return f"sim_{name}_n{noise_percent:g}" + (f"_s{seed}" if seed else "")
