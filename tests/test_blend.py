"""The blend: its mean and spread by hand, what is not finite, and what is no run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.api import Discovery, as_task
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.blend import Blend, blend_of
from sldagent.errors import ArchiveError, ConfigError, FitError, TableError
from sldagent.evaluation.result import Evaluation
from sldagent.fitted import Fitted, from_fit
from sldagent.law_words import programs_for
from sldagent.laws.render import render_program
from sldagent.tasks.archived import task_card
from sldagent.tasks.task import Task

SIZES = np.array([10.0, 100.0, 1000.0, 1e4])
FRAME = pandas.DataFrame({"N": SIZES, "loss": 5 - np.log10(SIZES)})
RUN = "runs-abc123"


def task() -> Task:
    return as_task(FRAME, target="loss", variables=["N:scale"])


def law(formula: str, **constants: float) -> Fitted:
    program = programs_for(task(), formula)[0]
    parameters = {name: np.array([value]) for name, value in constants.items()}
    return from_fit(formula, task(), program, parameters, 0.0, 1.0)


def linear(a: float, b: float) -> Fitted:
    return law("a + b*N", a=a, b=b)


def broken() -> Fitted:
    """2 up to N = 100, infinite from N = 1000 on."""
    return law("a + exp(b*N - 1000)", a=2.0, b=5.0)


def test_the_mean_and_spread_are_those_by_hand() -> None:
    blend = Blend(RUN, (linear(1.0, 0.0), linear(0.0, 0.5), linear(4.0, 1.0)))
    predicted = blend.predict(FRAME)
    assert predicted == pytest.approx((1.0 + 0.5 * SIZES + 4.0 + SIZES) / 3, rel=1e-14)
    rows = blend.rows(FRAME)
    assert np.array_equal(blend.predict_rows(rows)[:, 0], predicted)
    assert blend.spread_rows(rows)[:, 0] == pytest.approx(4.0 + SIZES - np.minimum(1.0, 0.5 * SIZES), rel=1e-14)
    assert blend.notes(rows) == ()


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=3))
def test_the_blend_is_never_worse_than_its_laws_on_average(constants: list[tuple[float, float]]) -> None:
    laws = tuple(linear(a, b) for a, b in constants)
    rows = task()
    errors = [(each.predict_rows(rows) - rows.Y) ** 2 for each in laws]
    blended = (Blend(RUN, laws).predict_rows(rows) - rows.Y) ** 2
    assert (blended <= np.mean(errors, axis=0) * (1 + 1e-9) + 1e-9).all()


def test_a_prediction_that_is_not_finite_is_left_out_where_others_are() -> None:
    blend = Blend(RUN, (linear(4.0, 0.0), broken()))
    rows = blend.rows(FRAME)
    assert np.array_equal(blend.predict_rows(rows)[:, 0], [3.0, 3.0, 4.0, 4.0])
    assert np.array_equal(blend.spread_rows(rows)[:, 0], [2.0, 2.0, np.inf, np.inf])
    (note,) = blend.notes(rows)
    assert note.startswith(f"{blend.members[1]} has no finite prediction on 2 of 4 rows")


def test_where_no_law_is_finite_the_blend_is_not() -> None:
    blend = Blend(RUN, (broken(), law("a - exp(b*N - 1000)", a=2.0, b=5.0)))
    predicted = blend.predict(FRAME)
    assert np.array_equal(np.isfinite(predicted), [True, True, False, False])


def test_several_targets_keep_their_columns() -> None:
    frame = FRAME.assign(other=2 * FRAME["loss"])
    rows = as_task(frame, target=["loss", "other"], variables=["N:scale"])
    program = programs_for(rows, "a[i] + b*log(N)")[0]
    laws = tuple(
        from_fit("l", rows, program, {"a": np.array([[a, 10.0]]), "b": np.array([-1.0])}, 0.0, 1.0) for a in (1.0, 3.0)
    )
    predicted = Blend(RUN, laws).predict(frame)
    assert predicted == pytest.approx(np.column_stack([2.0 - np.log(SIZES), 10.0 - np.log(SIZES)]))
    assert np.array_equal(Blend(RUN, laws).spread_rows(rows), [[2.0, 0.0]] * 4)


def test_a_blend_of_one_law_is_that_law_and_says_so() -> None:
    only = linear(1.0, 2.0)
    blend = Blend(RUN, (only,))
    assert np.array_equal(blend.predict(FRAME), only.predict(FRAME))
    assert not blend.spread_rows(task()).any()
    (note,) = blend.notes(task())
    assert "one law" in note


def test_a_table_without_the_variable_is_refused() -> None:
    with pytest.raises(TableError, match="'N'"):
        Blend(RUN, (linear(1.0, 0.0),)).predict(FRAME.drop(columns="N"))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(f"sqlite:///{tmp_path / 'a.db'}") as store:
        yield store


def keep(archive: Archive, shortlist: tuple[int, ...], *, finish: bool = True) -> None:
    """A run of the constant laws 0, 1, 2 and 3."""
    archive.start_run(run=RUN, task="runs", seed=0, config={}, card=task_card(task()), mode="blind", islands=[{}])
    records = []
    for k in range(4):
        fitted = linear(float(k), 0.0)
        evaluation = Evaluation(x=0.0, complexity=1.0, tree=1, scalars=2, valid=True, parameters=dict(fitted.parameters))
        source = render_program(fitted.program)
        records.append(CandidateRecord(k, 0, "op", (), source, fitted.formula, f"s{k}", evaluation))
    archive.commit(RUN, records)
    if finish:
        choice = shortlist[0] if shortlist else None
        archive.finish_run(
            RUN, status="complete", choice=choice, shortlist=shortlist, reason="", candidates=4, failures=0, seconds=1.0
        )


@pytest.mark.parametrize("text", [RUN, "runs-a"])
def test_a_runs_blend_is_its_short_list_in_order(archive: Archive, text: str) -> None:
    keep(archive, (3, 0, 2))
    blend = blend_of(text, archive)
    assert (blend.run, blend.members) == (RUN, (f"{RUN}-3", f"{RUN}-0", f"{RUN}-2"))
    assert blend.predict(FRAME) == pytest.approx(5 / 3)
    assert all(each in repr(blend) for each in (RUN, *blend.members))


def test_the_blends_name_is_no_law_and_is_logged_beside_none(archive: Archive) -> None:
    keep(archive, (3, 0))
    name = blend_of(RUN, archive).name
    with pytest.raises(ArchiveError):
        archive.law(name)
    archive.log_scoring(name, "test", "t.csv", 4, {"r2": 0.5})
    assert archive.query("SELECT law, run, k FROM scoring")[1] == [(name, None, None)]


def test_one_law_is_no_run(archive: Archive) -> None:
    keep(archive, (3, 0))
    with pytest.raises(ConfigError, match=f"'{RUN}-1' is one law, .* give the run's id {RUN} with --blend"):
        blend_of(f"{RUN}-1", archive)


@pytest.mark.parametrize("text", ["law.json", "program.py"])
def test_a_file_is_no_run(archive: Archive, text: str) -> None:
    for opened in (archive, None):
        with pytest.raises(ConfigError, match=f"'{text}' is a file, "):
            blend_of(text, opened)


def test_an_unknown_run_is_named(archive: Archive) -> None:
    keep(archive, (3, 0))
    with pytest.raises(ArchiveError, match=f"no run 'runs-abc124'; did you mean {RUN}"):
        blend_of("runs-abc124", archive)


@pytest.mark.parametrize(("finish", "why"), [(True, "ended without one"), (False, "is not finished")])
def test_a_run_without_a_short_list_has_no_blend(archive: Archive, finish: bool, why: str) -> None:
    keep(archive, (), finish=finish)
    with pytest.raises(ArchiveError, match=f"{RUN} has no short list to blend: it {why}"):
        blend_of(RUN, archive)


def discovery(*laws: Fitted) -> Discovery:
    return Discovery(
        run=RUN, task="runs", choice=laws[0] if laws else None, shortlist=laws, front=(), reason="", candidates=1,
        failures={}, seconds=1.0, archive="", report="",
    )  # fmt: skip


def test_a_discovery_gives_its_blend() -> None:
    laws = linear(1.0, 0.0), linear(2.0, 0.0)
    blend = discovery(*laws).blend()
    assert (blend.run, blend.laws) == (RUN, laws)
    assert np.array_equal(blend.predict(FRAME), [1.5] * 4)
    with pytest.raises(FitError, match="recommends no law"):
        discovery().blend()
