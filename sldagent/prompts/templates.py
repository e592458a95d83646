"""Read the templates and put values in."""

from __future__ import annotations

import re
from functools import lru_cache

from sldagent.errors import ConfigError
from sldagent.resources import shipped

_SLOT = re.compile(r"\{\{([a-z_]+)\}\}")


@lru_cache(maxsize=64)
def template(name: str) -> str:
    """Text of ``prompts/NAME.md``.  Raises ConfigError where it does not ship."""
    return shipped(f"prompts/{name}.md").read_text(encoding="utf-8").strip()


def fill(name: str, **values: str) -> str:
    """The template with every ``{{slot}}`` replaced, once: what a value holds is never taken for a slot.

    Raises ConfigError for a slot without a value and a value without a slot.
    """
    text = template(name)
    slots = set(_SLOT.findall(text))
    if slots != set(values):
        odd = ", ".join(sorted(slots ^ set(values)))
        raise ConfigError(f"prompts/{name}.md and its renderer disagree about: {odd}")
    filled = _SLOT.sub(lambda m: values[m[1]], text)
    return re.sub(r"\n{3,}", "\n\n", filled).strip()
