"""Random formulas of 5 to 10 parameters on the Chinchilla table, Huber loss: how often the best known optimum is found.

The best known objective of a formula is the smallest of the fit's own, of the same fit from other seeds, and of a long fit
(96 or fewer starts, the best 32 carried to convergence on least squares and, from there and from where they started, on
Huber's loss) that has the best of these among its starts: all in the same box.
"""

from __future__ import annotations

import time

import numpy as np

from experiments.benchmarks.fitting.chinchilla import table
from experiments.benchmarks.fitting.common import rows_of
from sldagent.fitting.fit import fit_rows
from sldagent.fitting.graph import Layout
from sldagent.fitting.result import Effort, FitResult
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Recipe

RECIPE = Recipe("huber", "log", 1e-3)
QUICK = Effort(thorough=True)
LONG = Effort(starts=96, keep=32, iterations=1000, tolerance=1e-10)
SEEDS = range(2, 6)
"""Of the further fits that the best known objective is taken from."""
BOX = {"E": "real()", "A": "real()", "a": "interval(-2, 2)", "k": "interval(-2, 2)", "g": "interval(-6, 6)",
       "h": "interval(-3, 3)", "s": "interval(-4, 4)"}  # fmt: skip
"""Declaration of every parameter by its first letter: the box in which all strategies search."""


def random_program(rng: np.random.Generator) -> str:
    """A floor plus two or three terms, each a product of powers, logarithms and bends of N and D.

    Two powers of one variable in a product, or terms of equal form, make many of them degenerate.
    """
    names: list[str] = []

    def new(letter: str) -> str:
        names.append(f"{letter}{len(names) + 1}")
        return names[-1]

    def factor(v: str) -> str:
        kind = rng.integers(4)
        if kind == 0:
            return f"{v}**-{new('a')}"
        if kind == 1:
            return f"log({v})**{new('g')}"
        if kind == 2:
            return f"(1 + ({v}/1e9)**{new('h')})**-{new('s')}"
        return f"exp(-{new('k')}*log({v}))"

    terms = [new("E")]
    for _ in range(rng.integers(2, 4)):
        variables = rng.permutation(["N", "D"])[: rng.integers(1, 3)]
        terms.append("*".join([new("A"), *(factor(v) for v in variables)]))
    declared = ", ".join(f'"{name}": {BOX[name[0]]}' for name in names)
    return f"def law(N, D, {', '.join(names)}):\n    return {' + '.join(terms)}\nparameters = {{{declared}}}"


def best_known(law: CompiledLaw, rows: Rows, fit: FitResult) -> float:
    """The least objective that this fit, others like it and a long one reach."""
    fits = [fit, *(fit_rows(law, rows, RECIPE, np.random.default_rng(seed), effort=QUICK) for seed in SEEDS)]
    best = min(fits, key=lambda other: other.objective)
    long = fit_rows(law, rows, RECIPE, np.random.default_rng(SEEDS.stop), effort=LONG, warm=best.point)
    return min(best.objective, long.objective)


def main(formulas: int = 300, seed: int = 0) -> bool:
    X, y = table()
    rows, layout = rows_of(X, y), Layout({"N": 0, "D": 1}, {}, 1)
    rng = np.random.default_rng(seed)
    seconds, excess = 0.0, []
    while len(excess) < formulas:
        law = parse_program(random_program(rng)).law
        if not 5 <= len(law.parameters) <= 10:
            continue
        start = time.process_time()
        compiled = compile_law(law, layout)
        fit = fit_rows(compiled, rows, RECIPE, np.random.default_rng(1), effort=QUICK)
        seconds += time.process_time() - start
        excess.append(fit.objective / best_known(compiled, rows, fit) - 1.0)
    x = np.array(excess)
    print(f"\n{formulas} random formulas of 5 to 10 parameters, 240 rows, Huber 1e-3 on log loss\n  one thread, seed {seed}")
    print(f"  {formulas / seconds:.0f} fits per CPU second; within 1e-4 of the best known: {np.mean(x <= 1e-4):.1%},")
    print(f"  1e-3: {np.mean(x <= 1e-3):.1%}, 1e-2: {np.mean(x <= 1e-2):.1%}; worst {x.max():.1%}")
    return bool(np.mean(x <= 1e-4) >= 0.92)
