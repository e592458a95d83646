"""The configuration of one run: frozen, strict, and stored with the run."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sldagent.errors import ConfigError


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """How a run searches.

    `workers`, `minutes`, `time_limit` and `drain` only decide how many candidates are reached and how soon;
    everything else decides which candidates there are.

    Raises:
        ConfigError: a value out of range.
    """

    seed: int = 0
    """Of every random decision in the run."""
    islands: int = 4
    """Sub-populations; candidate k belongs to island k mod islands."""
    workers: int = field(default_factory=available_cores)
    """Processes that evaluate; never changes which candidates there are."""
    minutes: float | None = None
    """Ends the run after so long; None: no bound in time."""
    candidates: int | None = None
    """Ends the run after so many candidates; None: no bound in number."""
    stagnation: int = 5000
    """Ends the run after so many candidates without a change of the front; 0: never."""
    look_back: int = 16
    """Candidate k is proposed from the state after candidate k - look_back; so many are in flight at most."""
    time_limit: float = 20.0
    """Seconds that one evaluation may take before it is cut off and flagged."""
    drain: float = 5.0
    """Seconds that candidates in flight are waited for when time is up or the run is interrupted."""
    population: int = 48
    """Members that an island keeps."""
    complexity_bin: int = 5
    """Width of the complexity bins whose best members an island keeps first."""
    temperatures: tuple[float, float] = (0.2, 0.9)
    """Boldness of the first and of the last island, 0 to 1; the others lie between."""
    tournaments: tuple[int, int] = (6, 2)
    """Tournament sizes of the first and of the last island; the others lie between."""
    biases: tuple[str, ...] = ()
    """Motif families that islands favour, dealt out in turn; '' or none: no bias."""
    front_share: float = 0.25
    """Chance that a parent comes from the run's front instead of the island."""
    second_parent: float = 0.3
    """Chance of a second parent."""
    fresh_share: float = 0.03
    """Chance of a child without parents."""
    migration_every: int = 200
    """Commits between migrations around the ring; 0: never."""
    reset_every: int = 1500
    """Commits between resets of the weakest island; 0: never."""
    founders: int = 4
    """Front members that a reset island starts from."""
    fresh_after_reset: int = 6
    """Children without parents that a reset island gets."""
    emphasis_at: int = 160
    """Candidate at which good laws are refitted with more weight on larger scale, to decide about it; 0: never."""
    independent: bool = False
    """No child knows of an earlier candidate: no parents, and prompts without front, forms tried and lessons (best of N)."""
    llm: tuple[str, ...] = ()
    """Language models that propose, as ``KIND:MODEL``; none: the grammar alone."""
    llm_fallbacks: tuple[str, ...] = ()
    """Models asked, in order, where one of `llm` is down."""
    llm_share: float = 0.5
    """Chance that a slot after generation 0 is dealt to a model."""
    llm_look_back: int = 128
    """A model's candidate k is asked for from the state after candidate k - llm_look_back."""
    llm_concurrency: int | None = None
    """Answers of one model waited for at once; None: 32, or 2 of a local server.  Changes no candidate."""
    llm_extra: str = ""
    """Further fields of every request to a model, as a JSON object; '' for none."""
    answer_tokens: int = 4096
    """Most tokens of one answer, reasoning included."""
    prompt_tokens: int = 6000
    """Most tokens of one prompt, as estimated at 3.5 characters each."""
    blind_names: bool = False
    """Models see x1, x2, ... in place of the table's names."""
    budget_usd: float | None = None
    """Most dollars spent on language models; None: no limit."""
    max_calls: int | None = None
    """Most requests to language models; None: no limit."""
    max_tokens: int | None = None
    """Most tokens of requests and answers together; None: no limit."""
    prices: tuple[str, ...] = ()
    """Prices as ``KIND:MODEL=INPUT/OUTPUT[/CACHED[/WRITTEN]]``, dollars per million tokens."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                top = f" to {high:g}" if math.isfinite(high) else " or more"
                raise ConfigError(f"'{name}' is {value}, but must be {low:g}{top}")
        for name, low, high in _PAIR_RANGES:
            if not all(low <= value <= high for value in getattr(self, name)):
                raise ConfigError(f"'{name}' is {getattr(self, name)}, but both must be {low:g} to {high:g}")
        if self.llm and self.llm_look_back < self.look_back:
            raise ConfigError(
                f"'llm_look_back' is {self.llm_look_back}, but must be at least 'look_back', which is {self.look_back}"
            )
        if self.minutes is None and self.candidates is None and self.stagnation == 0:
            raise ConfigError("the run would never end: give 'minutes', 'candidates' or 'stagnation'")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """A configuration from parsed text (TOML, JSON): lists stand for tuples.

        Raises:
            ConfigError: unknown key (with the nearest known one), wrong type, value out of range.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}
        checked: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"; did you mean '{near[0]}'?" if near else f"; known keys: {', '.join(sorted(known))}"
                raise ConfigError(f"unknown configuration key '{key}'{hint}")
            checked[key] = _typed(key, value, str(known[key].type))
        return cls(**checked)

    def to_mapping(self) -> dict[str, Any]:
        """The JSON-able opposite of `from_mapping`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @property
    def budgeted(self) -> bool:
        """Whether anything bounds what language models may spend."""
        return (self.budget_usd, self.max_calls, self.max_tokens) != (None, None, None)

    def temperature(self, island: int) -> float:
        """Boldness of one island."""
        return self._between(self.temperatures, island)

    def tournament(self, island: int) -> int:
        """Tournament size of one island."""
        return round(self._between(self.tournaments, island))

    def bias(self, island: int) -> str:
        """Motif family that one island favours, or ''."""
        return self.biases[island % len(self.biases)] if self.biases else ""

    def _between(self, ends: tuple[float, float], island: int) -> float:
        share = island / (self.islands - 1) if self.islands > 1 else 0.5
        return ends[0] + (ends[1] - ends[0]) * share


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("seed", 0, math.inf), ("islands", 1, 1000), ("workers", 1, 4096), ("minutes", 0, math.inf),
    ("candidates", 1, math.inf), ("stagnation", 0, math.inf), ("look_back", 1, 10_000),
    ("time_limit", 0.001, math.inf), ("drain", 0, math.inf), ("population", 2, 10_000),
    ("complexity_bin", 1, 1000), ("front_share", 0, 1), ("second_parent", 0, 1), ("fresh_share", 0, 1),
    ("migration_every", 0, math.inf), ("reset_every", 0, math.inf), ("founders", 0, 1000),
    ("fresh_after_reset", 0, 10_000), ("emphasis_at", 0, math.inf),
    ("llm_share", 0, 1), ("llm_look_back", 1, 100_000), ("llm_concurrency", 1, 1000),
    ("answer_tokens", 1, 1_000_000), ("prompt_tokens", 500, 1_000_000),
    ("budget_usd", 0, math.inf), ("max_calls", 0, math.inf), ("max_tokens", 0, math.inf),
)
_PAIR_RANGES: tuple[tuple[str, float, float], ...] = (("temperatures", 0, 1), ("tournaments", 1, 100))


def _typed(key: str, value: Any, declared: str) -> Any:
    """`value` as the declared type of a field, where it is one."""
    if value is None and "None" in declared:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared == "bool" and isinstance(value, bool):
        return value
    if declared.startswith("tuple"):
        kind = next(k for k in ("str", "float", "int") if k in declared)
        if isinstance(value, (list, tuple)) and (kind == "str" or len(value) == 2):
            return tuple(_typed(key, element, kind) for element in value)
    elif declared.startswith("int") and number and float(value).is_integer():
        return int(value)
    elif declared.startswith("float") and number and not math.isnan(value):
        return float(value)
    elif declared == "str" and isinstance(value, str):
        return value
    pair = "a list of texts" if "str" in declared else "a list of two numbers"
    wanted = {"i": "a whole number", "f": "a number", "s": "a text", "b": "true or false"}.get(declared[0], pair)
    raise ConfigError(f"configuration key '{key}' must be {wanted}, not {value!r}")
