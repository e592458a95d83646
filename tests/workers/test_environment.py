"""Which variables count as secrets."""

from __future__ import annotations

import pytest

from sldagent.workers.environment import is_secret, worker_environment


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "CLIENT_SECRET",
     "DB_PASSWORD", "PGPASSWORD", "GOOGLE_APPLICATION_CREDENTIALS", "openai_apikey", "DATABASE_URL"],
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "NUMBA_CACHE_DIR", "KEYBOARD", "TMPDIR"])
def test_harmless_names(name: str) -> None:
    assert not is_secret(name, "some value")


def test_a_url_with_a_password_is_a_secret_whatever_its_name() -> None:
    assert is_secret("ARCHIVE", "postgresql://me:pw@host/db")
    assert not is_secret("HOMEPAGE", "https://example.org/a:b@c")


def test_environment_is_built_from_the_given_mapping() -> None:
    clean = worker_environment({"A": "1", "MY_TOKEN": "x", "MKL_NUM_THREADS": "9"})
    assert clean["A"] == "1"
    assert clean["MKL_NUM_THREADS"] == "1"
    assert "MY_TOKEN" not in clean
