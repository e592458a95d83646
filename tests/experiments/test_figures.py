"""Figures of a benchmark: where laws are drawn, which seed is drawn, and files from a tiny run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.sldbench import figures
from experiments.sldbench.curves import representative
from sldagent.bench.results import Result, Scored, Settings
from sldagent.bench.suite import run_suite
from sldagent.evaluation.evaluate import Evaluator
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Program
from sldagent.report.figures.slices import BEYOND, axis_of, slices_of
from sldagent.session import prepare
from sldagent.tasks.load import load_task
from sldagent.uncertainty.bootstrap import refits

BUDGET = Settings(None, 30, 1)


def grid(path: Path, *, groups: int = 1, noise: float = 0.002) -> Path:
    """loss over N and D; the two largest D are test rows."""
    rng = np.random.default_rng(0)
    lines = ["family,N,D,split,loss"]
    for g in range(groups):
        for n in np.geomspace(1e6, 1e9, 6):
            for d in np.geomspace(1e8, 1e10, 7):
                loss = (1.5 + 0.3 * g + 300 * n**-0.3 + 800 * d**-0.35) * np.exp(noise * rng.normal())
                lines.append(f"f{g:02d},{n:.6g},{d:.6g},{'test' if d > 4e9 else 'train'},{loss:.6f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def mixture(path: Path) -> Path:
    """Two losses against three shares, without test rows; its card names the law of mixtures."""
    rng = np.random.default_rng(2)
    lines = ["a,b,c,first,second"]
    for a, b, c in rng.dirichlet([2.0, 2.0, 2.0], 40).round(4):
        c = round(1.0 - a - b, 4)
        lines.append(f"{a},{b},{c},{2 + np.exp(-3 * a):.6f},{1 + 0.5 * np.exp(-2 * b):.6f}")
    path.write_text("\n".join(lines) + "\n")
    card = path.with_suffix(".toml")
    roles = "".join(f'[variables.{s}]\nrole = "proportion"\n' for s in "abc")
    card.write_text(
        f'table = "{path.name}"\nhuman = "mixing"\n[vectors]\nr = ["a", "b", "c"]\n{roles}'
        "[targets.first]\n[targets.second]\n"
    )
    return card


def result(seed: int, r2: float | None, *, x: float = 0.0, tested: int = 4, settings: Settings = BUDGET) -> Result:
    law = Scored("l", "f", x, 1.0, 0.0, r2, 0.0)
    return Result("t", seed, "blind", settings, 10, 0, 1.0, 1.0, tested, law, (law,))


def test_axis_is_the_variable_that_test_rows_extend(tmp_path: Path) -> None:
    task = load_task(grid(tmp_path / "g.csv"))
    assert task.symbols[axis_of(task) or 0] == "D"
    swapped = replace(task, split=np.where(task.X[:, 0] > 1e8, "test", "train"))
    assert axis_of(swapped) == 0
    assert axis_of(load_task(mixture(tmp_path / "m.csv"))) is None


def test_a_variable_that_another_one_bounds_is_no_axis(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    rows = [(u, t) for u in (1e6, 1e7, 1e8, 1e9) for t in (1e9, 2e9, 4e9)]
    path.write_text("unique,tokens,loss\n" + "".join(f"{u:g},{t:g},{1 + u**-0.2 + t**-0.1:.6f}\n" for u, t in rows))
    task = load_task(path, variables="unique:scale,tokens:scale")
    assert task.symbols[axis_of(task) or 0] == "tokens"


def test_slices_fix_everything_but_the_axis(tmp_path: Path) -> None:
    task = load_task(grid(tmp_path / "g.csv", groups=2))
    axis = axis_of(task)
    assert axis is not None
    panels = slices_of(task, axis, [0, 1])
    assert 2 <= len(panels) <= 9
    assert {p.group for p in panels} == {0, 1}
    for p in panels:
        other = 1 - axis
        assert np.ptp(task.X[p.rows, other]) == 0
        assert (task.group[p.rows] == p.group).all()
        assert {"train", "test"} == set(task.split[p.rows].tolist())
        assert (p.X[:, other] == task.X[p.rows[0], other]).all()
        assert p.X[-1, axis] == pytest.approx(BEYOND * task.X[:, axis].max())


def test_at_most_nine_groups_are_shown(tmp_path: Path) -> None:
    task = load_task(grid(tmp_path / "g.csv", groups=14))
    panels = slices_of(task, axis_of(task) or 0, list(range(14)))
    shown = [p.group for p in panels]
    assert len(shown) == 9
    assert shown[0] == 0
    assert shown[-1] == 13


def test_the_median_seed_is_drawn() -> None:
    results = [result(0, 0.2), result(1, 0.9), result(2, 0.5), result(3, 0.99, settings=Settings(1.0, None, 1))]
    drawn = representative(results, "t", "blind")
    assert drawn is not None
    assert drawn.seed == 2
    assert representative(results, "t", "targeted") is None
    untested = [result(s, None, x=x, tested=0) for s, x in enumerate((-1.0, -3.0, -2.0))]
    by_x = representative(untested, "t", "blind")
    assert by_x is not None
    assert by_x.seed == 2


def test_refits_scatter_more_with_more_noise(tmp_path: Path) -> None:
    spreads = []
    for noise in (0.001, 0.03):
        grounds = prepare(load_task(grid(tmp_path / f"g{noise}.csv", noise=noise)))
        law = parse_formula("E + A*N**-a + B*D**-b", grounds.train.symbols, ())
        found = refits(Evaluator(grounds.train, grounds.cuts), Program(law), 12)
        assert len(found) >= 6
        spreads.append(float(np.std([float(np.ravel(p["E"])[0]) for p in found])))
    assert 0 < spreads[0] < spreads[1]


@pytest.mark.parametrize("kind", ["lines", "mixture"])
def test_a_tiny_run_is_drawn(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = grid(tmp_path / "g.csv", groups=2) if kind == "lines" else mixture(tmp_path / "g.csv")
    results, archive, out = tmp_path / "r.json", tmp_path / "a.db", tmp_path / "figures"
    run_suite([str(spec)], [0], BUDGET, f"sqlite:///{archive}", out=results)
    assert figures.main([str(archive), str(results), str(out), "--tables", str(spec), "--resamples", "4"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["g.png", "g_front.png"]
    from PIL import Image

    for path in out.iterdir():
        assert path.stat().st_size < 200_000
        picture = np.asarray(Image.open(path))
        blue = (np.abs(picture.astype(int) - (0x00, 0x72, 0xB2)).max(axis=2) < 8).sum()
        assert blue > 20, f"{path.name} does not show the choice"
    assert "g_front.png" in capsys.readouterr().out


def test_results_without_their_archive_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, results = grid(tmp_path / "g.csv"), tmp_path / "r.json"
    run_suite([str(spec)], [0], replace(BUDGET, candidates=4), f"sqlite:///{tmp_path / 'a.db'}", out=results)
    assert figures.main([str(tmp_path / "none.db"), str(results), str(tmp_path / "f"), "--tables", str(spec)]) == 2
    assert "none.db" in capsys.readouterr().err
