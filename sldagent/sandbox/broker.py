"""Inside the container: a jail of its own, fed with jobs on standard input; answers go to standard output.

python -P -m sldagent.sandbox.broker PROFILE PARALLEL [MODULE ...]
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from sldagent.errors import SldagentError
from sldagent.sandbox import stream
from sldagent.sandbox.frames import ProtocolError
from sldagent.sandbox.jail import Jail
from sldagent.sandbox.types import Answer, JailFailure, Limits, Profile


def main(arguments: list[str]) -> int:
    """Serve until standard input ends."""
    profile: Profile = "jax" if arguments[0] == "jax" else "numpy"
    parallel, modules = int(arguments[1]), arguments[2:]
    source, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write into the stream of answers
    try:
        jail = Jail(profile, modules=modules, parallel=parallel)
    except SldagentError as error:
        stream.write(out, {"broken": str(error)})
        return 1
    lock = threading.Lock()
    with jail, ThreadPoolExecutor(parallel) as pool:
        stream.write(out, {"layers": jail.layers.as_json(), "failed_imports": dict(jail.failed_imports)})

        def serve(number: int, payload: bytes, limits: Limits) -> None:
            try:
                answer = jail.call(stream.job_from(payload), limits)
            except (ValueError, ProtocolError) as error:
                answer = Answer(failure=JailFailure("jail", f"the job cannot be read: {error}"))
            with lock:
                stream.write(out, *stream.answer_message(number, answer))

        while True:
            try:
                header, payload = stream.read(source)
            except stream.StreamEnd:
                return 0
            pool.submit(serve, int(header["call"]), payload, stream.limits_from(header["limits"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
