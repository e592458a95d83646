"""Jails by what their programs import: one zygote for each set of further modules, started when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from types import TracebackType
from typing import Self

from sldagent.sandbox.jail import Jail
from sldagent.sandbox.types import Limits, Mode, Profile


class Jails:
    """Keeps at most `most` jails; the one unused for longest is closed.

    Args:
        mode, limits, parallel: as of `Jail`, for every one.

    Raises:
        JailUnavailable: from `get`, where a jail cannot be had.
    """

    def __init__(
        self, mode: Mode = "auto", *, limits: Limits | None = None, parallel: int | None = None, most: int = 4
    ) -> None:
        self._mode: Mode = mode
        self._limits = limits
        self._parallel = parallel
        self._most = most
        self._lock = threading.Lock()
        self._jails: OrderedDict[tuple[Profile, frozenset[str]], Jail] = OrderedDict()

    def get(self, profile: Profile = "numpy", modules: Collection[str] = ()) -> Jail:
        """The jail of a profile and a set of modules."""
        key = profile, frozenset(modules)
        with self._lock:
            jail = self._jails.get(key)
            if jail is None:
                while len(self._jails) >= self._most:
                    self._jails.popitem(last=False)[1].close()
                jail = Jail(profile, modules=modules, mode=self._mode, limits=self._limits, parallel=self._parallel)
                self._jails[key] = jail
            self._jails.move_to_end(key)
            return jail

    def close(self) -> None:
        with self._lock:
            for jail in self._jails.values():
                jail.close()
            self._jails.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
