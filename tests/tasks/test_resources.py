from __future__ import annotations

import pytest

from sldagent import resources
from sldagent.errors import ConfigError


def test_a_checkout_finds_its_folders():
    assert (resources.shipped("experiments/sldbench/cards") / "moe.toml").is_file()


def test_an_installed_copy_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "sldagent"
    (package / "_shipped" / "prompts").mkdir(parents=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "archive").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.shipped("prompts") == package / "_shipped" / "prompts"
    assert resources.shipped("archive") == tmp_path / "archive"
    with pytest.raises(ConfigError, match="'docker' that ships with sldagent is missing"):
        resources.shipped("docker")
