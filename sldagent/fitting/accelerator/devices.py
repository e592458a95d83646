"""Which device JAX computes on, and how much of it the engine may take."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from sldagent.errors import FitError

SHARE = 0.4
"""Share of the device's memory that one call may take."""
HOST_BYTES = 256 << 20
"""What one call may take of a host that serves as the device."""
HOST_ELEMENTS = 1 << 14
"""Rows computed at once on a host: few enough for the caches."""
ACCELERATOR_ELEMENTS = 1 << 20
"""Rows computed at once on an accelerator: enough to hide the start of a kernel."""


@dataclass(frozen=True)
class Device:
    """JAX's first device."""

    platform: str
    """cpu, gpu or tpu."""
    name: str
    bytes: int
    """Memory that one call may take."""
    elements: int
    """Rows (lanes x targets x blocks x rows of a block) computed at once."""

    @property
    def accelerator(self) -> bool:
        return self.platform != "cpu"


def installed() -> bool:
    """Whether JAX can be imported (without importing it)."""
    return importlib.util.find_spec("jax") is not None


def accelerator_likely() -> bool:
    """Whether JAX has a plugin for an accelerator (without importing it: that takes a second)."""
    return installed() and bool(entry_points(group="jax_plugins"))


@cache
def device() -> Device:
    """The device that fits run on.

    Raises:
        FitError: JAX is not installed, or finds no device that works.
    """
    if not installed():
        raise FitError(
            "the engine 'jax' needs the package jax: install it with pip install 'sldagent[jax]', or use engine 'cpu'."
        )
    import jax

    try:
        first: Any = jax.devices()[0]
    except RuntimeError as error:
        raise FitError(f"the engine 'jax' finds no device: {str(error).splitlines()[0]}; use engine 'cpu'.") from error
    if first.platform == "cpu":
        return Device("cpu", "CPU", HOST_BYTES, HOST_ELEMENTS)
    limit = (first.memory_stats() or {}).get("bytes_limit", 4 << 30)
    return Device(first.platform, first.device_kind, int(SHARE * limit), ACCELERATOR_ELEMENTS)


def double_precision() -> AbstractContextManager[Any]:
    """A context in which JAX computes in float64, without changing the rest of the process."""
    import jax

    context: AbstractContextManager[Any] = jax.enable_x64(True)
    return context
