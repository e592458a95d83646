"""PyTorch's random numbers as this package makes them, beside PyTorch's own."""

from __future__ import annotations

import pytest

from sldagent.predictors.sloth.start import TorchDraws

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.mark.parametrize("shapes", [((3, 2), (37, 2), (1, 6), (2, 6)), ((1, 1), (20, 1), (1, 1)), ((3, 1), (3, 1))])
def test_torch_agrees(shapes: tuple[tuple[int, ...], ...]) -> None:
    torch.manual_seed(7)
    draws = TorchDraws(7)
    for shape in shapes:
        assert draws.normal(*shape) == pytest.approx(torch.normal(0, 1, size=shape).numpy(), abs=1e-5)
    layer = torch.nn.Linear(10, 10)
    assert draws.uniform(10**-0.5, 10, 10) == pytest.approx(layer.weight.detach().numpy(), abs=1e-6)
