"""The jail's host side: start the guest, hand it one job at a time, trust nothing that comes back.

with Jail("numpy") as jail:
    answer = jail.call(Job(code, "fit", {"X": X, "Y": Y, "group": group}))
"""

from __future__ import annotations

from sldagent.errors import JailUnavailable
from sldagent.sandbox.frames import ProtocolError
from sldagent.sandbox.jail import Jail
from sldagent.sandbox.jails import Jails
from sldagent.sandbox.types import Answer, FailureKind, FloatArray, JailFailure, Job, Layers, Limits, Mode, Profile

__all__ = [
    "Answer",
    "FailureKind",
    "FloatArray",
    "Jail",
    "JailFailure",
    "JailUnavailable",
    "Jails",
    "Job",
    "Layers",
    "Limits",
    "Mode",
    "Profile",
    "ProtocolError",
]
