"""The jails that programs need, by what the lint says they import."""

from __future__ import annotations

import importlib.util
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sldagent.foreign.lint import Lint, lint_custom_fit

if TYPE_CHECKING:
    from sldagent.sandbox import Jail, Jails
    from sldagent.sandbox.types import Mode


class ProgramJails:
    """Jails started when first asked for; travels to a worker process as its mode alone.

    `jail_for` and `jail_of` raise JailUnavailable where untrusted code cannot be run safely on this host.
    """

    def __init__(self, mode: Mode = "auto") -> None:
        self.mode: Mode = mode
        self._jails: Jails | None = None

    def jail_of(self, lint: Lint) -> Jail:
        """The jail that has loaded what the linted source may import."""
        from sldagent.sandbox import Jails

        if self._jails is None:
            self._jails = Jails(self.mode, parallel=1)
        return self._jails.get("jax" if "jax" in lint.modules else "numpy", sorted(lint.modules - {"jax"}))

    def jail_for(self, source: str) -> Jail:
        """The jail for the text of a ``custom_fit``."""
        return self.jail_of(lint_custom_fit(source))

    def close(self) -> None:
        if self._jails is not None:
            self._jails.close()
            self._jails = None

    def __getstate__(self) -> dict[str, Any]:
        return {"mode": self.mode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.mode, self._jails = state["mode"], None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def absent(lint: Lint) -> str:
    """Why a module that the program may use cannot be had, one sentence; '' where all are installed."""
    for name in sorted(lint.modules):
        if importlib.util.find_spec(name) is None:
            return f"the program imports {name}, which is not installed"
    return ""
