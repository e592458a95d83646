"""Fetch the SLDBench tables by name and keep them in the user's cache folder."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from sldagent.errors import TableError

DATASET = "pkuHaowei/sldbench"
PUBLIC_ENDPOINT = "https://huggingface.co"
"""Used unless the environment variable HF_ENDPOINT names another base address."""
SPLITS = ("train", "test")
TIMEOUT = 30.0
"""Seconds without an answer after which a request is given up."""
MAX_BYTES = 64 * 2**20


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/sldagent``, by default ``~/.cache/sldagent``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "sldagent"


def fetch(config: str, *, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """Path of one SLDBench task as one Parquet file with a ``split`` column, fetched on first use.

    Raises TableError, in one sentence that tells to pass --data, where the dataset cannot be reached or
    understood.
    """
    folder = (cache or cache_folder()) / "sldbench"
    path = folder / f"{config}.parquet"
    if path.is_file():
        return path
    base = (endpoint or os.environ.get("HF_ENDPOINT") or PUBLIC_ENDPOINT).rstrip("/")
    try:
        shards = {split: [_get(url) for url in _listing(base, config, split)] for split in SPLITS}
        _store(shards, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise TableError(
            f"the table '{config}' cannot be fetched from the dataset {DATASET} at {base} ({reason}): "
            "pass a folder that holds the tables with --data"
        ) from error
    return path


def _listing(base: str, config: str, split: str) -> list[str]:
    """Addresses of a split's Parquet files; an empty list where the dataset has no such split."""
    address = f"{base}/api/datasets/{DATASET}/parquet/{urllib.parse.quote(config)}/{split}"
    try:
        answer: Any = json.loads(_get(address))
    except urllib.error.HTTPError as error:
        if error.code == 404 and split != SPLITS[0]:
            return []
        raise
    if not isinstance(answer, list) or not all(isinstance(u, str) for u in answer):
        raise ValueError("its list of files is not understood")
    if not answer and split == SPLITS[0]:
        raise ValueError("it lists no training rows")
    return [urllib.parse.urljoin(address, u) for u in answer]


def _get(url: str) -> bytes:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"it names an address that is not http: {url}")
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        body: bytes = response.read(MAX_BYTES + 1)
        length = response.headers.get("Content-Length")
    if len(body) > MAX_BYTES:
        raise ValueError(f"a file is larger than {MAX_BYTES // 2**20} MiB")
    if length is not None and int(length) != len(body):
        raise ValueError("a file arrived cut short")
    return body


def _store(shards: dict[str, list[bytes]], path: Path) -> None:
    """Join the shards, mark each row's split, and write the file whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    try:
        parts = []
        for split, bodies in shards.items():
            for body in bodies:
                part = pyarrow.parquet.read_table(pyarrow.BufferReader(body))
                if "split" in part.column_names:
                    part = part.drop_columns(["split"])
                parts.append(
                    part.append_column("split", pyarrow.array([split] * part.num_rows, pyarrow.string()))
                )
        table = pyarrow.concat_tables(parts, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise ValueError(f"a file is not readable Parquet: {str(error).splitlines()[0]}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        pyarrow.parquet.write_table(table, name)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
