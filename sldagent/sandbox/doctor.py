"""Is this host safe for untrusted code?  Each layer's state, a live escape of each kind, one sentence, what to install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sldagent.errors import JailUnavailable
from sldagent.sandbox import escapes
from sldagent.sandbox.jail import Jail
from sldagent.sandbox.types import LAYERS, Answer, Job, Layers, Limits, Mode

ADVICE: Mapping[str, str] = {
    "seccomp": "a 64-bit Linux on x86_64 or aarch64 whose kernel has seccomp filters (CONFIG_SECCOMP_FILTER)",
    "landlock": "Linux 5.13 or newer with 'landlock' among the security modules (boot option lsm=landlock,...)",
    "pid-namespace": "unprivileged user namespaces (sysctl user.max_user_namespaces above 0; on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0)",
    "cgroup": "a delegated control group (start with: systemd-run --user --scope -p Delegate=yes)",
}
"""What to install or allow for a layer that is missing."""

_NEEDED = ("seccomp", "landlock", "pid-namespace")


@dataclass(frozen=True)
class Trial:
    """One escape attempt.

    Attributes:
        outcome: "held", "BREACH", or "not shown" where the attempt fails even without a jail.
        reason: why it failed in the jail, or what happened.
    """

    name: str
    what: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What `sldagent doctor` shows.

    Attributes:
        layers: what is in force; None where no jail can be had.
        trials: the escape attempts.
        safe: untrusted code may run.
        verdict: one sentence.
        advice: what to install or allow, most important first.
    """

    layers: Layers | None
    trials: tuple[Trial, ...]
    safe: bool
    verdict: str
    advice: tuple[str, ...]

    def states(self) -> list[tuple[str, str, str]]:
        """Name, "in force" or why not, and purpose of every layer that this system could have."""
        if self.layers is None:
            return []
        active, missing = set(self.layers.active), self.layers.missing
        return [(n, "in force" if n in active else missing[n], LAYERS[n]) for n in LAYERS if n in active or n in missing]


def examine(mode: Mode = "auto") -> Report:
    """Try everything; takes some seconds.  Never raises for what it finds."""
    try:
        with escapes.bait() as bait, Jail(mode=mode) as jail, Jail(mode="unsafe-local") as free:
            trials = tuple(_attempt(escape, bait, jail, free) for escape in escapes.ESCAPES)
            layers = jail.layers
    except JailUnavailable as error:
        advice = () if mode == "docker" else (*(ADVICE[name] for name in _NEEDED[:2]), "or Docker, with --jail docker")
        return Report(None, (), False, f"This host is NOT safe for untrusted code: {error}", advice)
    breaches = [trial.name for trial in trials if trial.outcome == "BREACH"]
    safe = layers.safe and not breaches
    return Report(layers, trials, safe, _verdict(layers, trials, breaches), _advice(layers))


def _attempt(escape: escapes.Escape, bait: escapes.Bait, jail: Jail, free: Jail) -> Trial:
    """Try an escape in the jail, and outside as a proof that it can be done."""
    jailed = _run(jail, escape, bait, escape.jailed)
    if "BREACH" in jailed.log:
        return Trial(escape.name, escape.what, "BREACH", "the attempt succeeded in the jail")
    reason = "no effect" if jailed.failure is None else _short(str(jailed.failure))
    control = _run(free, escape, bait, escape.free)
    if "BREACH" not in control.log:
        why = "no effect" if control.failure is None else _short(str(control.failure))
        return Trial(escape.name, escape.what, "not shown", f"fails without a jail too: {why}")
    return Trial(escape.name, escape.what, "held", reason)


def _run(jail: Jail, escape: escapes.Escape, bait: escapes.Bait, limits: Limits) -> Answer:
    data = {"X": np.ones((2, 1)), "Y": np.ones((2, 1)), "group": np.zeros(2)}
    return jail.call(Job(escape.code(bait), "fit", data), limits)


def _short(reason: str) -> str:
    return reason.split(" (line ")[0].split("; while ")[0][:110]


def _verdict(layers: Layers, trials: tuple[Trial, ...], breaches: list[str]) -> str:
    if layers.mode == "unsafe-local":
        return "Mode 'unsafe-local' has no jail: programs can do whatever you can."
    if breaches:
        return f"This host is NOT safe for untrusted code: {', '.join(breaches)} got through."
    if not layers.safe:
        return "This host is NOT safe for untrusted code: too few layers are in force."
    held = sum(trial.outcome == "held" for trial in trials)
    word = "reduced isolation: one layer only" if layers.reduced else f"{held} of {len(trials)} escapes tried live and held"
    return f"This host is safe for untrusted code ({word})."


def _advice(layers: Layers) -> tuple[str, ...]:
    if layers.mode == "unsafe-local":
        return ("another --jail than 'unsafe-local': 'sldagent doctor' alone says what this host has",)
    return tuple(text for name, text in ADVICE.items() if name in layers.missing)
