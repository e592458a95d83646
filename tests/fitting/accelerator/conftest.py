"""JAX's tests run on its CPU device, and are skipped where it is not installed."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
collect_ignore_glob: list[str] = []


@pytest.fixture(autouse=True)
def _needs_jax():
    pytest.importorskip("jax", reason="the package jax is not installed")
