"""Users' mistakes: one sentence on standard error, exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import Found, sldagent, write_table

from sldagent.archive.migrate import VERSION_TABLE

HEADER = "split,N,D,loss\n"
GOOD = "".join(f"train,{n},{d},{2 + 100 / n + 50 / d}\n" for n in (10, 20, 40, 80) for d in (100, 200, 400, 800))
COLUMNS = ["--target", "loss", "--variables", "N:scale,D:scale"]


def refused(*words: object) -> str:
    """Standard error of a command that must end with one sentence and code 2."""
    ended = sldagent(*words)
    assert ended.code == 2, (ended.code, ended.out, ended.err)
    assert ended.out == ""
    lines = [line for line in ended.err.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("sldagent: error: ")
    assert "Traceback" not in ended.err
    return lines[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["table.csv"]),
        (HEADER, ["table.csv", "rows"]),
        (HEADER + "train,10,100,3.0\n", ["row"]),
        (HEADER + GOOD + "train,10,many,3.0\n", ["line 18", "'D'", "many"]),
        (HEADER + GOOD + "train,10,,3.0\n", ["line 18", "'D'"]),
        (HEADER + GOOD + "train,10,100,inf\n", ["line 18", "'loss'"]),
        (HEADER + GOOD + "train,-10,100,3.0\n", ["line 18", "'N'"]),
        (HEADER + GOOD.replace("train,20", "train,10").replace("train,40", "train,10").replace("train,80", "train,10"),
         ["'N'"]),
        (HEADER + GOOD.replace("train", "test"), ["train"]),
    ],
    ids=["empty", "header only", "one row", "text", "missing", "inf", "negative", "constant", "no train rows"],
)  # fmt: skip
def test_a_bad_table_is_one_sentence(tmp_path: Path, text: str, words: list[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    archive = tmp_path / "a.db"
    message = refused("discover", table, *COLUMNS, "--split-column", "split", "--candidates", "5", "--archive",
                      f"sqlite:///{archive}")  # fmt: skip
    for word in words:
        assert word in message


def test_a_misspelt_column_gets_a_suggestion(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    assert "'loss'" in refused("fit", table, "--law", "power", "--target", "los")


@pytest.mark.parametrize(
    ("law", "word"),
    [("chinchila", "chinchilla"), ("E + A*N**-a +", "line 1"), ("E + __import__('os')", "line 1"), ("E + Q[3]", "line 1"),
     ("nothing.py", "nothing.py"), ("E + A*n**-a", "no variable"), ("1 + 2", "no variable")],
)  # fmt: skip
def test_a_bad_law_is_one_sentence(tmp_path: Path, law: str, word: str) -> None:
    table = write_table(tmp_path / "table.csv")
    assert word in refused("fit", table, "--law", law, *COLUMNS)


def test_a_law_whose_variables_the_table_lacks_names_them(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    assert "--variables" in refused("fit", table, "--law", "mixing", *COLUMNS)


@pytest.mark.parametrize("loss", ["hubris", "huber:-1", "huber:x", "mse:3"])
def test_a_bad_loss_is_one_sentence(tmp_path: Path, loss: str) -> None:
    table = write_table(tmp_path / "table.csv")
    assert loss in refused("fit", table, "--law", "power_floor", "--loss", loss, "--target", "loss", "--variables", "N")


def test_unknown_task_and_missing_file() -> None:
    assert "tiny_lm" in refused("fit", "tiny_ml", "--law", "power")
    assert "none.csv" in refused("fit", "none.csv", "--law", "power")


def test_archives_that_cannot_be_used(tmp_path: Path, found: Found) -> None:
    table = write_table(tmp_path / "table.csv")
    words = ["discover", table, *COLUMNS, "--candidates", "5", "--archive"]
    assert "folder" in refused(*words, f"sqlite:///{tmp_path / 'no' / 'a.db'}")
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, but long enough to be read as one" * 100)
    refused(*words, f"sqlite:///{broken}")
    assert broken.read_text().startswith("this is no database")
    refused("runs", "--archive", f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
    newer = tmp_path / "newer.db"
    newer.write_bytes(Path(found.archive.removeprefix("sqlite:///")).read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999_future'")
    assert "version" in refused("runs", "--archive", f"sqlite:///{newer}")


def test_unknown_runs_and_laws(found: Found, tmp_path: Path) -> None:
    where = ["--archive", found.archive]
    assert "nope" in refused("front", "nope", *where)
    assert found.run in refused("show", f"{found.run}-999", *where)
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert "other.json" in refused("show", other, *where)
    assert "missing.json" in refused("predict", "missing.json", found.table, *where)


def test_an_unknown_group_or_split_is_named(found: Found, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("family,N,D,loss,split\ng7,100000,1000000,3.0,test\n")
    where = ["--archive", found.archive]
    assert "'g7'" in refused("predict", found.run, table, *where)
    assert "'dev'" in refused("score", found.run, found.table, "--split", "dev", *where)
    table.write_text("family,N,loss\ng0,100000,3.0\n")
    assert "'D'" in refused("predict", found.run, table, *where)


def test_scoring_without_a_split_column_asks_for_all(found: Found, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("family,N,D,loss\ng0,100000,1000000,3.0\ng1,200000,1000000,2.9\n")
    where = ["--archive", found.archive]
    assert "--split all" in refused("score", found.run, table, *where)
    assert sldagent("score", found.run, table, "--split", "all", "--json", *where).json["rows"] == 2


@pytest.mark.parametrize(
    "words",
    [["discover", "t", "--minutes", "0"], ["discover", "t", "--candidates", "1.5"], ["discover", "t", "--workers", "-1"],
     ["discover", "t", "--seed", "x"], ["nonsense"], ["front"], ["export", "x", "--format", "pdf"], ["runs", "--jsn", "1"]],
)  # fmt: skip
def test_usage_errors_exit_with_two(words: list[str]) -> None:
    ended = sldagent(*words)
    assert ended.code == 2
    assert "usage: sldagent" in ended.err


def test_no_verb_prints_the_help_and_fails() -> None:
    ended = sldagent()
    assert ended.code == 2
    assert "discover" in ended.err


def test_an_output_that_cannot_be_written(found: Found, tmp_path: Path) -> None:
    message = refused("export", found.run, "-o", tmp_path / "no" / "law.py", "--archive", found.archive)
    assert "law.py" in message
    refused("predict", found.run, found.table, "-o", tmp_path / "no" / "out.csv", "--archive", found.archive)
    refused("predict", found.run, found.table, "-o", tmp_path / "no" / "out.parquet", "--archive", found.archive)


def test_an_output_that_is_a_folder_or_a_device(found: Found, tmp_path: Path) -> None:
    where = ["--archive", found.archive]
    assert "folder" in refused("predict", found.run, found.table, "-o", tmp_path, *where)
    assert "folder" in refused("export", found.run, "-o", ".", *where)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert sldagent("export", found.run, "-o", pipe, *where).code == 0
        assert b"def predict" in os.read(reader, 1 << 20)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_an_output_link_is_followed(found: Found, tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    link.symlink_to(real)
    assert sldagent("export", found.run, "-o", link, "--archive", found.archive).code == 0
    assert link.is_symlink()
    assert "def predict" in real.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.py", "real.py"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_sentence(found: Found) -> None:
    assert "No space left" in refused("export", found.run, "-o", "/dev/full", "--archive", found.archive)


def process(*words: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sldagent", *map(str, words)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_goes_away_is_no_error(found: Found) -> None:
    with process("sql", "SELECT a.k FROM candidate a, candidate b, candidate c", "--format", "csv", "--archive",
                 found.archive) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(60) == 141
        assert running.stderr.read() == ""


def test_an_interrupt_ends_discovery_with_what_was_found(tmp_path: Path) -> None:
    table, archive = write_table(tmp_path / "t.csv"), tmp_path / "a.db"
    words = ["discover", table, *COLUMNS, "--minutes", "5", "--workers", "1", "--archive", f"sqlite:///{archive}", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with process(*words, env=environment) as running:
        wait_for_candidates(archive)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 3, err
    assert json.loads(out)["status"] == "stopped"
    assert json.loads(out)["choice"] is not None
    runs = sldagent("runs", "--archive", f"sqlite:///{archive}", "--json").json["runs"]
    assert runs[0]["status"] == "stopped"
    assert runs[0]["choice"] is not None


def wait_for_candidates(archive: Path) -> None:
    for _ in range(600):
        time.sleep(0.2)
        if archive.exists():
            ended = sldagent("sql", "SELECT count(*) AS n FROM candidate", "--archive", f"sqlite:///{archive}", "--json")
            if ended.code == 0 and ended.json[0]["n"] >= 20:
                return
    raise AssertionError("no candidates came")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, sldagent, sldagent.cli.main as m\n"
        "m._parser(['--help'])\n"
        "heavy = {'numpy', 'pandas', 'sympy', 'numba', 'scipy', 'sqlalchemy', 'rich', 'jax', 'ray'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
