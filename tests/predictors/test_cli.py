"""The verb ``predictor`` and the published systems of ``bench``, from their words to their output."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from examples import BREAK, curve_points, sloth_table

from sldagent.cli.main import main
from sldagent.predictors.sloth.fitting import Settings
from sldagent.predictors.sloth.model import Sloth
from sldagent.predictors.sloth.pooled import PooledLaw


def call(*words: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    X, y = curve_points(BREAK.values)
    path = tmp_path / "curve.csv"
    pd.concat([X, y], axis=1).assign(split=["fit"] * 20 + ["later"] * 4).to_csv(path, index=False)
    return path


def test_fit_predict_evaluate(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.npz"
    code, out, err = call(
        "predictor", "bnsl", "fit", table, "--x", "samples", "--y", "loss", "--rows", "split=fit", "-o", model, "--json"
    )
    assert (code, err) == (0, "")
    fitted = json.loads(out)
    assert fitted["rows"] == 20
    assert fitted["fitted"]["c0"] == pytest.approx(0.15, rel=0.01)
    code, out, _ = call("predictor", "bnsl", "evaluate", model, table, "--rows", "split=later", "--json")
    assert code == 0 and json.loads(out)["RMSLE"] < 0.01
    code, out, _ = call("predictor", "bnsl", "predict", model, table)
    made = pd.read_csv(io.StringIO(out))
    assert code == 0 and list(made.columns) == ["samples", "loss", "split", "loss_predicted"]
    assert made["loss_predicted"].to_numpy() == pytest.approx(made["loss"].to_numpy(), rel=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("loss", 3, "oops"), ["line 5", "'loss'", "oops"]),
        (("samples", 2, -4), ["line 4", "'samples'", "-4"]),
        (("loss", 0, None), ["line 2", "'loss'"]),
    ],
)
def test_a_bad_cell_is_one_sentence(table: Path, tmp_path: Path, change: tuple[str, int, object], words: list[str]) -> None:
    frame = pd.read_csv(table).astype(object)
    column, row, value = change
    frame.loc[row, column] = value
    frame.to_csv(table, index=False)
    model = tmp_path / "m.npz"
    code, out, err = call("predictor", "bnsl", "fit", table, "--x", "samples", "--y", "loss", "-o", model)
    assert (code, out) == (2, "") and not model.exists()
    assert err.startswith("sldagent: error: ") and err.count("\n") == 1
    assert all(word in err for word in words)


FIT = ("fit", "{table}", "--x", "samples", "--y", "loss", "-o", "{model}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predictor", "bnsl", "fit", "{table}", "--x", "sample", "--y", "loss", "-o", "{model}"), "did you mean 'samples'"),
        (("predictor", "bnsl", *FIT, "--breaks", "many"), "n_breaks"),
        (("predictor", "bnsl", *FIT, "--rows", "split=x"), "fit, later"),
        (("predictor", "bnsl", "predict", "{table}", "{table}"), "not a predictor's file"),
        (("predictor", "m1", *FIT, "--figure", "f.png"), "no figure"),
        (("bench", "bnsl"), "--data"),
        (("bench", "bnsl", "--data", "{folder}"), "four_digit_addition.csv"),
        (("bench", "bnsl", "--data", "{folder}", "--minutes", "1"), "--minutes"),
        (("bench", "bnsl", "sloth", "--data", "{folder}"), "alone"),
        (("bench", "bnsl", "--data", "{folder}", "--tasks", "everything"), "addition, curves"),
        (("bench", "bnsl", "--data", "{folder}", "--seeds", "1"), "--seeds"),
        (("bench", "tiny_lm", "--figures", "{folder}"), "--figures"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.delenv("SLDAGENT_DATA", raising=False)
    places = {"table": table, "model": tmp_path / "m.npz", "folder": tmp_path}
    code, out, err = call(*(word.format(**places) for word in words))
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize("kind", ["sloth", "pooled"])
def test_a_new_family_is_said_and_gets_a_wide_range(tmp_path: Path, kind: str) -> None:
    X, Y = sloth_table()
    model, table = tmp_path / "m.npz", tmp_path / "models.csv"
    if kind == "sloth":
        pytest.importorskip("jax", reason="jax is not installed")
        Sloth(2, floors=(0.25,) * 4).fit(X, Y, settings=Settings(rates=(0.05,), steps=300)).save(model)
    else:
        PooledLaw().fit(X, Y).save(model)
    pd.concat([X.iloc[[0, 0]].assign(family=[X["family"].iloc[0], "zeta"])]).to_csv(table, index=False)
    code, out, err = call("predictor", kind, "predict", model, table)
    made = pd.read_csv(io.StringIO(out))
    assert code == 0 and err.startswith("sldagent: note: the family 'zeta' was not in training") and err.count("\n") == 1
    widths = (made["bench0_high"] - made["bench0_low"]).to_numpy()
    assert widths[1] > 1.5 * widths[0]
    code, out, err = call("predictor", kind, "predict", model, table, "--json")
    assert (code, err) == (0, "") and "zeta" in json.loads(out)["notes"][0]


@pytest.mark.requires("jax")
def test_compute_is_allocated_for_a_skill(tmp_path: Path) -> None:
    X, Y = sloth_table()
    model = tmp_path / "sloth.npz"
    Sloth(2, floors=(0.25,) * 4).fit(X, Y, settings=Settings(rates=(0.05,), steps=300)).save(model)
    ask = ("predictor", "sloth", "allocate", model, "--compute")
    code, out, err = call(*ask, 60, "--skill", 2, "--reach", "0.1,100", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert 6 * found["size"] * found["tokens"] == pytest.approx(60.0)
    assert {f"loading of bench{j}" for j in range(4)} <= set(found)
    mistakes = ((("--skill", 3), "there is no skill 3"), (("--reach", "small"), "two numbers"), (("--reach", "5"), "two"))
    for words, message in mistakes:
        code, out, err = call(*ask, 60, *words)
        assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    code, _, err = call(*ask, -1)
    assert code == 2 and "above 0" in err
