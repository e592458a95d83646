"""The program of one worker process: ``python -P -m sldagent.workers.process FD``.

`FD` is the worker's end of a socket pair.  The first frame received is the evaluator's factory; the answer is
``("ready",)`` or ``("broken", text)``.  Every later frame is ``(k, program)``, answered in order by
``("result", k, evaluation)``.  The worker ends when the other end closes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import warnings

from sldagent.workers.frames import encode, receive


def main(descriptor: int) -> int:
    """Serve one pool until it closes; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides what an interrupt means
    warnings.simplefilter("ignore")
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as connection:
        messages = receive(connection)
        try:
            evaluator = next(messages)()
        except StopIteration:
            return 0
        except Exception as error:
            connection.sendall(encode(("broken", f"{type(error).__name__}: {error}")))
            return 1
        # Imported here so that the factory's frame is read while the heavy modules load.
        from sldagent.workers.base import evaluate_guarded

        try:
            connection.sendall(encode(("ready",)))
            for k, program in messages:
                connection.sendall(encode(("result", k, evaluate_guarded(evaluator, program))))
        except (BrokenPipeError, ConnectionResetError):
            return 0
    return 0


if __name__ == "__main__":
    status = main(int(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing is left to tidy up, and taking compiled modules apart can last a second
