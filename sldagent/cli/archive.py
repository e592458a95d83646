"""``sldagent archive upgrade|check|copy|backup|prune``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    upgrade = actions.add_parser("upgrade", help="bring an archive of an older version to this release's")
    check = actions.add_parser("check", help="look for orphans, gaps, wrong counts, fronts and hashes, unreadable blocks")
    check.add_argument("--quick", action="store_true", help="do not read every candidate's program and fitted values")
    copy = actions.add_parser("copy", help="copy a whole archive into a new one, SQLite or PostgreSQL, and verify it")
    copy.add_argument("source", metavar="SRC", help="address of the archive to copy")
    copy.add_argument("target", metavar="DST", help="address of a new or empty archive")
    backup = actions.add_parser("backup", help="copy the archive, in use or not, into one new SQLite file, and verify it")
    backup.add_argument("file", metavar="FILE", type=Path, help="the new file, an archive itself")
    prune = actions.add_parser("prune", help="let go of logs, prompts and attempts of old runs; figures stay")
    prune.add_argument("--keep", metavar="N", type=_count, required=True, help="leave the newest N runs as they are")
    prune.add_argument("--what", metavar="A,B", default="logs,prompts,attempts", help="default: logs,prompts,attempts")
    prune.add_argument("--dry-run", action="store_true", help="only say how many rows would go")
    for action in (upgrade, check, copy, backup, prune):
        add_common(action)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 up")
    return int(text)


def run(args: argparse.Namespace) -> int:
    code: int = {"upgrade": _upgrade, "check": _check, "copy": _copy, "backup": _backup, "prune": _prune}[args.action](args)
    return code


def _upgrade(args: argparse.Namespace) -> int:
    from sldagent.archive.migrate import upgrade

    before, after = upgrade(args.archive)
    if args.json:
        output.print_json({"before": before, "after": after})
    elif before == after:
        output.show(f"The archive has this release's version {after} already.")
    else:
        output.show(f"Upgraded the archive from version {before} to {after}.")
    return 0


def _check(args: argparse.Namespace) -> int:
    """0 where the archive is whole, 1 where not."""
    with open_archive(args) as archive:
        found = archive.check(contents=not args.quick)
        place = archive.place
    if args.json:
        output.print_json({"archive": place, "whole": not found, "findings": found})
    else:
        output.show(*found, f"{place}: {'whole' if not found else f'{len(found)} findings'}")
    return 1 if found else 0


def _copy(args: argparse.Namespace) -> int:
    from sldagent.archive.copying import copy

    return _copied(copy(args.source, args.target), args.json)


def _backup(args: argparse.Namespace) -> int:
    from sldagent.archive.copying import backup

    return _copied(backup(args.archive, args.file), args.json)


def _copied(rows: dict[str, int], as_json: bool) -> int:
    if as_json:
        output.print_json({"rows": rows, "verified": True})
    else:
        output.show(f"Copied and verified {sum(rows.values())} rows: {rows['run']} runs, {rows['candidate']} candidates.")
    return 0


def _prune(args: argparse.Namespace) -> int:
    kinds = [kind.strip() for kind in args.what.split(",") if kind.strip()]
    with open_archive(args, read_only=args.dry_run) as archive:
        gone = archive.prune(args.keep, kinds, dry_run=args.dry_run)
    if args.json:
        output.print_json({"dry_run": args.dry_run, "rows": gone})
    else:
        verb = "Would let go of" if args.dry_run else "Let go of"
        output.show(f"{verb} " + ", ".join(f"{count} {kind}" for kind, count in gone.items()) + "; figures stay.")
    return 0
