"""Every fitting benchmark, or those named; exits 1 where an objective is worse than another method's."""

from __future__ import annotations

import io
import sys

from experiments.benchmarks.fitting import chinchilla, formulas, groups, large
from experiments.benchmarks.fitting.chinchilla import TABLE
from sldagent.fitting.warm import warm

ALL = {"chinchilla": chinchilla.main, "groups": groups.main, "large": large.main, "formulas": formulas.main}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no fitting benchmark is called '{unknown[0]}': they are {', '.join(ALL)}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is done is seen where a run is cut off
    warm()
    chosen = names or list(ALL)
    for name in [n for n in chosen if n in ("chinchilla", "formulas") and not TABLE.exists()]:
        print(f"{name}: left out, there is no {TABLE} (set SLDAGENT_DATA)", file=sys.stderr)
        chosen.remove(name)
    good = [ALL[name]() for name in chosen]  # every one runs, also after a worse objective
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
