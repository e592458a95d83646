"""Turn ``runs.csv`` into the two tables and the report on noise.  Needs NumPy only.

python experiments/tiny_lm/tables.py          # writes tiny_lm.csv, tiny_lm_lr.csv, noise.csv, report.md
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file: make the package importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.tiny_lm import grid
from experiments.tiny_lm.rates import Point, Run, cell_points, cell_runs, fit_rate_law, load_runs, vertex

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs.csv"
REGIONS = ("train", "n_only", "d_only", "corner")
Record = dict[str, Any]


def _split(region: str) -> str:
    return "train" if region == "train" else "test"


def _write(path: Path, records: Sequence[Record]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(records[0]) if records else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def best_record(runs: Sequence[Run], width: int, tokens: int) -> Record | None:
    """Return one row of ``tiny_lm``: the loss at the best learning rate of a cell."""
    points = cell_points(runs, width, tokens)
    if not points:
        return None
    best = min(points, key=lambda p: p.loss)
    first = cell_runs(runs, width, tokens)[0]
    region = grid.region(width, tokens)
    found, seeds, curvature, edge = vertex(points), best.seeds, "", 0
    if found is None:
        tried = [r for r in cell_runs(runs, width, tokens) if r.phase == "predicted"]
        if not tried:
            return None
        rate, method = tried[0].lr, "predicted"
        losses = [
            r.loss for r in runs if (r.width, r.tokens, r.lr) == (width, tokens, rate) and not r.diverged
        ]
        loss, seeds = statistics.fmean(losses), len(losses)
        best = Point(rate, loss, seeds)
    else:
        method = "best_run" if found.edge else "vertex"
        loss, rate, edge, curvature = found.loss, found.lr, int(found.edge), f"{found.curvature:.5f}"
    return {
        "split": _split(region),
        "region": region,
        "N": grid.non_embedding(width),
        "D": tokens,
        "loss": f"{loss:.6f}",
        "lr_opt": f"{rate:.5g}",
        "edge": edge,
        "method": method,
        "curvature": curvature,
        "n_lr": len(points),
        "seeds": seeds,
        "lr_best_run": f"{best.lr:.5g}",
        "loss_best_run": f"{best.loss:.6f}",
        "flops": first.flops,
        "total_params": first.total_params,
        "width": width,
        "steps": tokens // 512,
    }


def best_table(runs: Sequence[Run], noise: Sequence[Record]) -> list[Record]:
    """Return all rows of ``tiny_lm``; `se` is the seed standard deviation of D by the root of the seeds."""
    found = (best_record(runs, width, tokens) for width, tokens in grid.cells())
    records = [record for record in found if record is not None]
    sds = noise_by_tokens(noise)
    for record in records:
        sd = sds.get(record["D"])
        record["se"] = "" if sd is None else f"{sd / math.sqrt(record['seeds']):.5f}"
    return records


def rate_table(runs: Iterable[Run]) -> list[Record]:
    """Return all rows of ``tiny_lm_lr``: every run that did not diverge."""
    records = []
    for run in sorted(runs, key=lambda r: (r.width, r.tokens, r.seed, r.lr)):
        region = grid.region(run.width, run.tokens)
        if not run.diverged:
            records.append(
                {
                    "split": _split(region),
                    "region": region,
                    "N": run.n_params,
                    "D": run.tokens,
                    "lr": f"{run.lr:.5g}",
                    "loss": f"{run.loss:.6f}",
                    "seed": run.seed,
                    "flops": run.flops,
                    "total_params": run.total_params,
                    "width": run.width,
                    "phase": run.phase,
                }
            )
    return records


def noise_table(runs: Sequence[Run]) -> list[Record]:
    """Return the spread over seeds of each cell and learning rate with three seeds, and of the vertices."""
    groups: dict[tuple[int, int, float], list[float]] = defaultdict(list)
    for run in runs:
        if not run.diverged:
            groups[run.width, run.tokens, run.lr].append(run.loss)
    records = []
    for (width, tokens, rate), losses in sorted(groups.items()):
        if len(losses) >= 3:
            records.append(_noise_record(width, tokens, f"{rate:.5g}", losses))
    for width, tokens in grid.cells():
        found = [vertex(cell_runs(runs, width, tokens, seed)) for seed in (0, *grid.EXTRA_SEEDS)]
        losses = [v.loss for v in found if v is not None]
        if len(losses) >= 3:
            records.append(_noise_record(width, tokens, "vertex", losses))
    return records


def _noise_record(width: int, tokens: int, rate: str, losses: list[float]) -> Record:
    return {
        "region": grid.region(width, tokens),
        "N": grid.non_embedding(width),
        "D": tokens,
        "lr": rate,
        "seeds": len(losses),
        "loss_mean": f"{statistics.fmean(losses):.6f}",
        "loss_sd": f"{statistics.stdev(losses):.6f}",
    }


def cell_noise(runs: Sequence[Run], noise: Sequence[Record]) -> dict[tuple[int, int], float]:
    """Return the seed standard deviation of each seed cell at the learning rate nearest to its best one.

    Where all seeds have a vertex, it is the standard deviation of the vertices.
    """
    result: dict[tuple[int, int], float] = {}
    for width, tokens in grid.SEED_CELLS:
        body = grid.non_embedding(width)
        here = [r for r in noise if (r["N"], r["D"]) == (body, tokens)]
        of_vertex = [r for r in here if r["lr"] == "vertex"]
        best = best_record(runs, width, tokens)
        if not here or best is None:
            continue
        aim = math.log(float(best["lr_opt"]))
        rated = [r for r in here if r["lr"] != "vertex"]
        chosen = of_vertex or [min(rated, key=lambda r: abs(math.log(float(r["lr"])) - aim))]
        result[width, tokens] = float(chosen[0]["loss_sd"])
    return result


def noise_by_tokens(noise: Sequence[Record]) -> dict[int, float]:
    """Return the seed standard deviation of one run for each D, pooled over widths and learning rates.

    A D without seeds takes the geometric mean of its neighbours' values.
    """
    found: dict[int, float] = {}
    for tokens in grid.TOKENS:
        sds = [float(r["loss_sd"]) for r in noise if r["D"] == tokens and r["lr"] != "vertex"]
        if sds:
            found[tokens] = _pooled(sds)
    for tokens in grid.TOKENS:
        near = [found[t] for t in (tokens // 2, tokens * 2) if t in found]
        if tokens not in found and near:
            found[tokens] = math.prod(near) ** (1 / len(near))
    return dict(sorted(found.items()))


def _pooled(values: Iterable[float]) -> float:
    squares = [v * v for v in values]
    return math.sqrt(statistics.fmean(squares)) if squares else math.nan


def report(runs: Sequence[Run], table: Sequence[Record], noise: Sequence[Record]) -> str:
    """Return the figures of the README as Markdown."""
    lines = ["# Figures computed from runs.csv", ""]
    seconds = sum(r.seconds for r in runs)
    diverged = sum(r.diverged for r in runs)
    flops, cells = sum(r.flops for r in runs), len(grid.WIDTHS) * len(grid.TOKENS)
    methods = Counter(str(r["method"]) for r in table)
    flagged = [f"({r['N']}, {r['D']})" for r in table if r["edge"]]
    lines += [
        f"- runs: {len(runs)} ({diverged} diverged), cells: {len(table)} of {cells}",
        f"- CPU time of training and evaluation: {seconds / 60:.1f} minutes; FLOPs {flops:.3e}",
        f"- cells flagged as edge (N, D): {', '.join(flagged) or 'none'}",
        f"- method of the loss: {', '.join(f'{name} {count}' for name, count in methods.items())}",
    ]
    try:
        (a, b, c), spread, count = fit_rate_law(runs)
        lines.append(
            f"- lr* = exp({a:.3f}) N^{b:.3f} D^{c:.3f} from {count} vertices with D <= 1M; "
            f"residual {spread:.3f} in ln lr"
        )
    except ValueError as error:
        lines.append(f"- lr*: {error}")
    sds = cell_noise(runs, noise)
    lines += ["", "| N | D | region | seed sd |", "|---|---|---|---|"]
    for (width, tokens), sd in sorted(sds.items()):
        lines.append(f"| {grid.non_embedding(width)} | {tokens} | {grid.region(width, tokens)} | {sd:.4f} |")
    overall = _pooled(sds.values())
    lines += ["", f"Pooled over the seed cells (root mean square): {overall:.4f}; without D = 65,536: "]
    lines[-1] += f"{_pooled(sd for (_, d), sd in sds.items() if d > grid.TOKENS[0]):.4f}"
    lines += ["", "| D | seed sd of one run, pooled over widths and rates |", "|---|---|"]
    lines += [f"| {tokens} | {sd:.4f} |" for tokens, sd in noise_by_tokens(noise).items()]
    header = "| region | cells | loss range | loss sd | noise: rms of se | sd / noise | range / noise |"
    lines += ["", header, "|---|---|---|---|---|---|---|"]
    for region in REGIONS:
        losses = [float(r["loss"]) for r in table if r["region"] == region]
        if len(losses) > 1:
            inside = _pooled(float(r["se"] or "nan") for r in table if r["region"] == region)
            low, high, spread = min(losses), max(losses), statistics.stdev(losses)
            lines.append(
                f"| {region} | {len(losses)} | {low:.3f} to {high:.3f} | {spread:.4f} | {inside:.4f} "
                f"| {spread / inside:.1f} | {(high - low) / inside:.1f} |"
            )
    return "\n".join([*lines, "", *_spot_lines(runs)]) + "\n"


def _spot_lines(runs: Sequence[Run]) -> list[str]:
    """Compare predicted learning rates with the vertices of the cells that have a spot check."""
    header = "| N | D | predicted lr | vertex lr | loss at predicted | loss at vertex |"
    lines = [header, "|---|---|---|---|---|---|"]
    gaps: list[float] = []
    shifts: list[float] = []
    for width, tokens in grid.cells():
        points = cell_runs(runs, width, tokens)
        found = vertex(points)
        predicted = [r for r in points if r.phase == "predicted"]
        if found is None or not predicted:
            continue
        run = predicted[0]
        gaps.append(run.loss - found.loss)
        shifts.append(math.log(found.lr / run.lr))
        flag = " (edge)" if found.edge else ""
        lines.append(
            f"| {run.n_params} | {tokens} | {run.lr:.4g} | {found.lr:.4g}{flag} "
            f"| {run.loss:.4f} | {found.loss:.4f} |"
        )
    if gaps:
        shift, mean, most = statistics.fmean(shifts), statistics.fmean(gaps), max(gaps)
        lines += ["", f"Spot checks: {len(gaps)}; mean ln(vertex lr / predicted lr) {shift:+.3f}; "]
        lines[-1] += f"loss at the predicted rate above the vertex: mean {mean:.4f}, max {most:.4f}"
    return lines


def main() -> None:
    """Write the tables and the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=RUNS, help="the file of raw runs")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of the tables")
    args = parser.parse_args()
    runs = load_runs(args.runs)
    noise = noise_table(runs)
    table = best_table(runs, noise)
    _write(args.out / "tiny_lm.csv", table)
    _write(args.out / "tiny_lm_lr.csv", rate_table(runs))
    _write(args.out / "noise.csv", noise)
    text = report(runs, table, noise)
    (args.out / "report.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
