"""Size classes: every problem is padded to one of few shapes, because JAX compiles once per shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


def power_of_two(n: int, least: int = 1) -> int:
    """The smallest power of two that is at least `n` and `least`."""
    return max(least, 1 << max(n - 1, 0).bit_length())


def half_steps(n: int, least: int) -> int:
    """The smallest of least, 1.5 least, 2 least, 3 least, 4 least, ... that is at least `n`."""
    size = power_of_two(n, least)
    return size * 3 // 4 if size > least and n <= size * 3 // 4 else size


@dataclass(frozen=True)
class SizeClass:
    """Shape of one problem on the device; equal shapes share a compiled kernel."""

    targets: int
    """Tapes per problem (1 where every target is a problem of its own)."""
    blocks: int
    """Blocks (groups) that share parameters."""
    rows: int
    """Rows per block."""
    operations: int
    """Instructions of a tape beside its leaves."""
    features: int
    """Leaves that do not depend on parameters: feature columns and constants."""
    local: int
    """Parameters of a block."""
    shared: int
    """Parameters that the blocks share."""

    @property
    def parameters(self) -> int:
        return self.local + self.shared

    @property
    def last(self) -> int:
        """Index of the prediction among the nodes: parameters, features, operations."""
        return self.parameters + self.features + self.operations - 1

    def lane_bytes(self) -> int:
        """Upper estimate of the device memory of one start of one problem, in bytes (float64)."""
        nodes = self.parameters + self.features + self.operations  # values, partial derivatives, adjoints, Jacobian
        per_row = nodes + 2 * self.operations + (self.parameters + self.operations + 1) + 2 * self.parameters
        per_row += self.features + 8
        matrices = 8 * self.blocks * (self.parameters + 1) ** 2
        return 8 * (per_row * self.targets * self.blocks * self.rows + matrices)


def size_class(
    *, targets: int, blocks: int, rows: int, operations: int, features: int, local: int, shared: int
) -> SizeClass:
    """The class that holds a problem of these sizes."""
    return SizeClass(
        power_of_two(targets),
        power_of_two(blocks),
        half_steps(rows, 16),
        half_steps(operations, 8),
        power_of_two(features, 4),
        power_of_two(local, 4),
        power_of_two(shared, 2) if shared else 0,
    )


WASTE = 3.0
"""A problem joins the kernel of larger ones where its lanes become at most this many times as heavy."""


def joint_classes(sizes: Sequence[SizeClass]) -> list[SizeClass]:
    """Classes under which problems of a batch that differ only in their formulas share kernels, and fill them together."""
    largest: dict[tuple[int, int, int, bool], SizeClass] = {}
    for size in sizes:
        key = (size.targets, size.blocks, size.rows, size.shared > 0)
        other = largest.get(key, size)
        largest[key] = replace(
            size,
            operations=max(size.operations, other.operations),
            features=max(size.features, other.features),
            local=max(size.local, other.local),
            shared=max(size.shared, other.shared),
        )
    out = []
    for size in sizes:
        joint = largest[(size.targets, size.blocks, size.rows, size.shared > 0)]
        out.append(joint if joint.lane_bytes() <= WASTE * size.lane_bytes() else size)
    return out
