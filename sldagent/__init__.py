"""sldagent discovers scaling laws from a table of experiments.

The names below load on first use, so that ``import sldagent`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sldagent.api import Discovery, Fitted, discover, fit, load_task, open_archive, resume
    from sldagent.planning.public import plan

__all__ = ["Discovery", "Fitted", "__version__", "discover", "fit", "load_task", "open_archive", "plan", "resume"]


def __getattr__(name: str) -> Any:
    if name == "plan":
        from sldagent.planning.public import plan

        return plan
    if name in __all__:
        from sldagent import api

        return getattr(api, name)
    raise AttributeError(f"module 'sldagent' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
