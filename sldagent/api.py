"""The Python API: the command line's verbs as functions over data frames.

``discover`` and ``fit`` take a pandas data frame, a table's or card's path, or a built-in task's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from sldagent.archive.store import Archive
from sldagent.errors import ConfigError, FitError, TableError
from sldagent.fitted import Fitted, Prediction, from_fit
from sldagent.law_words import programs_for, with_loss
from sldagent.tasks.load import load_task, task_from_frame
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas

    from sldagent.blend import Blend
    from sldagent.evolution.observer import Observer
    from sldagent.fitting.engines import Engine
    from sldagent.sandbox.types import Mode
    from sldagent.uncertainty.bootstrap import Resample
    from sldagent.uncertainty.resampling import Cluster

__all__ = ["Discovery", "Fitted", "discover", "fit", "fit_task", "load_task", "open_archive", "resume"]

DEFAULT_MINUTES = 2.0


@dataclass(frozen=True)
class Discovery:
    """A finished run; prints as its choice, and in a notebook with its front."""

    run: str
    task: str
    choice: Fitted | None
    """None when no law could be fitted."""
    shortlist: tuple[Fitted, ...]
    """Up to three laws, the choice first."""
    front: tuple[Mapping[str, Any], ...]
    """Pareto front, simplest first: law, formula, x, x_se, complexity, mdl, parameters."""
    reason: str
    candidates: int
    failures: Mapping[str, int]
    seconds: float
    archive: str
    report: str = field(repr=False)
    """What the command line prints at the end."""

    @overload
    def predict(self, table: str | Path | pandas.DataFrame) -> NDArray[np.float64]: ...

    @overload
    def predict(self, table: str | Path | pandas.DataFrame, *, interval: float) -> Prediction: ...

    def predict(
        self, table: str | Path | pandas.DataFrame, *, interval: float | None = None
    ) -> NDArray[np.float64] | Prediction:
        """The choice's predictions for a table's rows, with `interval` also their intervals (see `Fitted.predict`)."""
        law = self._chosen()
        return law.predict(table) if interval is None else law.predict(table, interval=interval)

    def export(self, path: str | Path, format: str | None = None) -> Path:
        """Write the choice to a file; its ending (.py, .json, .tex, .typ) names the format."""
        return self._chosen().export(path, format)

    def blend(self) -> Blend:
        """The mean of the short list as a predictor of its own, with the laws' spread: beside the choice, never the law.

        Raises FitError where the run recommends no law.
        """
        from sldagent.blend import Blend

        self._chosen()
        return Blend(self.run, self.shortlist)

    def _chosen(self) -> Fitted:
        if self.choice is None:
            raise FitError(f"run {self.run} recommends no law: none could be fitted to '{self.task}'")
        return self.choice

    def __repr__(self) -> str:
        law = "no law" if self.choice is None else f"{' , '.join(self.choice.targets)} = {self.choice.formula}"
        return f"<Discovery {self.run}: {law}; {self.candidates} candidates, {len(self.front)} on the front>"

    def _repr_html_(self) -> str:
        from sldagent.report.html import discovery_html

        return discovery_html(self)


def discover(
    table: pandas.DataFrame | str | Path | Task,
    target: str | Sequence[str] | None = None,
    variables: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    split_column: str | None = None,
    at: Any = None,
    data: str | Path | None = None,
    minutes: float | None = None,
    candidates: int | None = None,
    seed: int = 0,
    islands: int | None = None,
    workers: int | None = None,
    archive: str = "sqlite:///sldagent.db",
    observer: Observer | None = None,
    seed_programs: Sequence[str | Path] = (),
    jail: Mode = "auto",
    llm: str | Sequence[str] = (),
    budget_usd: float | None = None,
    max_calls: int | None = None,
    max_tokens: int | None = None,
    blind_names: bool = False,
    llm_options: Mapping[str, Any] | None = None,
    ray: str | None = None,
    gpus_per_worker: float = 0.0,
) -> Discovery:
    """Discover a law and keep every candidate in the archive.

    Args:
        table: data frame, path of a table or task card, built-in task's name, or a `Task`.
        target, variables, group, split_column: columns, guessed where not given; a variable may carry
            its role ("lr:setting").
        at: table of inputs at which predictions are wanted; cuts then go towards it.
        minutes, candidates: bounds of the search; two minutes where neither is given.
        seed: the same seed and number of candidates give the same archive, whatever `workers` is.
        seed_programs: program files to begin with: laws, or files with scaling_law_func and fit_scaling_law.
        jail: how the code that programs bring is kept in ("auto": every layer that this host has).
        llm: language models that propose beside the grammar ("openai:MODEL", "local:MODEL@URL", ...); keys come from the
            environment.
        budget_usd, max_calls, max_tokens: what they may spend.
        blind_names: they see x1, x2, ... in place of the table's names.
        llm_options: further fields of `sldagent.evolution.config.RunConfig` about them, such as llm_share and prices.
        ray: address of a Ray cluster to evaluate on, or "local"; None: processes here.
        gpus_per_worker: GPUs of every Ray actor.

    Raises a `SldagentError` of one sentence for a table, option or archive that cannot be used.
    """
    from sldagent import session
    from sldagent.origin import origin_of
    from sldagent.workers.place import Place

    task = as_task(table, target, variables, group, split_column=split_column, at=at, data=data)
    read = isinstance(table, (str, Path)) and (at is None or isinstance(at, (str, Path)))
    roles = {"targets": target, "variables": variables, "group": group, "split_column": split_column}
    origin = origin_of(
        task,
        table if read and isinstance(table, (str, Path)) else None,
        roles,
        data=None if data is None else Path(data),
        at=at if read else None,
        jail=jail,
    )
    named: dict[str, Any] = {"llm": (llm,) if isinstance(llm, str) else tuple(llm), **(llm_options or {})}
    named |= {"budget_usd": budget_usd, "max_calls": max_calls, "max_tokens": max_tokens, "blind_names": blind_names}
    config = run_config(minutes=minutes, candidates=candidates, seed=seed, islands=islands, workers=workers, **named)
    grounds = session.prepare(task)
    with Archive.open(archive) as store:
        seeds = session.read_program_files([Path(p) for p in seed_programs], grounds, jail)
        outcome = session.run(
            grounds, config, store, observer, seeds=seeds, jail=jail, origin=origin, place=Place(ray, gpus_per_worker)
        )
        return describe(outcome, store)


def resume(
    run: str,
    table: pandas.DataFrame | str | Path | Task | None = None,
    target: str | Sequence[str] | None = None,
    variables: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    split_column: str | None = None,
    at: Any = None,
    data: str | Path | None = None,
    workers: int | None = None,
    archive: str = "sqlite:///sldagent.db",
    observer: Observer | None = None,
    ray: str | None = None,
    gpus_per_worker: float = 0.0,
) -> Discovery:
    """Go on with a run that was stopped, failed or whose process died, as if it had never ended.

    Args:
        run: its id, or a beginning of it.
        table: only where the run was started on a data frame (then with the same `target`, `variables`, `group`,
            `split_column` and `at` as before), or where its file moved.

    Raises ConfigError or ArchiveError for a run that cannot go on, and RunFailed as `discover` does.
    """
    from sldagent import session
    from sldagent.workers.place import Place

    moved = table if isinstance(table, (str, Path)) else None
    task = None
    if table is not None and moved is None:
        task = as_task(table, target, variables, group, split_column=split_column, at=at)
    with Archive.open(archive, create=False) as store:
        folder = None if data is None else Path(data)
        place = Place(ray, gpus_per_worker)
        outcome = session.resume(run, store, observer, task=task, table=moved, data=folder, workers=workers, place=place)
        return describe(outcome, store)


def describe(outcome: Any, store: Archive) -> Discovery:
    """The finished run as a `Discovery`."""
    from sldagent.report.build import build_report, law_summary
    from sldagent.report.tables import plain
    from sldagent.report.text import closing

    report = build_report(outcome, store)
    summary, groups = outcome.summary, outcome.grounds.task.groups
    listed = report.shortlist
    shortlist = tuple(
        replace(law, training=outcome.grounds.train, others=tuple(o for o in listed if o is not law)) for law in listed
    )
    return Discovery(
        run=summary.run,
        task=outcome.grounds.task.name,
        choice=shortlist[0] if shortlist else None,
        shortlist=shortlist,
        front=tuple(law_summary(summary.law(r.k), r, groups) for r in report.front),
        reason="" if summary.choice is None else summary.choice.reason,
        candidates=summary.candidates,
        failures=dict(summary.failures),
        seconds=summary.seconds,
        archive=outcome.archive,
        report=plain(closing(report)),
    )


def run_config(
    *, minutes: float | None, candidates: int | None, seed: int, islands: int | None, workers: int | None, **models: Any
) -> Any:
    """A run's configuration; two minutes where no bound is given.  `models`: its fields about language models."""
    from sldagent.evolution.config import RunConfig

    given: dict[str, Any] = {"islands": islands, "workers": workers}
    if minutes is None and candidates is None:
        minutes = DEFAULT_MINUTES
    options = {key: value for key, value in given.items() if value is not None}
    return RunConfig(seed=seed, minutes=minutes, candidates=candidates, **options, **models)


def fit(
    table: pandas.DataFrame | str | Path | Task,
    law: str,
    target: str | Sequence[str] | None = None,
    variables: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    loss: str | None = None,
    split_column: str | None = None,
    data: str | Path | None = None,
    seed: int = 0,
    engine: Engine = "auto",
    bootstrap: int = 0,
    cluster: Cluster = "cell",
    resample: Resample = "pairs",
) -> Fitted:
    """Fit one given law to a table's training rows.

    Args:
        law: a published law's name ("chinchilla"), a formula ("E + A*N**-a"), or the path of a program file.
        loss: mse, relative, log, huber:DELTA or lad; default: the law's own, mse for a formula.
        engine: "cpu" (numba), "jax" (an accelerator, or JAX's CPU device), or "auto": JAX where it has an accelerator and
            the table has so many groups that this is faster.
        bootstrap: refits to as many resamples of the rows; `Fitted.intervals` then has an interval for every parameter.
        cluster: what is resampled as a whole: "cell" (training runs, or combinations of scale levels), "run" or "group".
        resample: "pairs" draws rows, "residuals" keeps the rows and changes the signs of their residuals.

    Raises LawError, FitError, TableError, ConfigError.
    """
    task = as_task(table, target, variables, group, split_column=split_column, data=data)
    found = fit_task(task, law, loss, seed, engine=engine)
    if not bootstrap:
        return found
    from sldagent.uncertainty.bootstrap import Resampling
    from sldagent.uncertainty.laws import with_bootstrap

    return with_bootstrap(found, Resampling(bootstrap, seed, cluster, resample, engine))


def fit_task(
    task: Task, law: str, loss: str | None = None, seed: int = 0, *, jail: Mode = "auto", engine: Engine = "auto"
) -> Fitted:
    """`fit` for a task: of all ways to assign a published law's variables, the one with the lowest loss.

    `jail` is how a program's own fitting code is kept in; such code fits on the CPU, and with the engine "jax" is refused.
    """
    from sldagent.fitting.public import fit_program
    from sldagent.foreign.custom import fit_by_own_code
    from sldagent.foreign.jails import ProgramJails

    train = task.part("train")
    if len(train.X) == 0:
        raise FitError(f"{task.source}: no row has 'train' in column '{task.split_column}', so there is nothing to fit")
    programs = [with_loss(p, loss) for p in programs_for(train, law)]
    fits, refusal = [], None
    for program in programs:
        try:
            if program.custom_fit is None:
                fits.append(fit_program(program, train, seed=seed, engine=engine))
            else:
                if engine == "jax":
                    raise ConfigError("the engine 'jax' does not run a program's own fitting code: use engine auto or cpu")
                with ProgramJails(jail) as jails:
                    fits.append(fit_by_own_code(program, train, jails))
        except FitError as error:
            refusal = error
    if not fits:
        raise refusal or FitError(f"the law '{law}' cannot be fitted to '{task.name}'")
    best = min(fits, key=lambda f: f.objective)
    found = from_fit(law, task, best.program, best.parameters, best.objective, best.r2)
    return replace(found, standard_errors=best.standard_errors, diagnosis=best.diagnosis)


def open_archive(url: str = "sqlite:///sldagent.db", *, read_only: bool = True) -> Archive:
    """The archive at `url`.  Raises ArchiveError where there is none."""
    return Archive.open(url, read_only=read_only, create=not read_only)


def as_task(
    table: pandas.DataFrame | str | Path | Task,
    target: str | Sequence[str] | None = None,
    variables: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    split_column: str | None = None,
    at: Any = None,
    data: str | Path | None = None,
) -> Task:
    """Any table as a task; a `Task` comes back as it is."""
    if isinstance(table, Task):
        return table
    if isinstance(table, (str, Path)):
        return load_task(
            table,
            data=None if data is None else Path(data),
            targets=target,
            variables=variables,
            group=group,
            split_column=split_column,
            at=at,
        )
    if not hasattr(table, "columns"):
        raise TableError(f"a table is a pandas data frame, a path or a built-in task's name, not a {type(table).__name__}")
    return task_from_frame(table, targets=target, variables=variables, group=group, split_column=split_column, at=at)
