"""What `discover` prints for people, and how it shows progress."""

from __future__ import annotations

import io
from pathlib import Path

import pandas
import pytest
from cli_tools import sldagent, write_table

from sldagent.evolution.config import RunConfig
from sldagent.evolution.observer import Event
from sldagent.evolution.state import SearchState
from sldagent.report.progress import PlainProgress, progress, status

COLUMNS = ["--target", "loss", "--variables", "N:scale,D:scale", "--split-column", "split"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    wanted = folder / "wanted.csv"
    pandas.DataFrame({"N": [8e8, 4e8], "D": [1e10, 2e10]}).to_csv(wanted, index=False)
    table = write_table(folder / "runs.csv")
    words = ["discover", table, *COLUMNS, "--candidates", "20", "--workers", "1", "--at", wanted]
    ended = sldagent(*words, "--archive", f"sqlite:///{folder / 'a.db'}")
    assert ended.code == 0, ended.err
    return ended.out


@pytest.mark.parametrize(
    "words",
    [
        "Data: runs, 25 training rows (5 more are kept out of the search by column 'split')",
        "N: scale, 1e+05 to 8.1e+06",
        "Cuts (targeted",
        "Choice: runs-",
        "loss = ",
        "plain power law",
        "persistence",
        "(chinchilla)",
        "Pareto front",
        "10 times beyond the data: N = 8.1e+07",
        "exponent",
        "interval: 90 %",
        "Archive: ",
        "Next: sldagent export runs-",
    ],
)
def test_the_report_says(printed: str, words: str) -> None:
    assert words in printed


def test_the_reach_line_sets_what_was_asked_beside_what_was_tested(printed: str) -> None:
    (line,) = [line for line in printed.splitlines() if line.startswith("Reach: ") and "in N" in line]
    assert "asked 98.8x beyond the data in N" in line
    assert "cut tested" in line
    assert "beyond the rows kept, towards the wanted rows" in printed


def test_persistence_is_the_worst_of_the_table(printed: str) -> None:
    rows = {line.split("  ")[0] + line[12:40].strip(): line for line in printed.splitlines()}
    chosen = next(line for name, line in rows.items() if name.startswith("choice"))
    last = next(line for line in rows.values() if "persistence" in line)
    assert figure_of_extrapolation(last) > 3 * figure_of_extrapolation(chosen)


def figure_of_extrapolation(line: str) -> float:
    return float(line.split()[-1])


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_progress_writes_a_line_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    observer = PlainProgress(stream, clock)
    state = SearchState(RunConfig(minutes=2.0, workers=1))
    clock.now = 100.0
    observer.on_event(Event("start", 0, "run a-1 on table"))
    for _ in range(25):
        clock.now += 1.0
        observer.on_wait(state)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "run a-1 on table"
    assert len(lines) == 3
    assert "time left 1:50" in lines[1]


def test_the_status_counts_failures_and_bounds() -> None:
    state = SearchState(RunConfig(candidates=50, workers=1))
    state.failures.update({"duplicate": 3, "non-finite": 1})
    figures = status(state, 1.0)
    assert figures["candidates"] == "0 of 50"
    assert figures["not used"] == "3 duplicate, 1 non-finite"
    assert "time left" not in figures


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_live_panel() -> None:
    stream = Terminal()
    with progress(stream) as observer:
        observer.on_event(Event("start", 0, "run a-1"))
        observer._drawn = -1.0  # type: ignore[union-attr]
        observer.on_wait(SearchState(RunConfig(minutes=1.0, workers=1)))
    assert "candidates" in stream.getvalue()


def test_the_readme_example_names_no_machine_path() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert str(Path.home()) not in readme
