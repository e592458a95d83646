"""What a test may need that not every machine has, and the switch that turns such skips into failures.

A test that needs one of these is marked ``@pytest.mark.requires("postgres")``; it is skipped with a reason where that is
missing.  ``SLDAGENT_REQUIRE=postgres,ray`` (or ``all``) makes every skip of tests marked so a failure: the project's own
checks set it, so that nothing that they install can be skipped unseen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from shutil import which

import postgres_server

VARIABLE = "SLDAGENT_REQUIRE"


def _package(name: str, extra: str) -> Callable[[], str]:
    return lambda: "" if find_spec(name) else f"the package {name} is not installed (extra '{extra}')"


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _chromium() -> str:
    if not any(map(which, BROWSERS)):
        return f"no browser is installed (one of {', '.join(BROWSERS)})"
    return _package("playwright", "dev")() or _package("starlette", "ui")()


def _postgres() -> str:
    return _package("psycopg", "postgres")() or postgres_server.missing()


CHECKS: Mapping[str, Callable[[], str]] = {
    "anthropic": _package("anthropic", "llm"),
    "chromium": _chromium,
    "jax": _package("jax", "jax"),
    "litellm": _package("litellm", "llm"),
    "openai": _package("openai", "llm"),
    "postgres": _postgres,
    "ray": _package("ray", "ray"),
    "ui": lambda: next(filter(None, (_package(name, "ui")() for name in ("jinja2", "starlette", "uvicorn"))), ""),
}
"""Name -> why it is missing here, or ''."""


def required(text: str | None = None) -> frozenset[str]:
    """Names that must not be missing: `text`, by default the environment's SLDAGENT_REQUIRE.

    Raises ValueError for a name that is not in CHECKS.
    """
    given = os.environ.get(VARIABLE, "") if text is None else text
    names = {name.strip() for name in given.split(",") if name.strip()}
    if "all" in names:
        return frozenset(CHECKS)
    unknown = sorted(names - set(CHECKS))
    if unknown:
        raise ValueError(f"{VARIABLE} names '{unknown[0]}'; it may name {', '.join(CHECKS)} or all")
    return frozenset(names)


def lacking(names: Iterable[str]) -> str:
    """Why a test that needs these cannot run here, or ''."""
    reasons = [reason for name in names if (reason := CHECKS[name]())]
    return "; ".join(reasons)
