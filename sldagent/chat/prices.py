"""What tokens cost.  A price is configured, or found in litellm's table where that is installed, or unknown; an
unknown price is None, never 0.

Money is counted in whole billionths of a dollar, each amount rounded up, so that sums are exact and never low.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sldagent.chat.base import ChatRequest, Usage
from sldagent.errors import ConfigError

NANO = 1_000_000_000
"""Billionths in a dollar."""
MILLION = 1_000_000

_MESSAGE_TOKENS = 16
_REQUEST_TOKENS = 64
_LITELLM_TABLE = "model_prices_and_context_window_backup.json"
_TIER = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


@dataclass(frozen=True)
class Price:
    """US dollars per token."""

    input: float
    output: float
    cached: float | None = None
    """Per token read from a cache; None: as `input`."""
    written: float | None = None
    """Per token written to a cache; None: as `input`."""
    above: int | None = None
    """A request of more than this many tokens costs `long` instead."""
    long: Price | None = None

    def cost(self, usage: Usage) -> int | None:
        """Billionths of a dollar, rounded up; None where the provider did not count the tokens."""
        if usage.tokens_in is None or usage.tokens_out is None:
            return None
        price = self
        if self.long is not None and self.above is not None and usage.tokens_in > self.above:
            price = self.long
        cached, written = usage.tokens_cached or 0, usage.tokens_written or 0
        plain = max(0, usage.tokens_in - cached - written)
        total = (
            plain * _exact(price.input)
            + cached * _exact(price.input if price.cached is None else price.cached)
            + written * _exact(price.input if price.written is None else price.written)
            + usage.tokens_out * _exact(price.output)
        )
        return math.ceil(total * NANO)

    def worst(self, tokens_in: int, tokens_out: int) -> int:
        """Billionths of a dollar that a request of at most so many tokens can cost, whatever is cached."""
        choices = [self] if self.long is None or self.above is None or tokens_in <= self.above else [self, self.long]
        dearest = max(max(p.input, p.cached or 0.0, p.written or 0.0) for p in choices)
        output = max(p.output for p in choices)
        return math.ceil((tokens_in * _exact(dearest) + tokens_out * _exact(output)) * NANO)


def _exact(number: float) -> Fraction:
    """The decimal number that was written down, not its nearest binary one: a price of 1.5e-07 is 150 billionths."""
    return Fraction(repr(float(number)))


def upper_tokens(request: ChatRequest) -> int:
    """A number of tokens that the request will not exceed: no tokenizer makes more tokens than bytes, and templates
    add a few per message."""
    text = sum(len(m.text.encode("utf-8", "surrogatepass")) for m in request.messages)
    extra = len(json.dumps(dict(request.extra))) if request.extra else 0
    return text + extra + _MESSAGE_TOKENS * len(request.messages) + _REQUEST_TOKENS


def likely_tokens(request: ChatRequest) -> int:
    """About how many tokens the request has: 3.5 bytes each, which is usual for English mixed with formulas."""
    text = sum(len(m.text.encode("utf-8", "surrogatepass")) for m in request.messages)
    return math.ceil(text / 3.5) + 4 * len(request.messages)


def parse_price(text: str) -> tuple[str, Price]:
    """``openai:MODEL=IN/OUT[/CACHED[/WRITTEN]]``, dollars per million tokens, as (identity, price).

    Raises ConfigError.
    """
    identity, equals, numbers = text.strip().rpartition("=")
    parts = numbers.split("/")
    if not equals or ":" not in identity or not 2 <= len(parts) <= 4:
        raise ConfigError(
            f"{text!r} is no price; write KIND:MODEL=INPUT/OUTPUT, dollars per million tokens, "
            "and /CACHED and /WRITTEN after them where those differ"
        )
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise ConfigError(f"the price {numbers!r} of {identity} holds something that is no number") from None
    if not all(math.isfinite(v) and v >= 0 for v in values):
        raise ConfigError(f"the price {numbers!r} of {identity} must be made of numbers from 0 up")
    identity = identity.split("@http", 1)[0]
    per_token = [float(Fraction(part.strip()) / MILLION) for part in parts]
    cached, written = (*per_token[2:], None, None)[:2]
    return identity, Price(per_token[0], per_token[1], cached, written)


class Prices:
    """Prices by model identity: those configured first, then litellm's table."""

    def __init__(self, configured: Mapping[str, Price] | None = None, *, table: Mapping[str, Any] | None = None) -> None:
        """`table` stands in for litellm's; None: litellm's own, where installed."""
        self._configured = dict(configured or {})
        self._table = table

    @classmethod
    def read(cls, texts: Iterable[str]) -> Prices:
        """From texts like ``openai:MODEL=0.1/0.4``.  Raises ConfigError."""
        return cls(dict(parse_price(text) for text in texts))

    def of(self, identity: str) -> Price | None:
        """The price, or None when it is unknown.  A server of the user's own has a price only where configured."""
        if identity in self._configured:
            return self._configured[identity]
        kind, _, model = identity.partition(":")
        if kind == "local":
            return None
        entries = litellm_table() if self._table is None else self._table
        names = (model, f"{kind}/{model}") if kind != "litellm" else (model, model.partition("/")[2])
        for name in names:
            entry = entries.get(name)
            if isinstance(entry, Mapping) and _same_provider(kind, model, entry):
                return from_litellm(entry)
        return None


def _same_provider(kind: str, model: str, entry: Mapping[str, Any]) -> bool:
    """The table's entry is this provider's: the same model costs differently elsewhere."""
    provider = str(entry.get("litellm_provider", ""))
    return provider.startswith(model.partition("/")[0]) if kind == "litellm" else provider == kind


def from_litellm(entry: Mapping[str, Any]) -> Price | None:
    """The price in an entry of litellm's table.

    None where it has none that tokens alone decide: no numbers, a fee per request, or zeros, which stand there for
    *not known* as often as for *free*.
    """
    base = _tier(entry, "")
    if base is None or (base.input == 0 and base.output == 0) or entry.get("input_cost_per_request"):
        return None
    steps = sorted(int(found[1]) for name in entry if (found := _TIER.fullmatch(name)))
    if not steps:
        return base
    # Of several steps the last one's price from the first step on: never too low.
    dear = _tier(entry, f"_above_{steps[-1]}k_tokens")
    return Price(base.input, base.output, base.cached, base.written, steps[0] * 1000, dear) if dear is not None else None


def _tier(entry: Mapping[str, Any], suffix: str) -> Price | None:
    def number(name: str) -> float | None:
        value = entry.get(name + suffix)
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) and value >= 0 else None

    paid, answer = number("input_cost_per_token"), number("output_cost_per_token")
    if paid is None or answer is None:
        return None
    answer = max(answer, number("output_cost_per_reasoning_token") or 0.0)
    return Price(paid, answer, number("cache_read_input_token_cost"), number("cache_creation_input_token_cost"))


@lru_cache(maxsize=1)
def litellm_table() -> Mapping[str, Any]:
    """litellm's bundled table, read without importing litellm; empty where it is not installed."""
    found = find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        return {}
    path = Path(next(iter(found.submodule_search_locations))) / _LITELLM_TABLE
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
