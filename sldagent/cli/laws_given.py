"""LAW arguments: a candidate's id, a run's id (its choice, or with --blend its short list) or an exported JSON file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sldagent.cli.options import data_folder, open_archive

if TYPE_CHECKING:
    import pandas

    from sldagent.blend import Blend
    from sldagent.fitted import Fitted

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


def resolve_law(args: argparse.Namespace, text: str) -> Fitted:
    """The law; the archive is opened only where the text is not a file."""
    from sldagent.fitted import is_file, resolve

    if is_file(text):
        return resolve(text, None)
    with open_archive(args) as archive:
        return resolve(text, archive)


def resolve_blend(args: argparse.Namespace, text: str) -> Blend:
    """The blend of a run; the archive is opened only where the text is not a file.

    Raises ConfigError for a file or the id of one law, ArchiveError for an unknown run or one without a short list.
    """
    from sldagent.blend import blend_of
    from sldagent.fitted import is_file

    if is_file(text) or text.endswith(".py"):
        return blend_of(text, None)
    with open_archive(args) as archive:
        return blend_of(text, archive)


def add_blend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--blend",
        action="store_true",
        help="LAW is a run's id: instead of its choice take the mean of its short list, which is no law itself",
    )


def rows_argument(args: argparse.Namespace, text: str) -> str | pandas.DataFrame:
    """TABLE of a verb that applies a law: a path as it is, a built-in task's name as its table."""
    if Path(text).suffix.lower() in SUFFIXES or Path(text).exists():
        return text
    import pandas

    from sldagent.tasks.builtin import open_builtin

    _, rows = open_builtin(text, data_folder(args))
    return rows.source if Path(rows.source).is_file() else pandas.DataFrame(dict(rows.columns))


def original_table(given: str | pandas.DataFrame) -> pandas.DataFrame:
    """The table with its cells as they were written."""
    import pandas

    if not isinstance(given, str):
        return given
    path = Path(given)
    if path.suffix.lower() in (".parquet", ".pq"):
        return pandas.read_parquet(path)
    return pandas.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")
