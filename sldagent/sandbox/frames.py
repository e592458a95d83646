"""The frame protocol on the host's side: the guest's own `sandbox/frames.py`, with types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from sldagent.sandbox import guest
from sldagent.sandbox.types import JSON, FloatArray


class Frame(Protocol):
    """What a frame holds; `failure` is a kind and a message, both untrusted."""

    @property
    def arrays(self) -> dict[str, FloatArray]: ...
    @property
    def values(self) -> dict[str, JSON]: ...
    @property
    def failure(self) -> tuple[str, str] | None: ...


_Encode: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, JSON]], bytes]
_Decode: TypeAlias = Callable[[bytes | bytearray | memoryview], Frame]

_shared = guest.load("frames")


ProtocolError: type[Exception] = _shared.ProtocolError
"""The bytes are not a frame, or values cannot be put into one."""

MAX_HEADER: int = _shared.MAX_HEADER
"""Longest header in bytes."""

PREFIX: int = len(_shared.MAGIC) + 4
"""Bytes before the header."""

encode: _Encode = _shared.encode
"""Bytes of arrays and values.  Raises ProtocolError."""

decode: _Decode = _shared.decode
"""Arrays, values and failure of a frame; memory in proportion to the bytes given.  Raises ProtocolError, nothing else."""
