"""Find the folders that ship with the package: task cards, measured tables, prompts, SQL.

An installed wheel holds them under ``sldagent/_shipped/``; an editable install or a checkout has them in the
repository root, beside the package.
"""

from __future__ import annotations

from pathlib import Path

from sldagent.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Path of a shipped folder or file such as ``experiments/tiny_lm``.

    Raises ConfigError where neither the installed package nor a repository around it has it.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        path = root / name
        if path.exists():
            return path
    raise ConfigError(
        f"the folder '{name}' that ships with sldagent is missing from this installation: reinstall it"
    )
