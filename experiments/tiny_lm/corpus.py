"""The byte corpus: the Python standard library's own source without its tests, hashed and pinned.

Run ``python experiments/tiny_lm/corpus.py`` to check the running interpreter's library against the pinned
hashes, and with ``--write`` to write the list of files anew.  Needs NumPy only.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "corpus_files.csv"
PYTHON = "3.11.7"
CONTEXT = 64
VALIDATION_BYTES = 524_288  # predicted bytes; the array holds one more, the last window's last target
TEST_FOLDERS = frozenset({"test", "tests", "idle_test"})
SKIPPED_FOLDERS = frozenset({"__pycache__", "site-packages", "dist-packages", "pydoc_data", "lib-dynload"})
SKIPPED_PREFIXES = ("config-", "_sysconfigdata")
PINNED: dict[str, str] = {
    "files": "23e860887bccc0c394637c8e9514fb1842da78d6851199d0e949393e104b7f9a",
    "train": "ee85d2fd79ea269a9a4bf96207cbd9f5a7e654db5bca47213a222d84092669e0",
    "validation": "e636e73d445e3b6394f85894fa0dcbbd5daaa71a7032ce5f70d6a01cd6941534",
}


@dataclass(frozen=True)
class SourceFile:
    """One kept file of the library."""

    path: str
    size: int
    sha256: str
    split: str


def _kept(relative: Path) -> bool:
    folders = set(relative.parts[:-1])
    if folders & (TEST_FOLDERS | SKIPPED_FOLDERS):
        return False
    return not any(part.startswith(SKIPPED_PREFIXES) for part in relative.parts)


def library_root() -> Path:
    """Return the running interpreter's standard library folder."""
    return Path(sysconfig.get_paths()["stdlib"])


def list_files(root: Path) -> list[SourceFile]:
    """List the library's distinct non-empty source files, each with its split.

    Of files with equal content the first path in sorted order stays.  Files are put in the order of the
    SHA-256 of their content; the first ones that together exceed `VALIDATION_BYTES` form the validation
    split, the others the training split, so no file is in both.
    """
    seen: dict[str, tuple[str, int]] = {}
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).as_posix()):
        relative = path.relative_to(root)
        if not _kept(relative):
            continue
        content = path.read_bytes()
        if content:
            seen.setdefault(hashlib.sha256(content).hexdigest(), (relative.as_posix(), len(content)))
    files: list[SourceFile] = []
    filled = 0
    for digest, (name, size) in sorted(seen.items()):
        split = "validation" if filled <= VALIDATION_BYTES else "train"
        filled += size
        files.append(SourceFile(name, size, digest, split))
    return files


def _join(root: Path, files: list[SourceFile], split: str) -> Bytes:
    parts = [(root / f.path).read_bytes() for f in files if f.split == split]
    return np.frombuffer(b"".join(parts), dtype=np.uint8)


def manifest_digest(files: list[SourceFile]) -> str:
    """Return the SHA-256 of the list of files: ``sha256  split  path`` lines in order."""
    lines = "".join(f"{f.sha256}  {f.split}  {f.path}\n" for f in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def load_corpus(root: Path | None = None, check: bool = True) -> tuple[Bytes, Bytes, dict[str, str]]:
    """Return the training bytes, the validation bytes and their hashes.

    Raises ``RuntimeError`` where the library is not the pinned one.
    """
    base = root or library_root()
    files = list_files(base)
    train = _join(base, files, "train")
    validation = _join(base, files, "validation")[: VALIDATION_BYTES + 1]
    found = {
        "files": manifest_digest(files),
        "train": hashlib.sha256(train.tobytes()).hexdigest(),
        "validation": hashlib.sha256(validation.tobytes()).hexdigest(),
    }
    if check and found != PINNED:
        raise RuntimeError(
            f"the library of Python {sys.version.split()[0]} is not the pinned corpus of {PYTHON}: {found}"
        )
    return train, validation, found


def windows(data: Bytes) -> Bytes:
    """Cut bytes into windows of `CONTEXT` inputs and one further target, stride `CONTEXT`."""
    count = (len(data) - 1) // CONTEXT
    index = np.arange(count)[:, None] * CONTEXT + np.arange(CONTEXT + 1)[None, :]
    cut: Bytes = data[index]
    return cut


def write_manifest(path: Path = MANIFEST) -> None:
    """Write the list of the corpus's files."""
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["path", "bytes", "sha256", "split"])
        writer.writerows((f.path, f.size, f.sha256, f.split) for f in list_files(library_root()))


def main() -> None:
    """Check the corpus or write its list of files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write corpus_files.csv anew, check nothing")
    args = parser.parse_args()
    if args.write:
        write_manifest()
    train, validation, found = load_corpus(check=not args.write)
    print(f"train {len(train):,} bytes, validation {len(validation) - 1:,} predicted bytes")
    for name, digest in found.items():
        print(f"{name:10s} {digest}")


if __name__ == "__main__":
    main()
