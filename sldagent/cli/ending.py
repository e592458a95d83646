"""How ``discover`` and ``resume`` end: the report of a complete run, or the way to go on with a stopped one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sldagent.cli import output

if TYPE_CHECKING:
    from sldagent.archive.store import Archive
    from sldagent.session import Outcome

STOPPED = 3
"""Exit code of a run that was ended before its bounds."""


def show_outcome(outcome: Outcome, archive: Archive, args: argparse.Namespace) -> int:
    """Print what came out; the exit code.

    The report of a stopped run would take longer than a user who pressed Ctrl-C waits, so it is left for later.
    """
    from sldagent.report.build import build_report
    from sldagent.report.status import run_status, status_text
    from sldagent.report.text import closing

    summary = outcome.summary
    if summary.status == "complete":
        report = build_report(outcome, archive)
        if args.json:
            output.print_json(report.document())
        else:
            output.show(*closing(report))
        return 0
    status = run_status(archive, summary.run)
    if args.json:
        output.print_json(status.document())
    else:
        output.show(*status_text(status))
        if summary.trouble:
            output.show(f"Paused, because no language model can be asked: {summary.trouble}")
    return STOPPED
