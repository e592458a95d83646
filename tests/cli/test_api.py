"""The Python API: the same results as the command line, as objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
from cli_tools import write_table

import sldagent
from sldagent.errors import FitError, SldagentError


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pandas.DataFrame:
    return pandas.read_csv(write_table(tmp_path_factory.mktemp("api") / "runs.csv", groups=2))


def test_names_load_on_first_use() -> None:
    assert set(sldagent.__all__) <= set(dir(sldagent))
    with pytest.raises(AttributeError, match="nothing"):
        _ = sldagent.nothing  # type: ignore[attr-defined]


def test_discover_returns_an_object_that_predicts_and_exports(frame: pandas.DataFrame, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    found = sldagent.discover(
        frame, target="loss", variables=["N", "D"], group="family", split_column="split", candidates=30, workers=1, seed=1,
        archive=url,
    )  # fmt: skip
    assert found.candidates == 30
    assert found.shortlist[0] is found.choice
    predicted = found.predict(frame)
    assert predicted.shape == (len(frame),)
    train = (frame["split"] == "train").to_numpy()
    residual = predicted[train] - frame["loss"].to_numpy()[train]
    assert np.std(residual) < 0.2 * frame["loss"].std()
    assert "def predict" in found.export(tmp_path / "law.py").read_text()
    assert "Choice: " in found.report
    assert found.run in repr(found)
    assert "<table>" in found._repr_html_()
    with sldagent.open_archive(url) as archive:
        assert archive.run(found.run).choice is not None


def test_fit_gives_constants_with_errors(frame: pandas.DataFrame) -> None:
    fitted = sldagent.fit(
        frame, "E + A*N**-a + B*D**-b", target="loss", variables=["N", "D"], group="family", split_column="split"
    )
    assert fitted.parameters["E"].shape == (2,)
    assert fitted.parameters["E"][1] - fitted.parameters["E"][0] == pytest.approx(0.2, abs=0.05)
    assert fitted.standard_errors is not None
    assert (fitted.standard_errors["E"] < 0.1).all()
    assert fitted.r2 is not None
    assert fitted.r2 > 0.999
    assert "E + A*N**-a" in repr(fitted)
    test = frame[frame["split"] == "test"]
    assert np.allclose(fitted.predict(test), test["loss"], rtol=0.05)


def test_a_group_that_the_law_does_not_know_is_refused(frame: pandas.DataFrame) -> None:
    fitted = sldagent.fit(frame, "power_floor", target="loss", variables=["N"], group="family", split_column="split")
    with pytest.raises(FitError, match="'g9'"):
        fitted.predict(frame.head(3).assign(family="g9"))


def test_fit_of_all_targets_of_a_mixture() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([2, 2, 2], size=40)
    frame = pandas.DataFrame(shares, columns=["r1", "r2", "r3"])
    for k in range(2):
        frame[f"loss{k}"] = 1.0 + k + 0.5 * np.exp(-2.0 * frame[f"r{k + 1}"])
    fitted = sldagent.fit(
        frame, "mixing", target=["loss0", "loss1"], variables=["r1:proportion", "r2:proportion", "r3:proportion"]
    )
    predicted = fitted.predict(frame)
    assert predicted.shape == (40, 2)
    assert np.allclose(predicted, frame[["loss0", "loss1"]], atol=0.02)


def test_mistakes_are_sldagent_errors(frame: pandas.DataFrame) -> None:
    with pytest.raises(SldagentError, match="lost"):
        sldagent.fit(frame, "power_floor", target="lost")
    with pytest.raises(SldagentError, match="loss"):
        sldagent.fit(frame, "power_floor", target="loss", variables=["N"], loss="cubic")


def test_what_is_no_table_is_named() -> None:
    with pytest.raises(SldagentError, match="not a list"):
        sldagent.fit([1, 2], "power", target="loss")  # type: ignore[arg-type]


def test_export_leaves_no_half_written_file(frame: pandas.DataFrame, tmp_path: Path) -> None:
    fitted = sldagent.fit(frame, "power_floor", target="loss", variables=["N"])
    with pytest.raises(SldagentError, match="cannot write"):
        fitted.export(tmp_path / "no" / "law.py")
    fitted.export(tmp_path / "law.py")
    assert [p.name for p in tmp_path.iterdir()] == ["law.py"]


def test_load_task_is_what_the_verbs_use() -> None:
    task = sldagent.load_task("tiny_lm")
    assert task.symbols == ("N", "D")
