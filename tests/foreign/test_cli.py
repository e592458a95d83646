"""`score PROGRAM.py` and `discover --seed-program` on the command line, and what the archive keeps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from cli_tools import sldagent

from sldagent.archive.store import Archive
from sldagent.evaluation.result import Evaluation
from sldagent.foreign.jails import ProgramJails
from sldagent.foreign.lint import Lint
from sldagent.sandbox import Jail

PROGRAMS = Path(__file__).parent / "programs"
COLUMNS = ["--target", "loss", "--variables", "N,D", "--group", "family", "--split-column", "split"]

CUSTOM = """def law(N, D, E, A, a):
    return E + A * (N * D)**-a

def custom_fit(rows, targets, law):
    from scipy.optimize import least_squares
    print("fitting")
    return least_squares(law.residuals, [2.0, 100.0, 0.2], jac=law.jacobian, x_scale="jac").x
"""

RETURNS = "def scaling_law_func(x, p):\n    return {}\ndef fit_scaling_law(x, y):\n    return {}\n"


class Shared:
    """The jails that all tests share, in place of new ones for every command."""

    def __init__(self, jails: ProgramJails) -> None:
        self._jails = jails

    def get(self, profile: str, modules: list[str]) -> Jail:
        return self._jails.jail_of(Lint(modules=frozenset([*modules, *(["jax"] if profile == "jax" else [])])))

    def close(self) -> None:
        """They stay open."""


@pytest.fixture(autouse=True)
def share(request: pytest.FixtureRequest, jails: ProgramJails, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs code; all but the first use jails that are there already."""
    jails.jail_of(Lint())
    if request.node.name != "test_score_a_program":
        monkeypatch.setattr("sldagent.sandbox.Jails", lambda *more, **named: Shared(jails))


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'archive.db'}"


def test_score_a_program(table: Path, archive: str) -> None:
    done = sldagent("score", PROGRAMS / "power_numpy.py", table, *COLUMNS, "--archive", archive, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert found["program"] == "power_numpy.py"
    assert found["rows"] == 10
    assert found["r2"] > 0.9999
    assert found["guard"][-1] == "single rows"
    assert found["columns"] == ["N", "D"]
    assert found["parameters"] == 5
    assert found["jail"]["safe"] is True
    assert found["lint"] == []
    assert "error" in found["log"]
    with Archive.open(archive, read_only=True) as opened:
        (logged,) = opened.scorings()
    assert (logged.law, logged.split, logged.rows, logged.r2) == ("power_numpy.py", "test", 10, found["r2"])


def test_score_shows_findings_and_marks_output(table: Path, archive: str, tmp_path: Path) -> None:
    source = (PROGRAMS / "power_numpy.py").read_text().replace("import numpy as np", "import numpy as np\nimport time")
    path = tmp_path / "given.py"
    path.write_text(source)
    done = sldagent("score", path, table, *COLUMNS, "--archive", archive)
    assert done.code == 0, done.err
    assert "line 3: imports time" in done.out
    assert "Behaviour guard: passed" in done.out
    assert "| [untrusted output of the program]" in done.out


@pytest.mark.parametrize(
    ("source", "said", "ran"),
    [
        ("def scaling_law_func(", "not valid Python", False),
        ("def scaling_law_func(x, p):\n    return x\n", "does not define fit_scaling_law", False),
        ("#" + "x" * 10_000_000, "10.0 MB", False),
        (f"import nowhere\n{RETURNS.format('x', 'y')}", "nowhere", False),
        (RETURNS.format("x", "[1.0]"), "shape", True),
        (RETURNS.format("x[:, 0]", "[1 / 0]"), "ZeroDivisionError", True),
        (RETURNS.format("x[:, 0]", "y"), "behaviour guard", True),
    ],
)
def test_score_of_what_cannot_be_scored(
    source: str, said: str, ran: bool, table: Path, archive: str, tmp_path: Path
) -> None:
    """One sentence; what ran is in the archive as a reading that gave no figures."""
    path = tmp_path / "bad.py"
    path.write_text(source)
    for more in ([], ["--json"]):
        done = sldagent("score", path, table, *COLUMNS, "--archive", archive, *more)
        assert done.code == 2
        assert said in done.err
        assert done.err.count("\n") == 1
    if ran:
        with Archive.open(archive, read_only=True) as opened:
            logged = opened.scorings()
            figures = opened.query("SELECT law, split, rows, r2, nmse, nmae FROM scoring")[1]
        assert figures == [("bad.py", "test", 10, None, None, None)] * 2
        assert all(math.isnan(reading.r2) and reading.per_target == {} for reading in logged)


def test_score_a_program_of_our_own_language(table: Path, archive: str, tmp_path: Path) -> None:
    path = tmp_path / "law.py"
    path.write_text(CUSTOM)
    done = sldagent("score", path, table, *COLUMNS, "--archive", archive, "--json")
    assert done.code == 0, done.err
    assert done.json["formula"] == "E + A*(N*D)**-a"
    assert done.json["rows"] == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"def law(N, E):\n    return E + foo(N)\n", "foo"), (b"def law(N, E):\n    return E + '\xe9'\n", "not UTF-8 text")],
)
def test_what_is_wrong_with_a_law_names_its_file(
    table: Path, archive: str, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "wrong.py"
    path.write_bytes(content)
    for words in (["fit", table, "--law", path], ["discover", table, "--seed-program", path], ["score", path, table]):
        done = sldagent(*words, *COLUMNS, "--archive", archive)
        assert done.code == 2
        assert said in done.err and "wrong.py" in done.err
        assert done.err.count("\n") == 1


def test_unsafe_local_is_loud_and_recorded(table: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # a jail of its own
    words = ["score", PROGRAMS / "power_numpy.py", table, *COLUMNS, "--archive", archive, "--jail", "unsafe-local"]
    done = sldagent(*words)
    assert done.code == 0, done.err
    assert "WARNING" in done.out and "NOT isolated" in done.out


def test_roles_do_not_go_with_a_fitted_law(table: Path, archive: str, tmp_path: Path) -> None:
    done = sldagent("score", "law.json", table, "--target", "loss", "--archive", archive)
    assert done.code == 2
    assert "--target is of no use here" in done.err
    assert sldagent("score", tmp_path / "none.py", table, *COLUMNS).code == 2


def test_discover_from_programs(table: Path, archive: str, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(CUSTOM.replace("print(", "import time; print("))
    (tmp_path / "broken.py").write_text("def fit_scaling_law(")
    given = [PROGRAMS / "power_numpy.py", PROGRAMS / "memory_numpy.py", own, tmp_path / "broken.py", tmp_path / "opaque.py"]
    given[-1].write_text(
        "import numpy as np\ndef fit_scaling_law(x, y):\n    return [float(np.mean(y))]\n"
        "def scaling_law_func(x, p):\n    return p[0] + 0 * np.arctan(x[:, 0])\n"
    )
    seeds = [word for path in given for word in ("--seed-program", str(path))]
    done = sldagent(
        "discover", table, *COLUMNS, *seeds, "--candidates", "6", "--workers", "1", "--archive", archive, "--json"
    )
    assert done.code == 0, done.err
    run = done.json["run"]
    assert [p["name"] for p in done.json["programs"]] == ["power_numpy.py", "memory_numpy.py", "broken.py", "opaque.py"]
    with Archive.open(archive, read_only=True) as opened:
        references = opened.references(run)
        candidates = list(opened.candidates(run))
        front = {c.k for c in opened.front(run)}
        jailed = opened.query("SELECT message, data FROM event WHERE kind = 'jail'")[1]
        scored = opened.query("SELECT n, COUNT(*) FROM reference_cut GROUP BY n ORDER BY n")[1]
        complex_ones = opened.query("SELECT COUNT(*) FROM law WHERE complexity IS NULL AND failure IS NULL")[1]
    assert [c.operator for c in candidates[:3]] == ["seed program", "seed program", "catalogue"]
    translated, custom = candidates[0].evaluation, candidates[1].evaluation
    assert candidates[0].note.startswith("translated from power_numpy.py")
    assert translated.failure is None and translated.fitted_by == "engine"
    assert custom.failure is None and custom.fitted_by == "custom"
    assert custom.feedback == "[untrusted output of the program]\nfitting\nfitting"
    assert "def custom_fit" in candidates[1].source
    assert candidates[1].note == "from own.py; lint of custom_fit: line 3: imports time: a law has no clock"
    power, memory, broken, opaque = references
    assert power.failure is None and power.translation == "" and power.x < -10
    assert power.source == (PROGRAMS / "power_numpy.py").read_text()
    assert power.layers["safe"] is True
    assert memory.failure is not None and memory.failure.reason == "guard"
    assert broken.failure is not None and broken.failure.reason == "parse"
    assert opaque.failure is None and "arctan" in opaque.translation
    assert [n for n, _ in scored] == [0, 3]
    assert [m for m, _ in jailed] == ["untrusted code runs in the jail"]
    assert front and complex_ones == [(0,)]
    roles = {line["name"]: line["role"] for line in done.json["comparison"]}
    assert roles["power_numpy.py"] == roles["opaque.py"] == "program"


def test_an_evaluation_of_the_engine_says_so() -> None:
    assert Evaluation().fitted_by == "engine"
    assert Evaluation().feedback == ""


def test_a_missing_module_is_named(table: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else found(name))
    done = sldagent("score", PROGRAMS / "ridge_sklearn.py", table, *COLUMNS, "--archive", archive)
    assert done.code == 2
    assert "imports sklearn, which is not installed" in done.err
