"""What tokens cost."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.chat.base import ChatRequest, Message, Usage
from sldagent.chat.prices import NANO, Price, Prices, from_litellm, likely_tokens, parse_price, upper_tokens
from sldagent.errors import ConfigError

prices = st.floats(0, 1e-3)
counts = st.integers(0, 10**6)


def test_exact_amounts() -> None:
    price = Price(1.5e-7, 6e-7, cached=7.5e-8)
    assert price.cost(Usage(1000, 100)) == 210_000
    assert price.cost(Usage(1000, 100, 400)) == 90_000 + 30_000 + 60_000
    assert price.cost(Usage(1, 0, 1)) == 75
    assert Price(1.25e-8, 0.0).cost(Usage(1, 0)) == 13, "rounded up"
    assert Price(3e-6, 1.5e-5, 3e-7, 3.75e-6).cost(Usage(11, 7, 4, 2)) == 5 * 3000 + 4 * 300 + 2 * 3750 + 7 * 15000
    assert price.cost(Usage(None, 5)) is None
    assert price.cost(Usage(5, None)) is None


def test_long_requests() -> None:
    price = Price(1e-6, 2e-6, above=200_000, long=Price(3e-6, 4e-6))
    assert price.cost(Usage(200_000, 1)) == 200_000 * 1000 + 2000
    assert price.cost(Usage(200_001, 1)) == 200_001 * 3000 + 4000
    assert price.worst(200_001, 1) == 200_001 * 3000 + 4000
    assert price.worst(200_000, 1) == 200_000 * 1000 + 2000


@given(prices, prices, st.none() | prices, st.none() | prices, counts, counts, counts, counts, st.data())
def test_the_worst_case_is_the_worst(
    paid: float, answer: float, cached: float | None, written: float | None,
    tokens_in: int, tokens_out: int, room_in: int, room_out: int, data: st.DataObject,
) -> None:  # fmt: skip
    price = Price(paid, answer, cached, written)
    read = data.draw(st.integers(0, tokens_in))
    put = data.draw(st.integers(0, tokens_in - read))
    cost = price.cost(Usage(tokens_in, tokens_out, read, put))
    assert cost is not None
    assert cost <= price.worst(tokens_in + room_in, tokens_out + room_out)


@given(st.lists(st.text(max_size=50), min_size=1, max_size=4))
def test_no_more_tokens_than_bytes(texts: list[str]) -> None:
    request = ChatRequest(tuple(Message("user", text) for text in texts), 10)
    assert upper_tokens(request) >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    assert likely_tokens(request) <= upper_tokens(request)


def test_reading_prices() -> None:
    assert parse_price("openai:gpt-x=0.15/0.6") == ("openai:gpt-x", Price(1.5e-7, 6e-7))
    assert parse_price("local:a=b=0/0") == ("local:a=b", Price(0.0, 0.0))
    assert parse_price("local:m@http://127.0.0.1:1/v1=0/0")[0] == "local:m"
    assert parse_price("anthropic:c=3/15/0.3/3.75")[1] == Price(3e-6, 1.5e-5, 3e-7, 3.75e-6)
    assert parse_price("anthropic:c=3/15/0.3")[1] == Price(3e-6, 1.5e-5, 3e-7)


@pytest.mark.parametrize(
    "text",
    [
        "", "gpt=1/2", "openai:x", "openai:x=1", "openai:x=1/2/3/4/5", "openai:x=a/b", "openai:x=-1/2", "openai:x=nan/1",
        "openai:x=inf/1",
    ],
)  # fmt: skip
def test_prices_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_price(text)


TABLE = {
    "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    "openrouter/gpt-y": {"litellm_provider": "openrouter", "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
    "llama": {"litellm_provider": "groq", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    "free": {"litellm_provider": "openai", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "fee": {
        "litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
        "input_cost_per_request": 0.01,
    },
    "image": {"litellm_provider": "openai", "input_cost_per_token": 1e-6},
}  # fmt: skip


@pytest.mark.parametrize(
    ("identity", "price"),
    [
        ("openai:gpt-x", Price(1e-6, 2e-6)),
        ("litellm:openai/gpt-x", Price(1e-6, 2e-6)),
        ("litellm:openrouter/gpt-y", Price(3e-6, 4e-6)),
        ("openai:nobody-knows", None),
        ("openai:llama", None),
        ("anthropic:gpt-x", None),
        ("openai:free", None),
        ("openai:fee", None),
        ("openai:image", None),
        ("local:gpt-x", None),
    ],
)
def test_looking_up(identity: str, price: Price | None) -> None:
    assert Prices(table=TABLE).of(identity) == price


def test_what_is_configured_comes_first() -> None:
    found = Prices(dict([parse_price("openai:gpt-x=0/0")]), table=TABLE).of("openai:gpt-x")
    assert found == Price(0.0, 0.0)


def test_steps() -> None:
    entry = {
        "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 5e-6,
        "input_cost_per_token_above_200k_tokens": 3e-6, "output_cost_per_token_above_200k_tokens": 4e-6,
        "cache_read_input_token_cost": 1e-7,
    }  # fmt: skip
    assert from_litellm(entry) == Price(1e-6, 5e-6, 1e-7, None, 200_000, Price(3e-6, 4e-6))


@pytest.mark.skipif(find_spec("litellm") is None, reason="the package litellm is not installed (extra 'llm')")
def test_litellms_own_table() -> None:
    from sldagent.chat.prices import litellm_table

    known = [price for name in litellm_table() if (price := Prices().of(f"openai:{name}")) is not None]
    assert len(known) > 20
    assert all(0 < price.worst(1000, 1000) < 10 * NANO for price in known)
