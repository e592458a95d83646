"""One process of `isolated`: ``python -m sldagent.bench.baselines.child FOLDER``.

It reads ``FOLDER/job``, a pickled function with its argument, and writes what the function returns to ``FOLDER/answer``.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path


def main(folder: Path) -> None:
    function, question = pickle.loads((folder / "job").read_bytes())
    (folder / "answer").write_bytes(pickle.dumps(function(question)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
