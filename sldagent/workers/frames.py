"""Messages between a pool and its workers: a length (8 bytes, big endian), then so many bytes of pickle.

Both ends are this package's own trusted code; nothing that a candidate's code wrote passes here as pickle.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from socket import socket
from typing import Any

_LENGTH = struct.Struct(">Q")


def encode(message: object) -> bytes:
    """One message as a frame."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Collects received bytes and yields whole messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Messages completed by `chunk`, in order."""
        self._bytes += chunk
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield pickle.loads(body)


def receive(connection: socket) -> Iterator[Any]:
    """Messages from a blocking connection until its other end closes."""
    buffer = FrameBuffer()
    while chunk := connection.recv(1 << 16):
        yield from buffer.feed(chunk)
