"""What is planned and trained: parts of the training rows, budgets, and models that the trainer can build.  NumPy only."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from experiments.tiny_lm import grid

HERE = Path(__file__).resolve().parent
PLANS = HERE / "plans.csv"
RUNS = HERE / "runs.csv"

PARTS: Mapping[str, float] = {"all": 1.0, "quarter": 0.25}
"""Parts of the training rows: those that cost at most this share of the dearest one."""
FACTORS = (4, 10)
"""Budgets, as multiples of the dearest row of a part."""
FLOPS = f"6*N*D + {3072 / 24**0.5!r}*N**0.5*D"
"""The trainer's exact count of FLOPs (``model.count_flops``) over N and D, its width being (N / 24) ** 0.5."""
SEEDS = (0, 1, 2)
AROUND = (0.5, 1.0, 2.0)
"""Sizes at equal compute, and learning rates, of the alternatives: factors on the plan's."""
BLOCK = 65_536
"""Tokens in one compiled call of the trainer: D is a multiple."""
CORPUS = 10_796_819 // 64 * 64
"""Training bytes, in whole windows; a run reads each once at most."""
NEAR = 0.05
"""How far the width may move from the one wanted, so that a multiple of `BLOCK` spends the compute."""
WEIGHT = 10.0

Key = tuple[int, int, float, int]
"""Width, tokens, learning rate and seed: what the trainer knows a run by."""


def flops(size: float, tokens: float) -> float:
    """FLOPs of a run with `size` non-embedding parameters on `tokens` tokens; see `FLOPS`."""
    return 6.0 * size * tokens + 3072.0 * math.sqrt(size / 24.0) * tokens


def tokens_for(size: float, compute: float) -> float:
    """Tokens that a compute in FLOPs affords at a size."""
    return compute / flops(size, 1.0)


def size_for(ratio: float, compute: float) -> float:
    """The size at which a compute affords `ratio` tokens per parameter, by bisection of the logarithm."""
    low, high = math.log(24.0), math.log(1e12)
    for _ in range(100):
        middle = 0.5 * (low + high)
        size = math.exp(middle)
        low, high = (middle, high) if flops(size, ratio * size) < compute else (low, middle)
    return math.exp(low)


@dataclass(frozen=True)
class Plan:
    """What one method says about one budget; a row of ``plans.csv``."""

    part: str
    factor: int
    method: str
    N: float
    D: float
    lr: float
    N_low: float
    N_high: float
    """90 % interval by the bootstrap; equal to N where the method has none."""
    N_laws_low: float
    N_laws_high: float
    """Range over the laws of the short list."""
    compute: float
    size_law: str
    rate_law: str


@dataclass(frozen=True)
class Setup:
    """A run that the trainer can make."""

    width: int
    tokens: int
    lr: float

    @property
    def size(self) -> int:
        """Non-embedding parameters."""
        return grid.non_embedding(self.width)

    @property
    def flops(self) -> float:
        return flops(self.size, self.tokens)


def setup(size: float, compute: float, lr: float) -> Setup:
    """The model near a size, its tokens a multiple of `BLOCK`, that comes closest to a compute; widths are even (two heads).

    A compute off by so much counts as much as a width off by `WEIGHT` times it.
    """
    wanted = math.sqrt(size / 24.0)
    first, last = math.ceil(wanted * (1 - NEAR) / 2), math.floor(wanted * (1 + NEAR) / 2)
    found = []
    for width in [2 * half for half in range(first, last + 1)] or [max(2, 2 * round(wanted / 2))]:
        blocks = max(1, round(tokens_for(grid.non_embedding(width), compute) / BLOCK))
        gap = abs(math.log(flops(grid.non_embedding(width), blocks * BLOCK) / compute))
        found.append((WEIGHT * gap + abs(math.log(width / wanted)), width, blocks * BLOCK))
    _, width, tokens = min(found)
    return Setup(width, tokens, grid.round_rate(lr))


@dataclass(frozen=True)
class Case:
    """One budget of one part."""

    part: str
    factor: int
    compute: float

    @property
    def name(self) -> str:
        return f"{self.part}-x{self.factor}"


def cases(plans: Iterable[Plan]) -> list[Case]:
    """All budgets, the cheapest first."""
    found = {(p.part, p.factor): Case(p.part, p.factor, p.compute) for p in plans}
    return sorted(found.values(), key=lambda case: case.compute)


def trainable(plans: Iterable[Plan], case: Case) -> bool:
    """Whether every run of a case reads the corpus once at most."""
    return all(run.tokens <= CORPUS for run in wanted(plans, case).values())


def alternatives(plan: Plan) -> dict[tuple[float, float], Setup]:
    """The plan's own run, at (1, 1), and the eight around it, by their factors on its size and learning rate."""
    return {
        (by_size, by_rate): setup(by_size * plan.N, plan.compute, by_rate * plan.lr)
        for by_size in AROUND
        for by_rate in AROUND
    }


def wanted(plans: Iterable[Plan], case: Case) -> dict[str, Setup]:
    """All runs of a case, by what they are called in the table."""
    out: dict[str, Setup] = {}
    for plan in plans:
        if (plan.part, plan.factor) != (case.part, case.factor):
            continue
        if plan.method == "sldagent":
            out |= {label(*factors): run for factors, run in alternatives(plan).items()}
        else:
            out[plan.method] = setup(plan.N, plan.compute, plan.lr)
    return out


def label(by_size: float, by_rate: float) -> str:
    """What a run around the plan is called."""
    return "plan" if by_size == by_rate == 1.0 else f"size x{by_size:g}, lr x{by_rate:g}"


def load_plans(path: Path = PLANS) -> list[Plan]:
    """Read ``plans.csv``."""
    with path.open(newline="") as handle:
        return [
            Plan(**{f.name: _read(row[f.name], str(f.type)) for f in fields(Plan)})  # type: ignore[arg-type]
            for row in csv.DictReader(handle)
        ]


def write_plans(plans: Iterable[Plan], path: Path = PLANS) -> None:
    """Write ``plans.csv``."""
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [f.name for f in fields(Plan)], lineterminator="\n")
        writer.writeheader()
        for plan in plans:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(plan).items()})


def _read(text: str, kind: str) -> object:
    return {"float": float, "int": int, "str": str}[kind](text)
