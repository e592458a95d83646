"""Options that several verbs share, and how their texts become values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sldagent.archive.store import Archive
    from sldagent.tasks.task import Task
    from sldagent.workers.place import Place

DEFAULT_ARCHIVE = "sqlite:///sldagent.db"


def add_common(parser: argparse.ArgumentParser) -> None:
    """``--archive`` and ``--json``, which every verb has."""
    parser.add_argument(
        "--archive", metavar="URL", default=DEFAULT_ARCHIVE, help=f"database of runs (default: {DEFAULT_ARCHIVE})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and only JSON, to standard output")


def add_roles(parser: argparse.ArgumentParser) -> None:
    """Options that say what a table's columns mean."""
    roles = parser.add_argument_group("columns (guessed, and printed, where not given)")
    roles.add_argument("--target", metavar="T[,T2]", help="column(s) to predict")
    roles.add_argument(
        "--variables",
        metavar="A,B",
        help="input columns, each with an optional role: N:scale,lr:setting,r1:proportion",
    )
    roles.add_argument("--group", metavar="G", help="column of groups that share the law's form, not its constants")
    roles.add_argument("--split-column", metavar="S", help="column of 'train' and 'test'; only 'train' rows are used")
    roles.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")


def given_roles(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say of the columns, by `sldagent.tasks.load.load_task`'s names."""
    return {
        "targets": args.target, "variables": args.variables, "group": args.group, "split_column": args.split_column,
    }  # fmt: skip


def refuse_roles(args: argparse.Namespace, why: str) -> None:
    """Refuse the options that say what columns mean, where they would do nothing."""
    from sldagent.errors import ConfigError

    for option in ("target", "variables", "group", "split_column"):
        if getattr(args, option) is not None:
            raise ConfigError(f"--{option.replace('_', '-')} is of no use here: {why}")


def add_jail(parser: argparse._ActionsContainer) -> None:
    """How untrusted code is kept in."""
    parser.add_argument(
        "--jail",
        choices=["auto", "no-namespaces", "docker", "unsafe-local"],
        default="auto",
        help="how untrusted code is kept in (default: auto, every layer that this host has; unsafe-local: not at all)",
    )


def add_place(parser: argparse._ActionsContainer, default: str = "one per core here") -> None:
    """Where candidates are evaluated, by how many (`default` in words)."""
    parser.add_argument("--workers", metavar="W", type=positive_int, help=f"processes or actors (default: {default})")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const="local",
        help="evaluate on a Ray cluster: HOST:PORT, ray://HOST:PORT or auto; alone: one started here for the run",
    )
    parser.add_argument(
        "--gpus-per-worker", metavar="G", type=positive_float, default=0.0, help="GPUs of every actor (with --ray)"
    )


def place_of(args: argparse.Namespace) -> Place:
    """The place that the options name."""
    from sldagent.workers.place import Place

    return Place(args.ray, args.gpus_per_worker)


def jail_warning(layers: Mapping[str, Any]) -> list[str]:
    """What to say, loudly, where code ran without a safe jail; nothing otherwise."""
    if not layers or layers.get("safe"):
        return []
    return ["WARNING: the program's code was NOT isolated (--jail unsafe-local): it could read and change your files"]


def positive_float(text: str) -> float:
    value = _number(text, float)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return float(value)


def positive_int(text: str) -> int:
    value = _number(text, int)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(value)


def seed_int(text: str) -> int:
    value = _number(text, int)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 up")
    return int(value)


def _number(text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def load_task(args: argparse.Namespace, spec: str) -> Task:
    """The task that TABLE, CARD or NAME and the role options describe."""
    from sldagent.tasks.load import load_task as load

    return load(
        spec,
        data=data_folder(args),
        **given_roles(args),
        at=getattr(args, "at", None),
    )


def data_folder(args: argparse.Namespace) -> Path | None:
    """``--data``, else the environment's SLDAGENT_DATA, else None."""
    if args.data is not None:
        return Path(args.data)
    from_environment = os.environ.get("SLDAGENT_DATA")
    return Path(from_environment) if from_environment else None


def open_archive(args: argparse.Namespace, *, read_only: bool = True) -> Archive:
    from sldagent.archive.store import Archive

    return Archive.open(args.archive, read_only=read_only)


def open_existing(args: argparse.Namespace) -> Archive:
    """The archive, to be written; one that is not there is not made."""
    from sldagent.archive.store import Archive

    return Archive.open(args.archive, create=False)
