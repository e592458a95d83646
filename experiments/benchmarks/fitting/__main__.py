"""Every fitting benchmark, or those named; exits 1 where an objective is worse than another method's."""

from __future__ import annotations

import sys

from experiments.benchmarks.fitting import chinchilla, formulas, groups, large
from sldagent.fitting.warm import warm

ALL = {"chinchilla": chinchilla.main, "groups": groups.main, "large": large.main, "formulas": formulas.main}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no fitting benchmark is called '{unknown[0]}': they are {', '.join(ALL)}", file=sys.stderr)
        return 2
    warm()
    return 0 if all([ALL[name]() for name in names or ALL]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
