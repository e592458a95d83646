"""Exports for JAX and PyTorch: equal to the law, differentiable, single precision where asked."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from sldagent.export import check_document, export_law
from sldagent.laws.catalogue import find
from sldagent.laws.expr import Expr
from sldagent.laws.parse import parse_program
from tests.export.test_python import MIXTURE, SCALARS, TWO_GROUPS, load, program_of

POLYNOMIAL = """
def law(N, E, A, a):
    return E + A * N**-a + log(2) * tanh(0.5) + 2 / 3

parameters = {"E": positive(), "A": positive(), "a": positive()}
"""


@dataclass(frozen=True)
class Package:
    """An array package under test."""

    name: str
    double: Callable[[], contextlib.AbstractContextManager[Any]]
    """Double precision while it is entered."""
    gradient: Callable[[Any, float], float]
    """Derivative of a function of one number."""


def _jax() -> Package:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    return Package("jax", lambda: jax.enable_x64(True), lambda f, x: float(jax.grad(f)(x)))


def _torch() -> Package:
    torch = pytest.importorskip("torch", reason="torch is not installed")

    def gradient(f: Any, x: float) -> float:
        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        f(at).backward()
        return float(at.grad)

    return Package("torch", contextlib.nullcontext, gradient)


@pytest.fixture(scope="module", params=[_jax, _torch], ids=["jax", "torch"])
def package(request: pytest.FixtureRequest) -> Iterator[Package]:
    found = request.param()
    with found.double():
        yield found


@pytest.mark.parametrize("name", ["chinchilla", "bnsl3", "data_constrained_full", "clark_moe", "step_law", "logistic"])
def test_published_laws_match(exports: SimpleNamespace, package: Package, name: str) -> None:
    program = find(name).program
    symbols = program.law.variables
    document = exports.make(program, symbols=symbols)
    module = load(export_law(document, package.name))
    rows = np.random.default_rng(5).uniform(1, 1e4, (9, len(symbols)))
    expected = [exports.reference(program.law, document, dict(zip(symbols, row, strict=True)), 0, 0) for row in rows]
    np.testing.assert_allclose(np.asarray(module.predict(*rows.T)), expected, rtol=1e-12)


def test_several_targets_vectors_and_groups(exports: SimpleNamespace, package: Package) -> None:
    program = parse_program(MIXTURE)
    document = exports.make(
        program, symbols=("r1", "r2", "N"), vectors={"r": ("r1", "r2")}, targets=("web", "code"), groups=("S", "M", "L")
    )
    module = load(export_law(document, package.name))
    r1 = np.array([0.0, 0.25, 1.0])
    out = np.asarray(module.predict(r1, 1 - r1, 1e6, group=["S", "L", "M"]))
    assert out.shape == (3, 2)
    for row, g in enumerate((0, 2, 1)):
        at = {"r1": r1[row], "r2": 1 - r1[row], "N": 1e6}
        expected = [exports.reference(program.law, document, at, g, target) for target in (0, 1)]
        np.testing.assert_allclose(out[row], expected, rtol=1e-12)
    with pytest.raises(ValueError, match="pass group="):
        module.predict(0.5, 0.5, 1e6)


@settings(max_examples=25)
@given(SCALARS)
def test_random_laws_match(exports: SimpleNamespace, package: Package, expr: Expr) -> None:
    program = program_of(expr)
    document = exports.make(
        program, symbols=("N", "D", "r1", "r2"), vectors={"r": ("r1", "r2")}, targets=("u", "v"), groups=("g", "h")
    )
    law = check_document(document, "").law
    module = load(export_law(document, package.name))
    row = {"N": 1.7, "D": 4.2, "r1": 0.3, "r2": 0.7}
    for g, group in enumerate(("g", "h")):
        expected = [exports.reference(law, document, row, g, target) for target in (0, 1)]
        np.testing.assert_allclose(np.asarray(module.predict(**row, group=group)), expected, rtol=1e-9, atol=1e-300)


def test_constant_parts_are_numbers_of_the_package(exports: SimpleNamespace, package: Package) -> None:
    program = parse_program(POLYNOMIAL)
    document = exports.make(program, symbols=("N",))
    module = load(export_law(document, package.name))
    expected = exports.reference(program.law, document, {"N": 3.0}, 0, 0)
    assert float(module.predict(3.0)) == pytest.approx(expected, rel=1e-12)


def test_gradients_pass(exports: SimpleNamespace, package: Package) -> None:
    document = exports.make(parse_program(TWO_GROUPS), symbols=("N", "D"), groups=("stack", "pile"))
    module = load(export_law(document, package.name))
    value = package.gradient(lambda n: module.predict(n, 2.0, group="pile"), 3.0)
    h = 1e-5
    ahead, behind = (float(module.predict(3.0 + s, 2.0, group="pile")) for s in (h, -h))
    assert value == pytest.approx((ahead - behind) / (2 * h), rel=1e-7)


def single(module: types.ModuleType, name: str) -> Any:
    """Predictions in single precision."""
    N = np.geomspace(1, 1e9, 6)
    if name == "torch":
        import torch

        module.DTYPE = torch.float32  # type: ignore[attr-defined]
        return module.predict(N, 2.0 * N, group="pile").numpy()
    import jax

    with jax.enable_x64(False):
        return np.asarray(jax.jit(lambda n: module.predict(n, 2.0 * n, group="pile"))(N.astype(np.float32)))


def test_single_precision(exports: SimpleNamespace, package: Package) -> None:
    document = exports.make(parse_program(TWO_GROUPS), symbols=("N", "D"), groups=("stack", "pile"))
    N = np.geomspace(1, 1e9, 6)
    expected = load(export_law(document, "python")).predict(N, 2.0 * N, group="pile")
    got = single(load(export_law(document, package.name)), package.name)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-6)
