"""The choice of the engine, and fits by an engine that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sldagent.api import fit
from sldagent.errors import ConfigError, FitError
from sldagent.fitting.accelerator import devices
from sldagent.fitting.engines import CROSSOVER, engine_for, fit_many, fit_one, weighted
from sldagent.fitting.job import Job
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Recipe
from tests.fitting.helpers import make_task


def line(n: int = 12):
    x = np.linspace(1, 5, n)
    return make_task({"x": x}, 1 + 2 * x)


def job(sets: int = 1, recipe: Recipe | None = None) -> Job:
    task = line()
    law = compile_law(parse_formula("a + b*x", ["x"]), layout_of(task))
    return Job(law, Rows.of_task(task), recipe or Recipe(), np.random.default_rng(0), np.ones((sets, 1, 12)))


def with_accelerator(monkeypatch, found: bool):
    monkeypatch.setattr(devices, "accelerator_likely", lambda: True)
    platform = devices.Device("gpu" if found else "cpu", "a device", 1 << 30, 1 << 20)
    monkeypatch.setattr(devices, "device", lambda: platform)


def test_small_batches_stay_on_the_cpu(monkeypatch):
    with_accelerator(monkeypatch, True)
    assert engine_for([job()]) == "cpu"
    large = job(CROSSOVER // 12 + 1)
    assert large.work >= CROSSOVER
    assert engine_for([large]) == "jax"
    assert engine_for([large], "cpu") == "cpu"
    assert engine_for([job()], "jax") == "jax"


def test_without_an_accelerator_the_cpu_fits(monkeypatch):
    with_accelerator(monkeypatch, False)
    assert engine_for([job(CROSSOVER)]) == "cpu"
    assert engine_for([job(CROSSOVER)], "jax") == "jax"


def test_a_missing_package_is_a_sentence_with_the_way_out(monkeypatch):
    monkeypatch.setattr(devices, "installed", lambda: False)
    devices.device.cache_clear()
    try:
        assert engine_for([job(CROSSOVER)]) == "cpu"
        with pytest.raises(FitError, match=r"pip install 'sldagent\[jax\]'"):
            fit(line(), "a + b*x", engine="jax")
    finally:
        devices.device.cache_clear()


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="unknown engine 'tpu'"):
        fit(line(), "a + b*x", engine="tpu")


def test_own_fitting_code_is_not_run_by_jax(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        "def law(x, a, b):\n    return a + b*x\n\ndef custom_fit(X, y, group):\n    return {'a': 1.0, 'b': 2.0}\n"
    )
    with pytest.raises(ConfigError, match="own fitting code"):
        fit(line(), str(path), engine="jax")


def test_the_cpu_engine_takes_weights_too():
    half = np.ones((2, 1, 12))
    half[1, 0, 6:] = 0.0
    task = line()
    bent = replace(task, Y=np.where(task.X > 3.1, 0.0, task.Y))
    law = compile_law(parse_formula("a + b*x", ["x"]), layout_of(task))
    both = fit_many([Job(law, Rows.of_task(bent), Recipe(), np.random.default_rng(0), half)], "cpu")[0]
    assert both[1].parameters["b"][0] == pytest.approx(2.0) and both[0].parameters["b"][0] < 1.9
    assert weighted(Rows.of_task(bent), half[1]).n == 6


def test_refusals_are_raised_for_a_single_job():
    task = replace(line(), Y=-line().Y)
    law = compile_law(parse_formula("a + b*x", ["x"]), layout_of(task))
    with pytest.raises(FitError, match="positive targets"):
        fit_one(Job(law, Rows.of_task(task), Recipe(space="log"), np.random.default_rng(0)))


@pytest.mark.requires("jax")
def test_the_api_fits_on_jax():
    cpu, jax = (fit(line(), "a + b*x", engine=engine) for engine in ("cpu", "jax"))
    assert jax.parameters["b"][0] == pytest.approx(cpu.parameters["b"][0], rel=1e-10)
    assert jax.standard_errors["b"].shape == (1,)


def test_choosing_does_not_import_jax():
    import subprocess
    import sys

    code = "import sys; from sldagent.fitting import engines; from sldagent.api import fit; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
