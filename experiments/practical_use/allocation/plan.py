"""Discover laws on the small runs of tiny_lm and plan larger ones, beside three simpler ways to plan them.

    python experiments/practical_use/allocation/plan.py      # minutes; writes plans.csv, always the same

Each way gives the size N, the tokens D and the learning rate of a run that costs a given number of FLOPs:

* sldagent: N and D by the law that it chooses on ``tiny_lm``; the learning rate by the law that it chooses on
  ``tiny_lm_lr``, and where that has no optimum in it, by the law that it chooses on the best learning rates of
  the cells (column ``lr_opt`` of ``tiny_lm``);
* chinchilla: N and D by E + A/N^alpha + B/D^beta (Hoffmann et al. 2022, arXiv 2203.15556, equation 2; Huber loss
  of logarithms), the learning rate by a power law of N and D through the best learning rates of the cells
  (the form of Li et al. 2025, arXiv 2503.04715);
* power law: the same without the floor E (Kaplan et al. 2020, arXiv 2001.08361), and the same learning rate;
* small optimum: tokens per parameter and learning rate of the small run with the lowest loss.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

if __package__ in (None, ""):  # started as a file: make the packages importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import sldagent
from experiments.practical_use.allocation.cases import FACTORS, FLOPS, PARTS, Plan, flops, size_for, tokens_for, write_plans
from sldagent.errors import PlanError
from sldagent.tasks.load import task_from_frame
from sldagent.tasks.task import Task

CANDIDATES = 1500
SEED = 0
TABLES = Path(__file__).resolve().parents[2] / "tiny_lm"
SUM_OF_POWERS = "A*N**-alpha + B*D**-beta"


def rows_of(part: str, name: str) -> Task:
    """The training rows of a table that belong to a part."""
    task = sldagent.load_task(name).part("train")
    cost = np.array([flops(x[0], x[1]) for x in task.X])
    return task.rows(cost <= PARTS[part] * cost.max() * (1 + 1e-9))


def largest(rows: Task) -> float:
    """FLOPs of the dearest row."""
    return float(max(flops(x[0], x[1]) for x in rows.X))


def by_discovery(part: str, archive: str, log: Path | None) -> list[Plan]:
    """Plans of every budget by the choices of two runs, or three."""
    rows = rows_of(part, "tiny_lm")
    sizes, rates = discovered(rows, archive, log), discovered(rows_of(part, "tiny_lm_lr"), archive, log)
    law, best = chosen(sizes), None
    out = []
    for factor in FACTORS:
        compute = factor * largest(rows)
        said = sldagent.plan(law, compute=compute, flops=FLOPS).allocation
        assert said is not None
        N, D = said.inputs["N"], said.inputs["D"]
        at = {"N": N.value, "D": D.value}
        try:
            rate_law, rate = chosen(rates), sldagent.plan(rates, minimise="lr", fix=at, draws=0).allocation
            assert rate is not None
            lr = rate.inputs["lr"].value
        except PlanError:
            best = best or discovered(best_rates(part), archive, log)
            rate_law, lr = chosen(best), float(best.predict(pd.DataFrame([at]))[0])
        laws = N.laws_low or N.value, N.laws_high or N.value
        formulas = law.formula, f"lr = {rate_law.formula}" if best else rate_law.formula
        out.append(Plan(part, factor, "sldagent", N.value, D.value, lr, N.low, N.high, *laws, compute, *formulas))
    return out


def discovered(rows: Task, archive: str, log: Path | None) -> sldagent.Discovery:
    """A finished run; its closing report is added to the log."""
    found = sldagent.discover(rows, candidates=CANDIDATES, seed=SEED, archive=archive)
    if log is not None:
        with log.open("a") as handle:
            handle.write(found.report + "\n")
    return found


def chosen(run: sldagent.Discovery) -> sldagent.Fitted:
    """The law that a run recommends."""
    assert run.choice is not None, run.reason
    return run.choice


def by_formula(part: str, method: str, law: str) -> list[Plan]:
    """Plans of every budget by one given law, and the power law of the best learning rate."""
    rows = rows_of(part, "tiny_lm")
    fitted = sldagent.fit(rows, law, loss="huber:0.001")
    a, b, c = power_law_of_rates(part)
    text = f"exp({a:.4g}) * N**{b:.4g} * D**{c:.4g}"
    out = []
    for factor in FACTORS:
        compute = factor * largest(rows)
        said = sldagent.plan(fitted, compute=compute, flops=FLOPS, draws=0).allocation
        assert said is not None
        N, D = said.inputs["N"].value, said.inputs["D"].value
        lr = math.exp(a + b * math.log(N) + c * math.log(D))
        out.append(Plan(part, factor, method, N, D, lr, N, N, N, N, compute, fitted.formula, text))
    return out


def best_rates(part: str) -> Task:
    """The best learning rate of every cell of a part whose parabola has its vertex within the measured rates."""
    table = pd.read_csv(TABLES / "tiny_lm.csv")
    table = table[(table["split"] == "train") & (table["edge"] == 0)]
    table = table[table["flops"] <= largest(rows_of(part, "tiny_lm")) * (1 + 1e-9)]
    return task_from_frame(table[["N", "D", "lr_opt"]], targets="lr_opt", variables=["N", "D"])


def power_law_of_rates(part: str) -> tuple[float, float, float]:
    """a, b, c of ln lr = a + b ln N + c ln D by least squares through the best learning rates."""
    rows = best_rates(part)
    design = np.column_stack([np.ones(len(rows.X)), np.log(rows.X)])
    a, b, c = np.linalg.lstsq(design, np.log(rows.Y[:, 0]), rcond=None)[0]
    return float(a), float(b), float(c)


def by_small_optimum(part: str) -> list[Plan]:
    """Plans of every budget that keep the ratio and the learning rate of the small run with the lowest loss."""
    rows = rows_of(part, "tiny_lm_lr")
    N0, D0, lr = rows.X[int(np.argmin(rows.Y[:, 0]))][:3]
    out = []
    for factor in FACTORS:
        compute = factor * largest(rows)
        N = size_for(D0 / N0, compute)
        laws = f"D / N = {D0 / N0:.4g}", f"lr = {lr:.4g}"
        out.append(Plan(part, factor, "small optimum", N, tokens_for(N, compute), float(lr), N, N, N, N, compute, *laws))
    return out


def main() -> None:
    """Plan every part and write the plans down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", help="keep the two runs of each part here (a URL; default: nowhere)")
    parser.add_argument("--log", type=Path, help="add what the runs print at their ends to this file")
    args = parser.parse_args()
    plans = []
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            plans += by_discovery(part, args.archive or f"sqlite:///{folder}/plans.db", args.log)
            plans += by_formula(part, "chinchilla", "chinchilla")
            plans += by_formula(part, "power law", SUM_OF_POWERS)
            plans += by_small_optimum(part)
    write_plans(plans)
    for plan in plans:
        print(f"{plan.part:8s} x{plan.factor:<3d} {plan.method:14s} N {plan.N:9.0f}  D {plan.D:9.0f}  lr {plan.lr:.5f}")


if __name__ == "__main__":
    main()
