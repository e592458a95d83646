"""The baselines by name."""

from __future__ import annotations

from collections.abc import Mapping

from sldagent.bench.baselines import gplearn_search, operon_search
from sldagent.bench.baselines.best_of_n import BestOfN
from sldagent.bench.baselines.catalogue_alone import CatalogueAlone
from sldagent.bench.baselines.human import Human
from sldagent.bench.baselines.symbolic import SymbolicRegression
from sldagent.bench.method import Method
from sldagent.errors import ConfigError

_ALL: tuple[Method, ...] = (
    Human(),
    CatalogueAlone(),
    BestOfN(),
    SymbolicRegression("pyoperon", "pyoperon", operon_search.search, threaded=True),
    SymbolicRegression("gplearn", "gplearn", gplearn_search.search, threaded=False),
)
BASELINES: Mapping[str, Method] = {m.name: m for m in _ALL}
"""By name, in the order of tables."""


def baselines_of(text: str | None) -> tuple[Method, ...]:
    """The baselines that ``--baselines`` names, separated by commas; ``all`` for all of them.

    Raises ConfigError for an unknown name.
    """
    names = [n.strip() for n in (text or "").split(",") if n.strip()]
    if names == ["all"]:
        return tuple(BASELINES.values())
    unknown = [n for n in names if n not in BASELINES]
    if unknown:
        raise ConfigError(f"--baselines: there is no baseline '{unknown[0]}'; give some of {', '.join(BASELINES)}, or 'all'")
    return tuple(BASELINES[n] for n in dict.fromkeys(names))
