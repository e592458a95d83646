"""Laws discovered on the ground of the observational system and of the trajectory forecaster.

    python experiments/predictors/laws.py tables --data DIR --out DIR
    sldagent discover experiments/predictors/emergent.toml --data DIR ...
    python experiments/predictors/laws.py score emergent|trajectory --law LAW.py --data DIR

`tables` writes training rows only: of models up to the cut-off, and of training trajectories of the first random split.
`score` fits a law as the system's protocol says and measures it on the test rows, beside the system itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from sldagent.errors import SldagentError
from sldagent.fitting.fit import fit_rows
from sldagent.fitting.graph import Layout
from sldagent.fitting.public import predict
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law
from sldagent.laws.parse import parse_file
from sldagent.laws.program import Program
from sldagent.predictors.observational.model import ObservationalLaw
from sldagent.predictors.observational.space import fit_space
from sldagent.predictors.observational.tables import read_base, read_emergent
from sldagent.predictors.trajectories.baselines import BASELINES
from sldagent.predictors.trajectories.protocol import future, make_split, score
from sldagent.predictors.trajectories.sources import read_gemstones

COMPONENTS = ("PC1", "PC2", "PC3")
EVERY = 3
"""Of the training trajectories, every third goes into the table that a law is discovered from."""


def write_tables(data: Path, out: Path) -> None:
    """The training tables that the cards of this folder name."""
    out.mkdir(parents=True, exist_ok=True)
    folder = data / "obsscaling"
    parts = []
    for task in read_emergent(folder, read_base(folder)):
        S = _components(task.scores[task.train], task.scores[task.train])
        parts.append(
            pd.DataFrame({"task": task.name, **dict(zip(COMPONENTS, S.T, strict=True)), "score": task.y[task.train]})
        )
    pd.concat(parts).to_csv(out / "emergent.csv", index=False)
    source = read_gemstones(data / "gemstones")
    parts = []
    for i in make_split(source, "random", 0).train[::EVERY]:
        t = source.trajectories[i]
        parts.append(pd.DataFrame({"trajectory": f"{t.run}, {t.task}", "step": t.steps, "accuracy": t.accuracy}))
    pd.concat(parts).to_csv(out / "trajectory.csv", index=False)


def score_emergent(program: Program, data: Path) -> pd.DataFrame:
    """Test MSE by task of the law and of the published one, both fitted to the same training rows."""
    folder = data / "obsscaling"
    rows = []
    for task in read_emergent(folder, read_base(folder)):
        train, test = task.train, ~task.train
        S = _components(task.scores[train], task.scores)
        found = _fit(program, S[train], task.y[train][None], np.zeros(int(train.sum()), np.int64), COMPONENTS)
        law = np.clip(_read(program, found, S[test], COMPONENTS), 0.0, 1.0)
        ours = ObservationalLaw().fit(task.scores[train], task.y[train]).error(task.scores[test], task.y[test])
        rows.append((task.name, float(np.mean((law - task.y[test]) ** 2)), ours))
    table = pd.DataFrame(rows, columns=["task", "law", "sigmoid of PC1-PC3"])
    return pd.concat([table, pd.DataFrame([["median", *table.iloc[:, 1:].median()]], columns=table.columns)])


def score_trajectory(program: Program, data: Path) -> pd.DataFrame:
    """MAE in points of anchored forecasts on the three splits, first seed.

    Parameters that the law shares between groups are found on the training trajectories; the others on each context alone.
    """
    source = read_gemstones(data / "gemstones")
    rows = []
    for kind in ("random", "largest", "tasks"):
        split = make_split(source, kind, 0)
        train = [source.trajectories[i] for i in split.train]
        test = [source.trajectories[i] for i in split.test]
        shared = [p.name for p in program.law.parameters if p.scope == "shared"]
        learnt = _groups(program, [t.steps for t in train], [t.accuracy for t in train]) if shared else {}
        ends = [future(t)[0] for t in test]
        frozen = _frozen(program, {name: float(learnt[name].ravel()[0]) for name in shared})
        own = _groups(
            frozen,
            [t.steps[:e] for t, e in zip(test, ends, strict=True)],
            [t.accuracy[:e] for t, e in zip(test, ends, strict=True)],
        )
        made = []
        for k, (t, e) in enumerate(zip(test, ends, strict=True)):
            mine = {name: value[k : k + 1] for name, value in own.items()}
            made.append(np.clip(_read(frozen, mine, t.steps[e:, None], ("step",)), 0.0, 1.0))
        row = {"split": kind, "law": score(test, made).mae}
        for baseline in BASELINES:
            forecasts = baseline.forecast(source, split)
            row[baseline.name] = np.nan if forecasts is None else score(test, forecasts).mae
        rows.append(row)
    return pd.DataFrame(rows)


def _components(train: pd.DataFrame, scores: pd.DataFrame) -> np.ndarray:
    return fit_space(train.to_numpy(dtype=np.float64), 3).transform(scores.to_numpy(dtype=np.float64))


def _groups(program: Program, x: list[np.ndarray], y: list[np.ndarray]) -> dict[str, np.ndarray]:
    group = np.repeat(np.arange(len(x)), [len(v) for v in x])
    return _fit(program, np.concatenate(x)[:, None], np.concatenate(y)[None], group, ("step",))


def _fit(program: Program, X: np.ndarray, Y: np.ndarray, group: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    rows = Rows(X, Y, group, int(group.max()) + 1, np.ones_like(Y))
    law = compile_law(program.law, Layout({name: k for k, name in enumerate(names)}, {}, 1))
    effort = Effort(starts=2 * program.recipe.starts, keep=4, iterations=200)
    return fit_rows(law, rows, program.recipe, np.random.default_rng(0), effort=effort).parameters


def _read(program: Program, found: dict[str, np.ndarray], X: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    layout = Layout({name: k for k, name in enumerate(names)}, {}, 1)
    return predict(program.law, found, X, np.zeros(len(X), np.int64), layout)[:, 0]


def _frozen(program: Program, values: dict[str, float]) -> Program:
    """The program with shared parameters replaced by numbers."""
    from dataclasses import replace

    from sldagent.laws.expr import Expr, num, transform

    def swap(e: Expr) -> Expr:
        return num(values[e.name]) if e.op == "par" and e.name in values else e

    kept = tuple(p for p in program.law.parameters if p.name not in values)
    return replace(program, law=replace(program.law, expr=transform(program.law.expr, swap), parameters=kept))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["tables", "score"])
    parser.add_argument("system", nargs="?", choices=["emergent", "trajectory"])
    parser.add_argument("--law", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    try:
        if args.verb == "tables":
            write_tables(args.data, args.out or parser.error("tables needs --out"))
            return 0
        if args.system is None or args.law is None:
            parser.error("score needs emergent or trajectory, and --law")
        emergent = args.system == "emergent"
        program = parse_file(args.law, variables=COMPONENTS if emergent else ("step",))
        print((score_emergent if emergent else score_trajectory)(program, args.data).round(4).to_string(index=False))
    except SldagentError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
