"""Predict the throughput of 1 to 10,000 workers: ``python -m experiments.simulation.simulate``.

Reads ``costs.json`` (measured) and prints the tables of the README; with ``measured.json`` there, also how far the
prediction for 1 and 2 workers is from what was measured.  ``--archive FILE`` takes the latencies of language models from
the answered calls of an archive.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.simulation.model import Costs, Outcome, Simulation
from sldagent.archive.store import Archive

HERE = Path(__file__).parent
WORKERS = (1, 2, 4, 16, 64, 256, 1000, 4000, 10_000)
ASSUMED_LATENCY = np.random.default_rng(0).lognormal(np.log(6.0), 0.6, 2000)
"""Seconds until an answer, where none was measured: median 6, a tenth above 13."""


def costs(path: Path = HERE / "costs.json") -> Costs:
    """The measured ones."""
    known = json.loads(path.read_text(encoding="utf-8"))
    return Costs(**{k: v for k, v in known.items() if k not in ("task", "candidates")})


def latencies(archive: str | None) -> Sequence[float]:
    """Of answered calls in an archive, else assumed."""
    if archive is None:
        return list(ASSUMED_LATENCY)
    with Archive.open(archive, read_only=True) as opened:
        rows = opened.query("SELECT seconds FROM chat_call WHERE response IS NOT NULL AND seconds IS NOT NULL")[1]
    if not rows:
        raise SystemExit(f"{archive}: no answered call to a language model")
    return [row[0] for row in rows]


def length(workers: int, look_back: int) -> int:
    """Candidates to simulate: enough for the start to matter little."""
    return max(600, 6 * min(workers, look_back), 4 * look_back)


def predict(known: Costs, workers: int, look_back: int, llm_look_back: int = 0) -> Outcome:
    """One simulated run."""
    return Simulation(known, workers, length(workers, look_back), look_back, llm_look_back=llm_look_back).run()


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown."""
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def line(out: Outcome) -> list[str]:
    return [f"{out.throughput:.3g}", f"{100 * out.utilisation:.0f} %", f"{100 * out.coordinator:.0f} %", out.bottleneck]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", help="archive whose answered calls give the latencies of language models")
    known, heads = costs(), ["candidates/s", "workers busy", "coordinator busy", "first bottleneck"]
    heavy = replace(known, evaluate=[50 * seconds for seconds in known.evaluate])
    models = replace(known, llm_share=0.5, llm=latencies(parser.parse_args().archive))
    check(known)
    for title, per_worker in (("Look-back 16 (the default)", 0), ("Look-back four times the workers", 4)):
        rows = [[f"{w:,}", *line(predict(known, w, max(16, per_worker * w)))] for w in WORKERS]
        table(title, ["workers", *heads], rows)
    rows = [[f"{w:,}", *line(predict(heavy, w, max(16, 4 * w)))] for w in WORKERS]
    table("A table whose fits take 50 times as long, look-back four times the workers", ["workers", *heads], rows)
    rows = [[f"{w:,}", *line(predict(models, w, max(16, 4 * w), max(64, 8 * w)))] for w in WORKERS[:7]]
    table("Half of the slots by a language model, 64 requests at a time", ["workers", *heads], rows)
    jailed = replace(known, jailed=1.0)
    rows = [[f"{w:,}", *line(predict(jailed, w, max(16, 4 * w)))] for w in WORKERS[:6]]
    table("Every program with fitting code of its own, in the jail", ["workers", *heads], rows)


def check(known: Costs) -> None:
    """Prediction against measurement."""
    path = HERE / "measured.json"
    if not path.exists():
        return
    rows = []
    for run in json.loads(path.read_text(encoding="utf-8")):
        out = predict(known, run["workers"], 16)
        gap = out.throughput / run["per_second"] - 1.0
        numbers = [f"{run['per_second']:.3g}", f"{out.throughput:.3g}", f"{100 * gap:+.0f} %"]
        rows.append([f"{run['pool']}, {run['workers']}", *numbers])
    table("Measured and predicted", ["pool, workers", "measured/s", "predicted/s", "difference"], rows)


if __name__ == "__main__":
    main()
