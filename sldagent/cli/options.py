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
    roles.add_argument("--group", metavar="G", help="column of groups that share the law's form, not its constants; or A,B")
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


def add_models(parser: argparse.ArgumentParser) -> None:
    """Language models, what they may spend and what they see."""
    models = parser.add_argument_group(
        "language models (none: the grammar alone proposes; keys come from the providers' usual environment variables)"
    )
    models.add_argument(
        "--llm", metavar="SPEC", action="append", default=[],
        help="openai:MODEL, anthropic:MODEL, litellm:PROVIDER/MODEL or local:MODEL@URL; may be repeated",
    )  # fmt: skip
    models.add_argument(
        "--llm-fallback", metavar="SPEC", action="append", default=[], help="asked where a model is down; may be repeated"
    )
    models.add_argument("--llm-share", metavar="P", type=share, help="share of candidates that models write (default: 0.5)")
    models.add_argument(
        "--llm-concurrency", metavar="N", type=positive_int,
        help="answers of one model waited for at once (default: 32, or 2 of a local server)",
    )  # fmt: skip
    models.add_argument(
        "--llm-extra", metavar="JSON", default="", help="further fields of every request, such as a reasoning effort"
    )
    models.add_argument("--budget-usd", metavar="USD", type=amount, help="most dollars to spend")
    models.add_argument("--max-calls", metavar="N", type=seed_int, help="most requests to send")
    models.add_argument("--max-tokens", metavar="N", type=seed_int, help="most tokens of requests and answers together")
    models.add_argument(
        "--price", metavar="KIND:MODEL=IN/OUT", action="append", default=[],
        help="dollars per million tokens (and /CACHED/WRITTEN where those differ); may be repeated",
    )  # fmt: skip
    models.add_argument("--answer-tokens", metavar="N", type=positive_int, help="most tokens of one answer (default: 4096)")
    models.add_argument("--prompt-tokens", metavar="N", type=positive_int, help="most tokens of one prompt (default: 6000)")
    models.add_argument("--blind-names", action="store_true", help="models see x1, x2, ... in place of the table's names")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_models` was given, as fields of the run's configuration."""
    given = {
        "llm": tuple(args.llm), "llm_fallbacks": tuple(args.llm_fallback), "llm_share": args.llm_share,
        "llm_concurrency": args.llm_concurrency,
        "llm_extra": args.llm_extra, "budget_usd": args.budget_usd, "max_calls": args.max_calls,
        "max_tokens": args.max_tokens, "prices": tuple(args.price), "answer_tokens": args.answer_tokens,
        "prompt_tokens": args.prompt_tokens, "blind_names": args.blind_names,
    }  # fmt: skip
    used = {name: value for name, value in given.items() if value not in (None, (), "", False)}
    if used and not args.llm:
        from sldagent.errors import ConfigError

        raise ConfigError("options about language models were given, but no model: name one with --llm")
    return used


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


def share(text: str) -> float:
    value = _number(text, float)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return float(value)


def amount(text: str) -> float:
    value = _number(text, float)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 up")
    return float(value)


def _number(text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def pairs_option(texts: list[str], option: str) -> list[tuple[str, str]]:
    """NAME=VALUE pairs of an option that may be repeated and hold several, with commas between.  Raises ConfigError."""
    from sldagent.errors import ConfigError

    out = []
    for part in (p for text in texts for p in text.split(",")):
        name, sign, value = part.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ConfigError(f"'{option} {part}' is not NAME=VALUE")
        out.append((name.strip(), value.strip()))
    return out


def number_option(text: str, option: str) -> float:
    """A finite number in an option's value.  Raises ConfigError."""
    from sldagent.errors import ConfigError

    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise ConfigError(f"'{text}' of {option} is not a number")
    return value


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
