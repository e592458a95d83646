"""Prints the whole matrix of attacks: python tests/attack/report.py [CASE ...]

One line a case and one word a column: "held", what got through, or "known" where the case names it as known; then what its
positive control showed outside the jail.  Exit code 1 where anything got through or a control did not fire.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.attack import matrix
from tests.attack.case import Case
from tests.attack.catalogue import CASES
from tests.attack.hacks import HACKS, seen_at_work
from tests.attack.matrix import Outcome


def cell(outcome: Outcome, case: Case) -> str:
    """A word or two for one case in one column."""
    result = outcome.results.get(case.name)
    if result is None:
        return "-"
    if result.found:
        return "**" + ", ".join(result.found[:3]) + "**"
    if result.known:
        return f"known: {result.known[0]}"
    return "odd" if result.odd else f"held ({result.end})" if result.end else "held"


def control(case: Case, outcomes: list[Outcome]) -> str:
    """What was seen outside the jail."""
    seen = matrix.fired(case, outcomes)
    return "; ".join(seen)[:160] if seen else f"none: {case.uncontrolled}" if case.uncontrolled else "**did not fire**"


def measure(cases: list[Case]) -> tuple[list[Outcome], list[Outcome]]:
    """Every jail, every control; says on standard error how it goes."""
    jails, free = [], []
    for column in matrix.columns() + matrix.controls():
        started = time.monotonic()
        some = matrix.control_cases(column, cases) if column.control else cases
        outcome = matrix.run(column, some)
        (free if column.control else jails).append(outcome)
        seconds = time.monotonic() - started
        print(f"{column}: {len(outcome.results)} cases, {seconds:.0f} s {outcome.unavailable}", file=sys.stderr, flush=True)
    return jails, free


def main(names: list[str]) -> int:
    cases = [CASES[name] for name in names] or list(CASES.values())
    jails, free = measure(cases)
    print("| case | " + " | ".join(str(o.column) for o in jails) + " | outside the jail |")
    print("|---" * (len(jails) + 2) + "|")
    for case in cases:
        print(f"| {case.name} | " + " | ".join(cell(o, case) for o in jails) + f" | {control(case, free)} |")
    print()
    bad = 0
    for outcome in jails:
        found = [name for name, r in outcome.results.items() if r.found]
        odd = [f"{name} ({'; '.join(r.odd)})" for name, r in outcome.results.items() if r.odd]
        known = [name for name, r in outcome.results.items() if r.known]
        said = f"{len(outcome.results)} cases, {len(found)} breaches {found}, known {known}, odd {odd}"
        print(f"{outcome.column}: {outcome.unavailable or said}; layers {', '.join(outcome.layers)}")
        bad += len(found) + len(odd)
    silent = [c.name for c in cases if not c.uncontrolled and not matrix.fired(c, free)]
    silent = [name for name in silent if matrix.ROOT or not CASES[name].as_root]
    without = [c.name for c in cases if c.uncontrolled]
    print(f"controls: {len(cases) - len(silent) - len(without)} fired, {silent} did not, {without} cannot")
    if not names:
        print("reward hacking: " + ", ".join(f"{h.name} ({h.lint or h.guard or 'held'})" for h in HACKS))
        bad += sum(seen_at_work(hack) != hack.works for hack in HACKS)
    return 1 if bad or silent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
