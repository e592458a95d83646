"""What a table must satisfy: each check raises one TableError that names the place and the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import TableError
from sldagent.tasks.roles import PROPORTION_TOLERANCE, Roles
from sldagent.tasks.table import Table
from sldagent.tasks.task import FloatArray, Noise, Target, Variable

MIN_ROWS = 2
MIN_GROUP_ROWS = 3
LARGEST = 1e100
"""The law language has no larger numbers."""


def columns_used_once(roles: Roles, table: Table) -> None:
    """No column has two roles; every declared column exists."""
    uses: dict[str, str] = {}
    named = [(v.name, "a variable") for v in roles.variables or ()]
    named += [(t.name, "a target") for t in roles.targets or ()]
    named += [
        (roles.group or "", "the group"),
        (roles.split or "", "the split"),
        (roles.run or "", "the run"),
    ]
    named += [(roles.noise.column or "", "the noise")]
    for name, use in named:
        if not name:
            continue
        table.column(name)
        if name in uses:
            raise TableError(
                f"{table.source}: column '{name}' is both {uses[name]} and {use}; give it one role"
            )
        uses[name] = use


def inputs(
    table: Table, variables: Sequence[Variable], vectors: Mapping[str, Sequence[str]], X: FloatArray
) -> None:
    """Scale variables are positive or logarithms; proportions lie in [0, 1]; a vector's rows sum to one."""
    for k, v in enumerate(variables):
        if v.role == "scale" and not v.log:
            positive(
                table,
                v.name,
                X[:, k],
                f"is a scale variable and must be positive; declare it a logarithm ('{v.name}:scale:log') "
                f"where it is one, or a setting ('{v.name}:setting')",
            )
        if v.role == "proportion":
            bad = np.flatnonzero((X[:, k] < 0) | (X[:, k] > 1))
            if bad.size:
                raise TableError(
                    f"{table.where(int(bad[0]))}: '{v.name}' is {X[bad[0], k]:g} but a proportion lies "
                    "between 0 and 1; correct the row or give the column another role"
                )
    index = {v.symbol: k for k, v in enumerate(variables)}
    for members in vectors.values():
        total = X[:, [index[s] for s in members]].sum(axis=1)
        bad = np.flatnonzero(np.abs(total - 1.0) > PROPORTION_TOLERANCE)
        if bad.size:
            raise TableError(
                f"{table.where(int(bad[0]))}: the proportions {', '.join(members)} sum to {total[bad[0]]:g}, "
                "not 1; "
                f"correct the row, name the share that is missing, or take '{members[0]}' and the others as "
                "settings"
            )


def magnitudes(table: Table, names: Sequence[str], values: FloatArray) -> None:
    """Squares and products of the values (n, len(names)) can be computed."""
    size = np.abs(values)
    bad = np.argwhere((size > LARGEST) | ((size > 0) & (size < 1 / LARGEST)))
    if len(bad):
        row, k = int(bad[0, 0]), int(bad[0, 1])
        raise TableError(
            f"{table.where(row)}: '{names[k]}' is {values[row, k]:g}, outside the {1 / LARGEST:g} to {LARGEST:g} "
            "that laws can be fitted to; correct the row or give the column in another unit"
        )


def positive(table: Table, name: str, values: FloatArray, why: str) -> None:
    bad = np.flatnonzero(values <= 0)
    if bad.size:
        raise TableError(f"{table.where(int(bad[0]))}: '{name}' is {values[bad[0]]:g} but {why}")


def training_rows(table: Table, column: str | None, split: NDArray[np.str_]) -> None:
    """There are training rows, and more than one."""
    count = int(np.sum(split == "train"))
    if count == 0:
        found = ", ".join(f"'{s}'" for s in sorted(set(split.tolist()))[:6])
        raise TableError(
            f"{table.source}: the split column '{column}' has no 'train' rows (it has {found}); "
            "mark the rows to learn from 'train', or pass another --split-column"
        )
    if count < MIN_ROWS:
        raise TableError(
            f"{table.source}: only one training row; a law needs at least {MIN_GROUP_ROWS} per group"
        )


def group_sizes(
    table: Table, column: str | None, train_group: NDArray[np.int64], groups: Sequence[str]
) -> None:
    """Every group has enough training rows for constants of its own."""
    counts = np.bincount(train_group, minlength=len(groups))
    few = np.flatnonzero(counts < MIN_GROUP_ROWS)
    if not few.size:
        return
    name, count = groups[few[0]], int(counts[few[0]])
    if not column:
        raise TableError(f"{table.source}: only {count} training rows; a law needs at least {MIN_GROUP_ROWS}")
    more = f" (and {few.size - 1} other groups)" if few.size > 1 else ""
    raise TableError(
        f"{table.source}: group '{name}' of column '{column}' has {count} training "
        f"row{'' if count == 1 else 's'}{more}; "
        f"a group needs at least {MIN_GROUP_ROWS}: remove it or group by another column"
    )


def varying(table: Table, variables: Sequence[Variable], X_train: FloatArray, split: str | None) -> None:
    """No variable is constant over the training rows."""
    for k, v in enumerate(variables):
        if np.all(X_train[:, k] == X_train[0, k]):
            rows = "training rows" if split else "rows"
            raise TableError(
                f"{table.source}: variable '{v.name}' is {X_train[0, k]:g} in all {rows}, so no law can be "
                "learnt over it; leave it out of the variables"
            )


def proportional_noise(table: Table, noise: Noise, targets: Sequence[Target], Y: FloatArray) -> None:
    """Noise in proportion to the target needs targets other than zero."""
    bad = np.argwhere(Y == 0) if noise.kind == "proportional" else np.zeros((0, 2), dtype=np.int64)
    if len(bad):
        row, k = int(bad[0, 0]), int(bad[0, 1])
        raise TableError(
            f"{table.where(row)}: '{targets[k].name}' is 0, so noise cannot be proportional to it; "
            'declare noise = "constant" or a column of standard deviations'
        )


def warn_targets(targets: Sequence[Target], Y: FloatArray, notes: list[str]) -> None:
    """Note a declared range that the data leave, and a constant target."""
    for k, t in enumerate(targets):
        outside = int(np.sum((Y[:, k] < t.range[0]) | (Y[:, k] > t.range[1])))
        if outside:
            notes.append(
                f"{outside} values of '{t.name}' lie outside its declared range [{t.range[0]:g}, "
                f"{t.range[1]:g}]"
            )
        if np.all(Y[:, k] == Y[0, k]):
            notes.append(f"target '{t.name}' has the same value in every row")


def warn_duplicates(
    table: Table, X: FloatArray, Y: FloatArray, group: NDArray[np.int64], notes: list[str]
) -> None:
    """Note rows that repeat another one exactly; they are kept."""
    rows = np.column_stack([group.astype(float), X, Y])
    first: dict[bytes, int] = {}
    repeats = [(k, first[key]) for k, r in enumerate(rows) if first.setdefault(key := r.tobytes(), k) != k]
    if repeats:
        k, original = repeats[0]
        count = len(repeats)
        what = (
            "1 row repeats an earlier one exactly"
            if count == 1
            else f"{count} rows repeat earlier ones exactly"
        )
        notes.append(
            f"{what} (first: {table.word} {table.labels[k]} repeats {table.word} {table.labels[original]}); "
            "they are kept and count as replicates"
        )
