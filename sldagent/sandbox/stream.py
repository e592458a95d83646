"""Messages over a pair of pipes, to and from the guest's keeper in a container: a JSON header and raw bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from sldagent.sandbox import frames
from sldagent.sandbox.types import FAILURE_KINDS, Answer, JailFailure, Job, Limits

MAX_HEADER, MAX_BODY = 1 << 20, 1 << 30


class StreamEnd(Exception):
    """The other end is gone, or speaks another language."""


def write(to: IO[bytes], header: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header).encode()
    to.write(len(text).to_bytes(4, "little") + len(body).to_bytes(8, "little") + text + body)
    to.flush()


def read(source: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Receive one message.

    Raises:
        StreamEnd: the end of the stream, or bytes that are no message.
    """
    prefix = source.read(12)
    sizes = int.from_bytes(prefix[:4], "little"), int.from_bytes(prefix[4:], "little")
    if len(prefix) < 12 or sizes[0] > MAX_HEADER or sizes[1] > MAX_BODY:
        raise StreamEnd("the stream ended" if len(prefix) < 12 else "a message is larger than the cap")
    text, body = source.read(sizes[0]), source.read(sizes[1])
    if (len(text), len(body)) != sizes:
        raise StreamEnd("the stream ended within a message")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise StreamEnd("a message has no JSON header") from None
    if not isinstance(header, dict):
        raise StreamEnd("a message's header is not a dictionary")
    return header, body


def job_from(payload: bytes) -> Job:
    """The job that `jail.payload_of` put into bytes.

    Raises:
        ProtocolError: it did not.
    """
    length = int.from_bytes(payload[:8], "little")
    frame = frames.decode(payload[8 + length :])
    code = payload[8 : 8 + length].decode()
    return Job(code, str(frame.values["entry"]), frame.arrays, frame.values["options"])


def limits_from(content: Mapping[str, Any]) -> Limits:
    return Limits(**content)


def answer_message(number: int, answer: Answer) -> tuple[dict[str, Any], bytes]:
    """Header and body of an answer."""
    failure = None if answer.failure is None else [answer.failure.kind, answer.failure.message]
    used = [answer.cpu_seconds, answer.wall_seconds, answer.peak_bytes]
    header = {"call": number, "failure": failure, "log": answer.log, "used": used}
    return header, frames.encode(answer.arrays, answer.values)


def answer_from(header: Mapping[str, Any], body: bytes) -> Answer:
    """An answer out of its message, which may be forged.

    Raises:
        StreamEnd: it is none.
    """
    try:
        frame = frames.decode(body)
        failure = None
        if header["failure"] is not None:
            kind, message = header["failure"]
            if kind not in FAILURE_KINDS:
                raise ValueError(kind)
            failure = JailFailure(kind, str(message))
        cpu, wall, peak = header["used"]
        return Answer(frame.arrays, frame.values, str(header["log"]), failure, float(cpu), float(wall), int(peak))
    except (frames.ProtocolError, KeyError, TypeError, ValueError) as error:
        raise StreamEnd(f"an answer cannot be read: {error}") from None
