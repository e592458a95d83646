"""``sldagent bench bnsl``: 4-digit addition, and the 92 learning curves of arXiv 2209.06640 in four domains.

Every curve is fitted to its rows with ``Training`` = 1 and measured by RMSLE on those with 0; no method sees the latter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.predictors import benchmark as frame
from sldagent.predictors.bnsl import fit as fitting
from sldagent.predictors.bnsl.blend import blend_curves, blended
from sldagent.predictors.bnsl.curves import M1, M2, M3, M4
from sldagent.predictors.bnsl.figure import draw
from sldagent.predictors.bnsl.local import fit_m2_local, fit_m4_local
from sldagent.predictors.bnsl.model import BNSL
from sldagent.tasks.read import read_table

FloatArray = NDArray[np.float64]
Values = list[Callable[[FloatArray], FloatArray]]

DOMAINS = {"IC": "image", "NMT": "NMT", "LM": "LM", "BB": "BIG-Bench"}
ASKED = {"IC": 0.0422, "NMT": 0.0111, "LM": 0.0008, "BB": 0.0164}
"""Largest mean RMSLE of BNSL by domain, given and compared with four decimals."""
PARTS = ("addition", "curves")
FILES = ("benchmark.vision.csv", "benchmark.lang.csv")
ADDITION = "four_digit_addition.csv"


@dataclass(frozen=True)
class Task:
    """One of the 92 curves."""

    domain: str
    name: str
    fitted: fitting.Curve
    held: fitting.Curve


def run(request: frame.Request) -> frame.Report:
    """The benchmark; see the module."""
    request.no_seeds("the fits of 'bench bnsl' start from fixed points")
    parts = request.chosen(PARTS)
    folder = request.folder("bnsl", *FILES, ADDITION)
    begun = frame.cpu_seconds()
    grids: list[frame.Grid] = []
    figures: list[frame.Figure] = []
    if "addition" in parts:
        figures += _addition(folder, request.figures)
    if "curves" in parts:
        errors, seconds = _errors(read_tasks(folder), request.note)
        grids += [_means(errors, seconds), _wins(errors)]
        figures += _figures(errors)
        figures.append(frame.at_most("92 curves, BNSL: seconds of processor time", seconds["BNSL"], 60.0))
    return frame.Report("bnsl", tuple(grids), tuple(figures), frame.cpu_seconds() - begun, {"parts": parts})


def read_tasks(folder: Path) -> list[Task]:
    """The curves of the benchmark; rows that are there twice count once."""
    tables = [pd.DataFrame(dict(read_table(folder / name).columns)) for name in FILES]
    rows = pd.concat(tables).drop_duplicates()
    out = []
    for (domain, task, model), part in rows.groupby(["Domain", "Task", "Model"], sort=True):
        train = part["Training"] == 1
        fitted, held = (
            fitting.curve(p["Seen Examples"].to_numpy(float), p["Loss"].to_numpy(float)) for p in (part[train], part[~train])
        )
        out.append(Task(str(domain), f"{task} {model}", fitted, held))
    return out


def fit_all(curves: list[fitting.Curve]) -> dict[str, Callable[[], Values]]:
    """By method, what fits it to all curves and returns one function of x for each."""

    def form(kind: type[M1] | type[M2] | type[M3] | type[M4]) -> Callable[[], Values]:
        return lambda: [partial(kind.values, constants) for constants in kind.fit_curves(curves)]

    return {
        "M1": form(M1),
        "M2": form(M2),
        "M3": form(M3),
        "M4": form(M4),
        "M2, local": lambda: [partial(M2.values, fit_m2_local(c.x, c.y)) for c in curves],
        "M4, local": lambda: [partial(M4.values, fit_m4_local(c.x, c.y)) for c in curves],
        "BNSL": lambda: [c.values for c in fitting.fit_breaks(curves, 1)],
        "BNSL, c0 = 0": lambda: [c.values for c in fitting.fit_breaks(curves, 1, first_slope=False)],
        "blend": lambda: [partial(blended, constants, weights) for constants, weights in blend_curves(curves)],
    }


def _errors(tasks: list[Task], note: Callable[[str], None]) -> tuple[pd.DataFrame, dict[str, float]]:
    """RMSLE (curves, methods) with the domain in column ``domain``, and processor seconds by method."""
    from sldagent.fitting.warm import warm

    warm()
    out: dict[str, list[Any]] = {"domain": [task.domain for task in tasks]}
    seconds: dict[str, float] = {}
    for name, fit in fit_all([task.fitted for task in tasks]).items():
        begun = frame.cpu_seconds()
        values = fit()
        seconds[name] = frame.cpu_seconds() - begun
        out[name] = [fitting.rmsle(t.held.y, v(t.held.x)) for t, v in zip(tasks, values, strict=True)]
        note(f"{name}: {len(tasks)} curves in {seconds[name]:.1f} s of processor time")
    return pd.DataFrame(out), seconds


def _means(errors: pd.DataFrame, seconds: dict[str, float]) -> frame.Grid:
    rows: list[tuple[str | float, ...]] = []
    for name, spent in seconds.items():
        means = [float(errors.loc[errors["domain"] == d, name].mean()) for d in DOMAINS]
        rows.append((name, *means, spent))
    counts = [int((errors["domain"] == d).sum()) for d in DOMAINS]
    columns = ("method", *(f"{t} ({n})" for t, n in zip(DOMAINS.values(), counts, strict=True)), "CPU s")
    note = (
        "Every method sees the rows with Training = 1 of its curve and nothing else; M1 to M4 at their global optimum; "
        "local: SciPy from the single start of their authors' code."
    )
    return frame.Grid("Mean RMSLE on the held-out rows", columns, tuple(rows), note)


def _wins(errors: pd.DataFrame) -> frame.Grid:
    """How often each form is best, against M1 to M4 at their global optimum and against M2 and M4 from the single start."""
    vision = (errors["domain"] == "IC").to_numpy()
    shares = []
    for local in ("", ", local"):
        rivals = ["M1", f"M2{local}", "M3", f"M4{local}", "BNSL"]
        best = errors[rivals].to_numpy().argmin(axis=1)
        shares += [best[vision], best[~vision]]
    forms = ("M1", "M2", "M3", "M4", "BNSL")
    rows: tuple[tuple[str | float, ...], ...] = tuple(
        (f, *(float((part == k).mean()) for part in shares)) for k, f in enumerate(forms)
    )
    columns = ("form", "vision", "language", "vision, local", "language, local")
    return frame.Grid("Share of curves on which each form is best", columns, rows, "local: M2 and M4 from the single start")


def _figures(errors: pd.DataFrame) -> list[frame.Figure]:
    bnsl, blend = ({d: float(errors.loc[errors["domain"] == d, m].mean()) for d in DOMAINS} for m in ("BNSL", "blend"))
    out = [frame.at_most(f"BNSL, {DOMAINS[d]}: mean RMSLE", round(bnsl[d], 4), ASKED[d]) for d in DOMAINS]
    for share, limit in zip(_wins(errors).rows[-1][1:3], (0.5, 0.75), strict=True):
        assert isinstance(share, float)
        out.append(frame.at_least(f"BNSL is best, share of {'vision' if limit == 0.5 else 'language'} curves", share, limit))
    for d, title in DOMAINS.items():
        out.append(frame.at_most(f"blend, {title}: below BNSL", blend[d], bnsl[d]))
    return out


def _addition(folder: Path, pictures: Path | None) -> list[frame.Figure]:
    """The 4-digit-addition curve, fitted and measured as by the authors."""
    table = pd.DataFrame(dict(read_table(folder / ADDITION).columns))
    fitted, held = table[table["split"] == "fit"], table[table["split"] != "fit"]
    model = BNSL(1, space="log1p").fit(fitted[["train_dataset_size"]], fitted["test_cross_entropy"])
    error = model.error(held[["train_dataset_size"]], held["test_cross_entropy"])
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        draw(model, table, pictures / "four_digit_addition.png")
    published = {"a": 0.4138845, "b": 2.2772723, "c0": 0.0550773, "c1": 5.6629038, "d1": 612.58362, "f1": 0.059193}
    out = [frame.within("4-digit addition: extrapolation RMSLE", error, 0.010916, 1e-5)]
    for name, value in published.items():
        out.append(frame.within(f"4-digit addition: {name}", model.constants_[name], value, 5e-6 * value))
    return out


BENCHMARK = run
