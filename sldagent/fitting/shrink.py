"""Shrinkage of the groups' values of a parameter towards their mean: one joint fit in which the mean is a shared parameter.

The penalty ``weight * sum_g (theta_g - mean)**2`` is the smallest value over c of ``weight * sum_g (theta_g - c)**2``, so c
becomes one more shared parameter in which the objective is quadratic, and the bordered normal equations of `solver` take it
like any other.  Deviations are measured in the parameter's own unit: 1 where the engine works on the logarithm (relative
differences), else the median over the groups of the parameter's magnitude in the fit without shrinkage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.result import Blocks, FitResult, Point
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Shrinkage:
    """Penalties on deviations from the groups' mean, in the engine's space."""

    weight: FloatArray
    """(local + shared,) weights of squared deviations; 0 where a parameter is not shrunk."""

    @property
    def shrunk(self) -> NDArray[np.int64]:
        """Numbers of the local parameters that are shrunk."""
        return np.nonzero(self.weight)[0]


def shrinkage(alone: FitResult, recipe: Recipe, scale: float) -> Shrinkage:
    """The penalties of a recipe, in units taken from the fit without them.

    Args:
        scale: mean squared residual of the targets' mean, which makes weights independent of the target's unit.
    """
    law = alone.law
    weight = np.zeros(law.local + law.shared)
    given = dict(recipe.shrink)
    for q, (name, _) in enumerate(law.slots[: law.local]):
        if given.get(name, 0.0) > 0.0:
            size = 1.0 if law.transform[q] else float(np.median(np.abs(alone.point.local[:, q])))
            weight[q] = given[name] * scale / (size * size if size > 0.0 else 1.0)
    return Shrinkage(weight)


def joined(law: CompiledLaw, blocks: Blocks) -> Blocks:
    """Blocks whose groups are one problem (for each target of a law that is split by target)."""
    if law.shared:
        return blocks
    targets = law.targets if law.split else 1
    return replace(blocks, problems=np.arange(targets + 1) * (len(blocks.group) // targets))


def with_centres(law: CompiledLaw, blocks: Blocks, point: Point, penalties: Shrinkage) -> Point:
    """`point` with the means of shrunk parameters as further shared ones; `blocks` are `joined`."""
    own = [
        point.local[lo:hi, penalties.shrunk].mean(axis=0)
        for lo, hi in zip(blocks.problems, blocks.problems[1:], strict=False)
    ]
    shared = point.shared if law.shared else np.zeros((len(own), 0))
    return Point(point.local.copy(), np.concatenate([shared, np.stack(own)], axis=1))


def starting_points(law: CompiledLaw, blocks: Blocks, alone: Point, penalties: Shrinkage) -> Point:
    """Starts (2, blocks, pl) and (2, problems, ps + shrunk): the fit alone, and with shrunk parameters at their medians."""
    level = alone.local.copy()
    for lo, hi in zip(blocks.problems, blocks.problems[1:], strict=False):
        level[lo:hi, penalties.shrunk] = np.median(alone.local[lo:hi, penalties.shrunk], axis=0)
    both = [with_centres(law, blocks, p, penalties) for p in (alone, Point(level, alone.shared))]
    return Point(np.stack([p.local for p in both]), np.stack([p.shared for p in both]))


def without_centres(law: CompiledLaw, alone: Point, joint: Point) -> Point:
    """The law's own parameters of a joint point."""
    return Point(joint.local, joint.shared[:, : law.shared] if law.shared else alone.shared)
