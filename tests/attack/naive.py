"""Evaluators without a jail, as they are commonly written: the positive controls run candidates in them.

Started as a program by `runner.py`, with a specification on standard input; standard output is the log.  Ways:

==========  ===========================================================================================================
thread      the candidate runs in a thread of the evaluator, which waits with a timeout
alarm       the candidate runs in the evaluator's main thread under an alarm
subprocess  a fresh process, the inherited environment, a pickled result, SIGTERM after the timeout
lax         a fresh process that writes a frame to file 3, read by a parser that believes what it is told
==========  ===========================================================================================================
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, NoReturn

import numpy as np


def r2(y: Any, predicted: Any) -> float:
    """The metric, without any check of what it is given."""
    return float(1.0 - np.mean((y - predicted) ** 2) / np.var(y))


def call(code: str, x: Any, y: Any, x_test: Any) -> Any:
    """Fit and predict in this process."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(code, "<program>", "exec"), names)
    if "custom_fit" in names:
        law = _Law(x, y)
        parameters = names["custom_fit"]({"x": x[:, 0]}, y, law)
        return y + law.residuals(parameters)
    parameters = names["fit_scaling_law"](x, y)
    predict = names.get("scaling_law_func")
    return parameters if predict is None else predict(x_test, np.asarray(parameters))


class _Law:
    """A law that trusts the candidate: what it says of itself is what is scored."""

    names = ("a", "b", "c")

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.targets = x, y

    def residuals(self, p: Any) -> Any:
        return p[0] + p[1] * self.x[:, 0] ** -p[2] - self.targets


def evaluate(spec: dict[str, Any]) -> dict[str, Any]:
    """Evaluate a candidate; "accepted" and "score" are what a search would believe."""
    y_test = np.array(spec["y_test"])
    x, y, x_test = np.array(spec["X"])[:, None], np.array(spec["y"]), np.array(spec["X_test"])[:, None]
    held = ctypes.create_string_buffer(spec.pop("memory").encode())
    data_file = open(spec["words"]["data"])  # noqa: SIM115 - as evaluators have it open
    channel = socket.socketpair()  # and talks to others
    words = {"pid": os.getpid(), "address": ctypes.addressof(held), "sibling": spec["words"]["victim"]}
    code = spec["code"]
    for word, value in words.items():
        code = code.replace(f"@{word}@", repr(value))
    try:
        predicted = _WAYS[spec["way"]](code, x, y, x_test, spec)
    except RecursionError:  # nobody thinks of this one
        raise
    except Exception as error:
        return {"accepted": False, "said": f"{type(error).__name__}: {error}"}
    finally:
        data_file.close()
        for end in channel:
            end.close()
    if spec["way"] == "lax":
        return {"accepted": True, "kept": 0}
    values = predicted if isinstance(predicted, np.ndarray) else np.asarray(predicted)
    try:
        score = r2(y if "def custom_fit" in code else y_test, values)
    except Exception as error:
        return {"accepted": False, "said": str(error), "kept": int(values.nbytes)}
    return {"accepted": True, "score": score if np.isfinite(score) else None, "kept": int(values.nbytes)}


def _in_thread(code: str, x: Any, y: Any, x_test: Any, spec: dict[str, Any]) -> Any:
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(call(code, x, y, x_test)))
    thread.start()
    thread.join(spec["wall"])
    if not done:
        raise TimeoutError("no answer")
    return done[0]


def _under_alarm(code: str, x: Any, y: Any, x_test: Any, spec: dict[str, Any]) -> Any:
    def ring(*_: object) -> NoReturn:
        raise TimeoutError("too slow")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, spec["wall"])
    try:
        return call(code, x, y, x_test)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _run(mode: str, code: str, x: Any, y: Any, x_test: Any, spec: dict[str, Any], **options: Any) -> None:
    loaded, ready = os.pipe()
    options["pass_fds"] = (*options.get("pass_fds", ()), ready)
    worker = subprocess.Popen([sys.executable, __file__, mode, str(ready)], stdin=subprocess.PIPE, **options)
    os.close(ready)
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError), worker.stdin as stdin:
        pickle.dump((code, x, y, x_test), stdin)
    with os.fdopen(loaded, "rb") as pipe:
        pipe.read(1)  # the clock starts when it has: a busy machine may take long
    try:
        worker.wait(spec["wall"])
    except subprocess.TimeoutExpired:
        worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(0.3)
        raise TimeoutError("too slow") from None


def _in_process(code: str, x: Any, y: Any, x_test: Any, spec: dict[str, Any]) -> Any:
    with contextlib.suppress(FileNotFoundError):
        os.unlink("result.pkl")
    _run("worker", code, x, y, x_test, spec)
    with open("result.pkl", "rb") as file:
        return pickle.load(file)


def _lax(code: str, x: Any, y: Any, x_test: Any, spec: dict[str, Any]) -> Any:
    with open("frame", "wb") as out:
        saved = None
        with contextlib.suppress(OSError):
            saved = os.dup(3)
        os.dup2(out.fileno(), 3)
        try:
            _run("lax-worker", code, x, y, x_test, spec, pass_fds=(3,))
        finally:
            os.close(3)
            if saved is not None:
                os.dup2(saved, 3)
                os.close(saved)
    data = open("frame", "rb").read()  # noqa: SIM115
    length = int.from_bytes(data[8:12], "little")
    header = json.loads(data[12 : 12 + length])
    at = 12 + length
    for _, shape in header["arrays"]:
        size = int(np.prod(shape))
        np.frombuffer(data[at:], dtype="<f8", count=min(size, (len(data) - at) // 8))
        at += 8 * size
    return header


_WAYS = {"thread": _in_thread, "alarm": _under_alarm, "subprocess": _in_process, "lax": _lax}


def work(mode: str, ready: int) -> None:
    """The fresh process."""
    code, x, y, x_test = pickle.load(sys.stdin.buffer)
    os.close(ready)
    predicted = call(code, x, y, x_test)
    if mode == "worker":
        with open("result.pkl", "wb") as file:
            pickle.dump(predicted, file)


def main() -> None:
    if len(sys.argv) > 1:
        work(sys.argv[1], int(sys.argv[2]))
        return
    spec = json.loads(sys.stdin.read())
    report = os.fdopen(int(spec["report"]), "w", buffering=1)
    before = time.process_time()
    result = evaluate(spec)
    report.write(json.dumps(result) + "\n")
    before = time.process_time()
    time.sleep(0.2 if spec["way"] == "thread" else 0.0)
    if time.process_time() - before > 0.1:
        report.write(json.dumps({"spinning": True}) + "\n")
    if threading.active_count() > 1:
        time.sleep(0.3)
        if threading.active_count() > 1:
            report.write(json.dumps({"overtime": True}) + "\n")
            os._exit(0)


if __name__ == "__main__":
    main()
