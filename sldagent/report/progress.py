"""What `discover` shows while it works: a live panel on a terminal, a plain line every ten seconds otherwise.

Both observe the run (`sldagent.evolution.observer.Observer`) and write to standard error, never to standard output.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TextIO

from sldagent.archive.records import CandidateRecord
from sldagent.evolution.observer import Event
from sldagent.evolution.state import SearchState

if TYPE_CHECKING:
    from rich.console import RenderableType

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""
SHOWN_EVENTS = ("start", "model", "stop")
"""Events that get a plain line of their own."""


def status(state: SearchState, elapsed: float) -> dict[str, str]:
    """The figures shown, by label, in the order shown."""
    best = state.best
    config = state.config
    figures = {
        "candidates": str(state.committed),
        "best X": "-" if best is None else f"{best.x:.3f} at C {best.complexity:g}",
        "front": str(len(state.front)),
    }
    if state.failures:
        figures["not used"] = ", ".join(f"{n} {reason}" for reason, n in state.failures.most_common(4))
    if config.candidates is not None:
        figures["candidates"] += f" of {config.candidates}"
    if config.minutes is not None:
        left = max(0.0, 60.0 * config.minutes - elapsed)
        figures["time left"] = f"{left // 60:.0f}:{left % 60:02.0f}" if left < 6000 else f"{left / 3600:.1f} h"
    return figures


class PlainProgress:
    """A line every `PLAIN_EVERY` seconds, and one for each event that matters."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._last = self._start

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        self.on_wait(state)

    def on_event(self, event: Event) -> None:
        if event.kind == "start":
            self._start = self._last = self._clock()
        if event.kind in SHOWN_EVENTS:
            print(event.message, file=self._stream, flush=True)

    def on_wait(self, state: SearchState) -> None:
        now = self._clock()
        if now - self._last >= PLAIN_EVERY:
            self._last = now
            figures = status(state, now - self._start)
            line = "; ".join(f"{label} {value}" for label, value in figures.items())
            print(f"{now - self._start:6.0f} s  {line}", file=self._stream, flush=True)


class LiveProgress:
    """A panel that is redrawn four times a second; a context manager."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.live import Live

        self._clock = clock
        self._start = clock()
        self._drawn = 0.0
        self._formula = ""
        self._event = ""
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        if state.best is not None and state.best.k == record.k:
            self._formula = record.formula
        self.on_wait(state)

    def on_event(self, event: Event) -> None:
        if event.kind == "start":
            self._start = self._clock()
        self._event = event.message

    def on_wait(self, state: SearchState) -> None:
        now = self._clock()
        if now - self._drawn >= 0.25:
            self._drawn = now
            self._live.update(self._panel(status(state, now - self._start)), refresh=True)

    def _panel(self, figures: dict[str, str]) -> RenderableType:
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        shown = {**figures, "lowest X": self._formula, "last": self._event}
        for label, value in shown.items():
            if value:
                grid.add_row(Text(label, style="bold"), Text(value, overflow="ellipsis", no_wrap=True))
        return Panel(grid, title="discovering (Ctrl-C ends with the front so far)", title_align="left")


def progress(stream: TextIO) -> AbstractContextManager[PlainProgress | LiveProgress]:
    """The display that suits the stream, as a context manager."""
    return LiveProgress(stream) if stream.isatty() else nullcontext(PlainProgress(stream))
