"""Runs attacks in one column of the matrix and says on standard output, a JSON line each, what came of them.

python -m tests.attack.runner COLUMN [CASE ...]

A column is one of `JAILS` or a naive way of `naive.py`.  Lines are {"begin": case} before and {"case": case, "found": [...],
"odd": [...], "end": kind} after each attack: `found` are breaches, `odd` what is no breach and not as it should be either.
Before all comes {"layers": [...]} in force.  The process is the evaluator that attacks aim at.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from sldagent.errors import JailUnavailable
from sldagent.sandbox import Answer, Jail, Job, Limits, guest
from tests.attack.case import Case
from tests.attack.catalogue import CASES
from tests.attack.world import World, adopt_orphans, descendants, end

JAILS: dict[str, dict[str, Any]] = {
    "all layers": {},
    "no namespaces": {"mode": "no-namespaces"},
    "scikit-learn": {"modules": ("sklearn",)},
    "filter alone": {"without": ("namespaces", "landlock")},
    "jax": {"profile": "jax"},
    "jax, no namespaces": {"profile": "jax", "mode": "no-namespaces"},
}
"""Options of the jail by column."""
CONTROLS = ("subprocess", "thread", "alarm", "lax")
GOOD = 0.999
"""R2 that nobody reaches without the held-out targets."""
KEPT = 1 << 20
"""Bytes of log or answer beyond which the evaluator has been flooded."""
HONEST = """
import numpy as np
def fit_scaling_law(X, y):
    A = np.column_stack([np.ones(len(X)), X[:, 0] ** -0.3])
    return np.linalg.lstsq(A, y + 0.0 * np.mean(y), rcond=None)[0]
"""


def r2(y: Any, predicted: Any) -> float:
    return float(1.0 - np.mean((y - predicted) ** 2) / np.var(y))


class Jailed:
    """Attacks on one jail, which a sibling candidate shares for all of the time."""

    def __init__(self, column: str, world: World) -> None:
        self._world = world
        self._jax = column.startswith("jax")
        self._column = column
        self.jail = Jail(**{"parallel": 4, **JAILS[column]})
        before = descendants()
        token = world.tokens["sibling"]
        code = f"import time\nHELD = '{token}'\ndef fit_scaling_law(X, y):\n    time.sleep(3000)\n"
        job = Job(code, "fit", {"X": world.X_train, "Y": world.y_train[:, None], "group": np.zeros(30)})
        threading.Thread(target=self.jail.call, args=(job, Limits(wall_seconds=3000.0)), daemon=True).start()
        while not (new := descendants() - before):
            time.sleep(0.01)
        time.sleep(0.2)
        self._sibling = max(new)
        self._zygote = self._zygote_pid()

    def _zygote_pid(self) -> int:
        return int(self.jail._backend._zygote.pid)  # type: ignore[attr-defined]

    def run(self, case: Case) -> dict[str, Any]:
        world = self._world
        words = {**world.words, "pid": os.getpid(), "address": ctypes.addressof(world.memory), "sibling": self._sibling}
        before = descendants()
        answers = self._calls(case, case.code(words))
        last = answers[-1]
        time.sleep(case.settle)
        found = _claims(world, "".join(a.log + (a.failure.message if a.failure else "") for a in answers))
        survivors = descendants() - before
        if survivors:
            found.append(f"{len(survivors)} survivors")
            end(survivors)
        found += world.changes()
        if case.must_fail and last.failure is None:
            found.append("accepted")
        kept = sum(len(a.log) + sum(v.nbytes for v in a.arrays.values()) for a in answers)
        if kept > KEPT + case.log + 100:
            found.append(f"kept {kept >> 20} MB")
        score = self._score(case, last)
        if score > GOOD:
            found.append(f"score {score:.3f}")
        if self._sibling not in before or self._sibling not in descendants():
            found.append("sibling lost")
        if any("\x1b" in a.log for a in answers):
            found.append("terminal")
        kind = last.failure.kind if last.failure else ""
        odd = []
        if (case.kinds and kind not in case.kinds) or (not case.kinds and kind == "jail"):
            odd.append(f"ended as {kind or 'success'}: {last.failure.message if last.failure else ''}"[:300])
        if self._zygote_pid() != self._zygote:
            odd.append("zygote lost")
        if not self._honest():
            found.append("next call spoiled")
        said = last.failure.message if last.failure else ""
        return {"found": found, "odd": odd, "end": kind, "said": said[:200]}

    def _calls(self, case: Case, code: str) -> list[Answer]:
        """Fit, and predict where the fit came to something."""
        world, n = self._world, len(self._world.y_train)
        memory = (4 << 30) if self._jax and "memory" not in case.kinds else case.memory
        limits = Limits(wall_seconds=case.wall, memory_bytes=memory, log_bytes=case.log, result_bytes=case.result)
        if case.law:
            return [self.jail.call(law_job(code, world.X_train, world.y_train), limits)]
        job = Job(code, "fit", {"X": world.X_train, "Y": world.y_train[:, None], "group": np.zeros(n)})
        answers = [self.jail.call(job, limits)]
        if case.predict and answers[0].failure is None:
            m = len(world.X_test)
            arrays = {"X": world.X_test, "group": np.zeros(m), "params/0": answers[0].arrays["params/0"]}
            answers.append(self.jail.call(Job(code, "predict", arrays), limits))
        return answers

    def _score(self, case: Case, answer: Answer) -> float:
        """What the host makes of an answer: its own law, its own targets."""
        world = self._world
        if case.law and answer.failure is None:
            a, b, c = answer.arrays["params/0"]
            return r2(world.y_train, a + b * world.X_train[:, 0] ** -c)
        predicted = answer.arrays.get("prediction")
        return -math.inf if predicted is None else r2(world.y_test, predicted[:, 0])

    def _honest(self) -> bool:
        """Whether an honest program still gets its answer."""
        world, limits = self._world, Limits(wall_seconds=30.0, memory_bytes=(4 << 30) if self._jax else 256 << 20)
        job = Job(HONEST, "fit", {"X": world.X_train, "Y": world.y_train[:, None], "group": np.zeros(len(world.y_train))})
        found = self.jail.call(job, limits).arrays.get("params/0")
        return found is not None and bool(np.allclose(found, [1.0, 3.0], rtol=1e-6))


def law_job(code: str, X: Any, y: Any) -> Job:
    """A custom_fit of a + b x^-c; x^-c is exp(-c log x)."""
    tape = guest.load("tape")
    parameter, feature = tape.PARAMETER, tape.FEATURE
    rows = [(parameter, 0, 0), (parameter, 1, 0), (parameter, 2, 0), (feature, 0, 0), (tape.MUL, 2, 3), (tape.NEG, 4, 0)]
    rows += [(tape.EXP, 5, 0), (tape.MUL, 1, 6), (tape.ADD, 0, 7)]
    table = np.array(rows, dtype=float).T[:, None]
    arrays = {
        "ops": table[0], "left": table[1], "right": table[2], "value": np.zeros((1, len(rows))), "rows": X,
        "lengths": np.array([float(len(rows))]), "features": np.log(X.T), "targets": y[:, None], "group": np.zeros(len(y)),
    }  # fmt: skip
    return Job(code, "custom_fit", arrays, {"parameters": ["a", "b", "c"], "variables": ["x"]})


class Controlled:
    """Attacks on a naive evaluator in a process of its own."""

    def __init__(self, way: str, world: World) -> None:
        self._way, self._world = way, world

    def run(self, case: Case) -> dict[str, Any]:
        world = self._world
        before = descendants()
        reading, writing = os.pipe()
        spec = {
            "way": self._way, "code": case.code(world.words), "words": world.words, "report": writing,
            "wall": min(case.wall, 10.0), "memory": world.tokens["memory"], "y_test": world.y_test.tolist(),
            "y": world.y_train.tolist(), "X": world.X_train[:, 0].tolist(), "X_test": world.X_test[:, 0].tolist(),
        }  # fmt: skip
        with open(world.root / "log", "w+b") as log:
            evaluator = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("naive.py"))], stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT, pass_fds=(writing,), cwd=world.root / "work",
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
            os.close(writing)
            assert evaluator.stdin is not None
            with contextlib.suppress(BrokenPipeError), evaluator.stdin as stdin:
                stdin.write(json.dumps(spec).encode())
            found = []
            try:
                evaluator.wait(spec["wall"] + 4.0)
            except subprocess.TimeoutExpired:
                found.append("evaluator hangs")
            time.sleep(case.settle)
            survivors = descendants() - before - {evaluator.pid}
            if survivors:
                found.append(f"{len(survivors)} survivors")
            end(survivors)
            evaluator.kill()
            evaluator.wait()
            size = log.seek(0, os.SEEK_END)
            log.seek(0)
            text = log.read(1 << 22).decode("latin-1")
        (world.root / "log").unlink()
        os.set_blocking(reading, False)
        with os.fdopen(reading, "rb") as report:
            said = _lines(report.read(1 << 22) or b"")
        if not said and "evaluator hangs" not in found:
            found.append("evaluator died")
        return {"found": found + _claims(world, text) + self._believed(case, said, size, text), "odd": [], "end": ""}

    def _believed(self, case: Case, said: list[dict[str, Any]], size: int, text: str) -> list[str]:
        """What the evaluator's own report and log say."""
        found = self._world.changes()
        for report in said:
            found += [word for word in ("spinning", "overtime") if report.get(word)]
            if case.must_fail and report.get("accepted"):
                found.append("accepted")
            score = report.get("score")
            if isinstance(score, float) and score > GOOD:
                found.append(f"score {score:.3f}")
            size += int(report.get("kept") or 0)
        if size > KEPT:
            found.append(f"kept {size >> 20} MB")
        return [*found, "terminal"] if "\x1b" in text else found


def _lines(data: bytes) -> list[dict[str, Any]]:
    said = []
    for line in data.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(line)
            if isinstance(content, dict):
                said.append(content)
    return said


def _claims(world: World, text: str) -> list[str]:
    """Tokens in what a candidate printed, and what it says that it has done."""
    claims = [line.partition("BREACH ")[2][:60] for line in text.splitlines() if "BREACH " in line]
    return list(dict.fromkeys([*world.leaked(text), *claims]))[:8]


def main(column: str, names: Collection[str]) -> int:
    """Run the attacks; 2 where this host has no such jail."""
    adopt_orphans()
    with World() as world:
        try:
            arena: Jailed | Controlled = Jailed(column, world) if column in JAILS else Controlled(column, world)
        except (JailUnavailable, ImportError) as error:
            print(json.dumps({"unavailable": str(error)}), flush=True)
            return 2
        if isinstance(arena, Jailed):
            print(json.dumps({"layers": list(arena.jail.layers.active)}), flush=True)
        for name in names or CASES:
            print(json.dumps({"begin": name}), flush=True)
            started = time.monotonic()
            result = arena.run(CASES[name])
            print(json.dumps({"case": name, **result, "seconds": time.monotonic() - started}), flush=True)
        if isinstance(arena, Jailed):
            arena.jail.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
