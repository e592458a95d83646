"""How models are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.chat.specs import ModelSpec, parse_spec
from sldagent.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("openai:gpt-x", ModelSpec("openai", "gpt-x")),
        (" anthropic:claude-x ", ModelSpec("anthropic", "claude-x")),
        ("litellm:openrouter/a/b:free", ModelSpec("litellm", "openrouter/a/b:free")),
        ("local:qwen:7b@http://127.0.0.1:11434/v1/", ModelSpec("local", "qwen:7b", "http://127.0.0.1:11434/v1")),
        ("local:a@b@https://host/v1", ModelSpec("local", "a@b", "https://host/v1")),
        ("openai:ft:gpt-x:org", ModelSpec("openai", "ft:gpt-x:org")),
    ],
)
def test_forms(text: str, spec: ModelSpec) -> None:
    assert parse_spec(text) == spec
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write one of openai:MODEL"),
        ("gpt-x", "write one of openai:MODEL"),
        ("opnai:gpt-x", "did you mean openai:MODEL"),
        ("openai:", "names no model; write openai:MODEL"),
        ("openai:a b", "names no model"),
        ("litellm:gpt-x", "does not name a provider; write litellm:PROVIDER/MODEL"),
        ("litellm:/gpt-x", "does not name a provider"),
        ("local:tiny", "does not say where the server is"),
        ("local:tiny@ftp://x/v1", "does not say where the server is"),
        ("local:@http://x/v1", "names no model"),
        ("local:tiny@http://", "not the address of a server"),
        ("local:tiny@http://h:99999/v1", "cannot be read"),
        ("local:tiny@http://h/v1?key=abc", "SLDAGENT_LOCAL_API_KEY"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_spec(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["local:tiny@http://me:hunter22@h/v1", "lcal:tiny@http://me:hunter22@h/v1"])
def test_a_password_in_an_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_spec(text)
    assert "hunter22" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_spec_or_one_clear_error(text: str) -> None:
    try:
        spec = parse_spec(text)
    except ConfigError:
        return
    assert parse_spec(str(spec)) == spec


def test_an_identity_has_no_address() -> None:
    assert parse_spec("local:m@http://a:1/v1").identity == parse_spec("local:m@http://b:2/v1").identity == "local:m"
