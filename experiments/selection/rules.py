"""Compare choice rules on pools of laws with known extrapolation scores.

    python experiments/selection/rules.py POOL_FOLDER... [--top N]

Regret of a rule on a pool: best judged R2 among valid laws minus that of the law chosen, both clipped at -1.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Valid laws of one discovery; every array has one entry per law."""

    name: str
    x: Array
    mdl: Array
    C: Array
    tree: Array
    boot: Array
    cuts: Array
    """(laws, cuts x targets) log errors."""
    variable: NDArray[np.str_]
    """What each column of `cuts` cut."""
    misfit: Array
    """Share of the training variance that the law leaves unexplained."""
    judged: Array
    beyond: Array | None
    """(laws, values) predictions up to a decade beyond the data, in units of their spread over laws."""

    @classmethod
    def load(cls, path: Path) -> Pool:
        with path.open("rb") as file:
            raw: dict[str, Any] = pickle.load(file)
        rows = [r for r in raw["rows"] if r["valid"]]
        beyond = None
        if "beyond" in rows[0]:
            beyond = np.stack([np.asarray(r["beyond"], float).ravel() for r in rows])
        return cls(
            name=f"{raw['table']}-{raw['seed']}",
            x=np.array([r["x"] for r in rows]),
            mdl=np.array([r["mdl"] for r in rows]),
            C=np.array([r["complexity"] for r in rows], float),
            tree=np.array([r["tree"] for r in rows], float),
            boot=np.stack([r["x_boot"] for r in rows]),
            cuts=np.array([[c[3] for c in r["cuts"]] for r in rows]),
            variable=np.array([c[1] for c in rows[0]["cuts"]]),
            misfit=np.maximum(1.0 - np.array([r["train_r2"] for r in rows]), 1e-12),
            judged=np.clip([r["judged"] for r in rows], -1.0, 1.0),
            beyond=beyond,
        )

    def by_variable(self) -> tuple[list[str], Array]:
        """Names, and (laws, variables) mean log errors."""
        names = list(dict.fromkeys(self.variable))
        return names, np.stack([self.cuts[:, self.variable == v].mean(axis=1) for v in names], axis=1)

    def weighted(self, joint: float) -> Array:
        """X with the joint direction (if there is one) weighing `joint` and the others sharing the rest."""
        names, means = self.by_variable()
        if "joint" not in names or len(names) == 1:
            return means.mean(axis=1)
        k = names.index("joint")
        rest = np.delete(means, k, axis=1).mean(axis=1)
        return joint * means[:, k] + (1.0 - joint) * rest


Rule = Callable[[Pool], int]
"""Which law of a pool."""


def lowest(mask: NDArray[np.bool_], score: Array) -> int:
    return int(np.argmin(np.where(mask, score, np.inf)))


def near(x: Array, width: float) -> NDArray[np.bool_]:
    return np.asarray(x <= x.min() + np.log(width))


def near_paired(
    p: Pool, narrow: float, wide: float, times: float = 1.0, joint: float | None = None
) -> NDArray[np.bool_]:
    x = p.x if joint is None else p.weighted(joint)
    best = int(np.argmin(x))
    error = times * np.std(p.boot - p.boot[best], axis=1)
    gap = x - x[best]
    return np.asarray((gap <= np.log(narrow)) | ((gap <= np.log(wide)) & (gap <= error)))


def close(p: Pool, mask: NDArray[np.bool_], nats: float, joint: float) -> int:
    """Lowest X among the masked laws within so many nats of the lowest MDL."""
    return lowest(mask & (p.mdl <= p.mdl[mask].min() + nats), p.weighted(joint))


def even(p: Pool, mask: NDArray[np.bool_], width: float, joint: float) -> NDArray[np.bool_]:
    """Those of the masked laws that along no variable's cuts are worse than the law of lowest X by more than a factor."""
    means = p.by_variable()[1]
    return mask & (means <= means[int(np.argmin(p.weighted(joint)))] + np.log(width)).all(axis=1)


def among_believed(rule: Rule, nats: float, times: float) -> Rule:
    """The rule on the pool without laws that the law of lowest MDL beats by so many nats and such a factor in misfit."""

    def pick(p: Pool) -> int:
        k = int(np.argmin(p.mdl))
        mask = (p.mdl <= p.mdl[k] + nats) | (p.misfit <= times * p.misfit[k])
        fields = ("x", "mdl", "C", "tree", "boot", "cuts", "misfit", "judged")
        part = replace(p, beyond=None if p.beyond is None else p.beyond[mask], **{f: getattr(p, f)[mask] for f in fields})
        return int(np.flatnonzero(mask)[rule(part)])

    return pick


def medoid(p: Pool, mask: NDArray[np.bool_], weight: float = 0.0) -> int:
    """The law nearest to the median prediction of the masked laws beyond the data (plus `weight` x MDL rank)."""
    assert p.beyond is not None
    inside = p.beyond[mask]
    inside = np.where(np.isfinite(inside), inside, np.nan)
    centre = np.nanmedian(inside, axis=0)
    spread = np.nanmedian(np.abs(inside - centre), axis=0) + 1e-12
    distance = np.full(len(p.x), np.inf)
    distance[mask] = np.nanmean(np.minimum(np.abs(inside - centre) / spread, 10.0), axis=1)
    if weight:
        rank = np.zeros(len(p.x))
        rank[mask] = np.argsort(np.argsort(p.mdl[mask])) / mask.sum()
        distance = distance + weight * rank
    return lowest(mask, distance)


def rules() -> dict[str, Rule]:
    every: dict[str, Rule] = {
        "X alone": lambda p: int(np.argmin(p.x)),
        "MDL alone": lambda p: int(np.argmin(p.mdl)),
        "MDL, X within max(1.25, SE <= 2)": lambda p: lowest(near_paired(p, 1.25, 2.0), p.mdl),
        "MDL, X within max(1.5, SE <= 2)": lambda p: lowest(near_paired(p, 1.5, 2.0), p.mdl),
        "MDL, X within max(1.25, 2 SE <= 2)": lambda p: lowest(near_paired(p, 1.25, 2.0, 2.0), p.mdl),
        "C, X within max(1.25, SE <= 2)": lambda p: lowest(near_paired(p, 1.25, 2.0), p.C),
    }
    for j in (0.5, 0.67):
        for w in (1.25, 1.4, 1.5):
            for nats in (0.0, 2.0, 5.0):
                every[f"X in {nats} nats, max({w}, SE <= 2), joint {j}"] = lambda p, j=j, w=w, nats=nats: close(
                    p, near_paired(p, w, 2.0, joint=j), nats, j
                )
    for gate in (1.5, 2.0, 2.5, 3.0, 4.0):
        every[f"X in 2 nats, max(1.5, SE <= 2), joint 0.5, even {gate}"] = lambda p, gate=gate: close(
            p, even(p, near_paired(p, 1.5, 2.0, joint=0.5), gate, 0.5), 2.0, 0.5
        )
    before = every["X in 2 nats, max(1.5, SE <= 2), joint 0.5, even 3.0"]
    for times in (1.5, 2.0, 3.0, 4.0):
        for nats in (40.0, 60.0, 80.0, 100.0):
            every[f"the last, among believed ({nats:g} nats, misfit x {times:g})"] = among_believed(before, nats, times)
    for lam in (0.3, 1.0, 2.0):
        every[f"X joint 0.5 + {lam} spread over cuts"] = lambda p, lam=lam: int(
            np.argmin(p.weighted(0.5) + lam * p.cuts.std(axis=1))
        )
        every[f"X joint 0.5 + {lam} worst variable"] = lambda p, lam=lam: int(
            np.argmin(p.weighted(0.5) + lam * p.by_variable()[1].max(axis=1))
        )
    for j in (0.33, 0.5, 0.67, 0.8, 1.0):
        every[f"X, joint {j}"] = lambda p, j=j: int(np.argmin(p.weighted(j)))
        for w in (1.25, 1.5, 2.0):
            every[f"MDL, X joint {j} within {w}"] = lambda p, j=j, w=w: lowest(near(p.weighted(j), w), p.mdl)
        for lam in (0.005, 0.01, 0.02):
            every[f"X joint {j} + {lam} MDL"] = lambda p, j=j, lam=lam: int(np.argmin(p.weighted(j) + lam * p.mdl))
            every[f"X joint {j} + {lam} C"] = lambda p, j=j, lam=lam: int(np.argmin(p.weighted(j) + lam * p.C))
        for w in (1.25, 1.5, 2.0, 3.0):
            for weight in (0.0, 0.5, 1.0):
                every[f"medoid {weight}, X joint {j} within {w}"] = lambda p, j=j, w=w, weight=weight: medoid(
                    p, near(p.weighted(j), w), weight
                )
    return every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--top", type=int, default=30)
    args = parser.parse_args()
    pools = [Pool.load(f) for folder in args.folders for f in sorted(folder.glob("*.pkl"))]
    print(f"{len(pools)} pools:", " ".join(p.name for p in pools))
    lines = []
    for name, rule in rules().items():
        if name.startswith("medoid") and any(p.beyond is None for p in pools):
            continue
        scores = np.array([p.judged[rule(p)] for p in pools])
        regret = np.array([p.judged.max() for p in pools]) - scores
        lines.append((regret.mean(), float(np.median(regret)), regret.max(), name, scores))
    for mean, median, worst, name, scores in sorted(lines, key=lambda line: line[0])[: args.top]:
        print(f"{name:52s} mean {mean:.3f} median {median:.3f} worst {worst:.3f}  {' '.join(f'{s:.2f}' for s in scores)}")
    print(f"{'best in pool':52s} {' ' * 36} {' '.join(f'{p.judged.max():.2f}' for p in pools)}")


if __name__ == "__main__":
    main()
