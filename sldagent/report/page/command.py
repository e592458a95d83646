"""The command that repeats a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from sldagent.archive.records import Origin, RunRecord
from sldagent.evolution.config import RunConfig

_OPTIONS = {
    "islands": "--islands",
    "llm": "--llm",
    "llm_fallbacks": "--llm-fallback",
    "llm_share": "--llm-share",
    "llm_extra": "--llm-extra",
    "budget_usd": "--budget-usd",
    "max_calls": "--max-calls",
    "max_tokens": "--max-tokens",
    "prices": "--price",
    "answer_tokens": "--answer-tokens",
    "prompt_tokens": "--prompt-tokens",
}
"""Fields of the configuration that decide which candidates there are, by their option."""
_NO_EFFECT = {"seed", "workers", "minutes", "candidates", "time_limit", "drain", "llm_concurrency", "biases", "blind_names"}
"""Fields that do not, or that are said in another way."""


def discover_command(run: RunRecord, origin: Origin, candidates: int) -> str:
    """``sldagent discover ...`` with the run's table, roles, seed and number of candidates, quoted for a shell."""
    words = ["sldagent", "discover", origin.source]
    for name, option in (("targets", "target"), ("variables", "variables"), ("group", "group"),
                         ("split_column", "split-column")):  # fmt: skip
        given = origin.roles.get(name)
        if given is not None:
            words += [f"--{option}", given if isinstance(given, str) else ",".join(map(str, given))]
    if origin.data:
        words += ["--data", origin.data]
    if origin.at:
        words += ["--at", origin.at]
    words += ["--seed", str(run.seed), "--candidates", str(candidates)]
    if origin.jail != "auto":
        words += ["--jail", origin.jail]
    for name, value in changed(run.config).items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if name in _OPTIONS:
                words += [_OPTIONS[name], f"{item:g}" if isinstance(item, float) else str(item)]
    if run.config.get("blind_names"):
        words.append("--blind-names")
    return shlex.join(words)


def replay_command(run: RunRecord, place: str) -> str:
    """``sldagent replay ...``: the run again from its recorded answers."""
    return shlex.join(["sldagent", "replay", run.run, "--from", address(place), "--archive", "sqlite:///again.db"])


def report_command(run: RunRecord, place: str) -> str:
    """``sldagent report ...``: this page again."""
    return shlex.join(["sldagent", "report", run.run, "--archive", address(place)])


def address(place: str) -> str:
    """An archive's place as ``--archive`` takes it."""
    return place if "://" in place else f"sqlite:///{place}"


def changed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that decide which candidates there are and are not at their defaults."""
    plain = RunConfig()
    out = {}
    for name, value in config.items():
        default = getattr(plain, name, None)
        same = list(value) == list(default or ()) if isinstance(value, (list, tuple)) else value == default
        if name not in _NO_EFFECT and not same:
            out[name] = value
    return out


def without_option(config: Mapping[str, Any]) -> dict[str, Any]:
    """The changed fields that the command line has no option for: set them in Python."""
    return {name: value for name, value in changed(config).items() if name not in _OPTIONS}
