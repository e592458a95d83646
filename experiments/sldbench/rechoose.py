"""Choose again among the candidates of archived benchmark runs, by the present choice rule.

    python experiments/sldbench/rechoose.py RESULTS.json --archive URL --data DIR --out NEW.json

The search does not depend on the rule, so this gives what new runs with the same candidates would.  Results of other
methods are copied.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sldagent.archive.store import Archive
from sldagent.bench.discovery import score_shortlist
from sldagent.bench.results import OURS, Result, read_results, write_results
from sldagent.evaluation.choice import choose
from sldagent.evolution.search import CATALOGUE
from sldagent.tasks.load import load_task


def rechosen(result: Result, archive: Archive, data: Path) -> Result:
    """The result with the choice and short list of the present rule."""
    if result.method != OURS or result.choice is None:
        return result
    run = result.choice.law.rpartition("-")[0]
    records = {r.k: r for r in archive.candidates(run)}
    published = [k for k, r in records.items() if r.operator == CATALOGUE]
    choice = choose([(k, r.evaluation) for k, r in records.items()], catalogue=published)
    if choice is None:
        return result
    laws, blend = score_shortlist(run, [records[k] for k in choice.shortlist], load_task(result.task, data=data), archive)
    if laws[0].law != result.choice.law:
        print(f"{result.task} seed {result.seed}: test R2 {result.choice.r2:.4f} -> {laws[0].r2:.4f}, {laws[0].formula}")
    return replace(result, choice=laws[0], shortlist=laws, blend=blend)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with Archive.open(args.archive) as archive:
        results = [rechosen(result, archive, args.data) for result in read_results(args.results)]
    write_results(results, args.out)


if __name__ == "__main__":
    main()
