"""The grid of cells, the first guess of the learning rate, and the split of the tables.  No dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTHS = (8, 12, 16, 20, 28, 36, 48, 64, 80, 112)
TOKENS = tuple(65_536 * 2**k for k in range(7))
SHORT_TOKENS = TOKENS[4]  # 1,048,576: the last one with three learning rates from the first guess
TRAIN_WIDTH = 64  # 98,304 non-embedding parameters
SEED_CELLS = tuple((width, TOKENS[k]) for width in (8, 28, 64, 112) for k in (0, 4, 6))
SPOT_WIDTHS = (8, 28)  # sizes whose predicted learning rate is checked at 2M and 4M tokens
EXTRA_SEEDS = [1, 2]
PHASES = ("grid", "edge", "predicted", "seeds", "spot", "more", "refine")
ROUNDS = {"edge": 3, "refine": 3}  # phases that look again at what they have added
STEEP_GAP = 0.01  # nats per byte by which a vertex may lie below the best measured mean


def cells(widths: Sequence[int] = WIDTHS) -> Iterator[tuple[int, int]]:
    """Yield (width, tokens) of every cell."""
    return ((width, tokens) for width in widths for tokens in TOKENS)


def non_embedding(width: int) -> int:
    """Return N: 12 * layers * width**2 with two layers."""
    return 24 * width * width


def round_rate(rate: float) -> float:
    """Round a learning rate to four significant digits, so that it is written and read back unchanged."""
    return float(f"{rate:.4g}")


def centre_rate(width: int, tokens: int) -> float:
    """Return the first guess of the best peak learning rate, from a short pilot at widths 8, 28 and 112."""
    return round_rate(0.06 * (8 / width) * (tokens / 65_536) ** -0.1)


def around(centre: float, factor: float = 2.0) -> list[float]:
    """Return three learning rates a factor of two apart."""
    return [round_rate(centre / factor), centre, round_rate(centre * factor)]


def region(width: int, tokens: int) -> str:
    """Return the cell's region: train, or held out by size (n_only), by data (d_only) or by both (corner)."""
    wide, long = width > TRAIN_WIDTH, tokens > SHORT_TOKENS
    if wide and long:
        return "corner"
    return "n_only" if wide else "d_only" if long else "train"
