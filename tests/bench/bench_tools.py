"""Small tables with known laws, and jobs on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sldagent import session
from sldagent.bench.method import Job
from sldagent.bench.results import Result, Scored, Settings
from sldagent.tasks.load import load_task

BUDGET = Settings(None, 4, 1)


def two_variables(path: Path, *, groups: int = 1) -> Path:
    """loss = 1.5 + 300 N**-0.3 + 800 D**-0.35, another floor in every group; the two largest N are test rows."""
    rng = np.random.default_rng(0)
    lines = ["family,N,D,split,loss"]
    for g in range(groups):
        for n in np.geomspace(1e6, 1e9, 8):
            for d in np.geomspace(1e8, 1e10, 5):
                loss = (1.5 + 0.3 * g + 300 * n**-0.3 + 800 * d**-0.35) * np.exp(0.002 * rng.normal())
                lines.append(f"f{g},{n:.6g},{d:.6g},{'test' if n > 3e8 else 'train'},{loss:.6f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def two_targets(path: Path) -> Path:
    """Two losses of one size."""
    rng = np.random.default_rng(1)
    lines = ["N,split,a,b"]
    for n in np.geomspace(1e5, 1e9, 24):
        a, b = 1.0 + 50 * n**-0.3, 2.0 + 9 * n**-0.2
        a, b = a + 0.002 * rng.normal(), b + 0.002 * rng.normal()
        lines.append(f"{n:.6g},{'test' if n > 2e8 else 'train'},{a:.6f},{b:.6f}")
    path.write_text("\n".join(lines) + "\n")
    card = path.with_suffix(".toml")
    card.write_text(
        f'table = "{path.name}"\nsplit = "split"\nhuman = "power_floor"\n[variables.N]\nrole = "scale"\n'
        "[targets.a]\n[targets.b]\n"
    )
    return card


def job(spec: Path, *, human: str = "", settings: Settings = BUDGET, seed: int = 0) -> Job:
    grounds = session.prepare(load_task(spec))
    return Job(grounds, human, seed, settings, f"sqlite:///{spec.with_suffix('.db')}")


def law(r2: float | None) -> Scored:
    return Scored("l", "f", 0.0, 1.0, 0.0, r2, 0.0)


def result(task="t", seed=0, scores=(0.5,), *, method="sldagent", mode="blind", own=None, test_rows=4, **more):
    laws = tuple(law(s) for s in scores)
    return Result(
        task, seed, mode, Settings(1.0, None, 1), 10, 0, 1.0, 1.0, test_rows, laws[0] if laws else None, laws,
        method=method, own_choice=own, **more,
    )
