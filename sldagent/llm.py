"""The language models of a run, from its configuration to proposers: live, or answering from a recorded run."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from sldagent.archive.records import AskedRecord
from sldagent.archive.store import Archive
from sldagent.chat.adapters import make_backend
from sldagent.chat.base import Chat, ChatBackend
from sldagent.chat.client import LiveChat, Surroundings
from sldagent.chat.ledger import Budget, Ledger, require_price
from sldagent.chat.policy import Notice, Policy
from sldagent.chat.prices import Prices
from sldagent.chat.replay import ReplayChat
from sldagent.chat.specs import ModelSpec, parse_spec
from sldagent.diagnosis.study import Study
from sldagent.errors import ConfigError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.evolution.slots import Models
from sldagent.prompts.names import blind_names, plain_names
from sldagent.proposers.llm.conversation import Options
from sldagent.proposers.llm.proposer import Desk, LLMProposer
from sldagent.tasks.task import Cut, Task

HOSTED = Policy(concurrency=32)
"""What providers usually allow without asking to slow down."""
LOCAL = Policy(concurrency=2, attempt_timeout=600.0, total_timeout=1800.0)
"""A server on the user's own machine answers one request after another, and slowly."""
_OURS = frozenset({"messages", "model", "max_tokens", "max_completion_tokens", "stream", "n"})


@dataclass(frozen=True)
class Terms:
    """What a configuration says about language models, checked."""

    chains: tuple[tuple[ModelSpec, ...], ...]
    """Each model with its fallbacks."""
    budget: Budget
    prices: Prices
    options: Options

    @classmethod
    def of(cls, config: RunConfig) -> Terms:
        """Raises ConfigError: a model, price or budget that cannot be understood, a model named twice, or a budget in
        dollars for a model whose price is unknown."""
        specs, fallbacks = [parse_spec(t) for t in config.llm], [parse_spec(t) for t in config.llm_fallbacks]
        identities = [spec.identity for spec in (*specs, *fallbacks)]
        twice = next((name for n, name in enumerate(identities) if name in identities[:n]), None)
        if twice is not None:
            raise ConfigError(f"the language model {twice} is named twice; name each model once")
        if fallbacks and not specs:
            raise ConfigError("a fallback was named, but no language model; name one with --llm")
        prices, budget = Prices.read(config.prices), Budget(config.budget_usd, config.max_calls, config.max_tokens)
        if budget.usd is not None:
            for identity in identities:
                require_price(prices, identity)
        options = Options(config.answer_tokens, _extra(config.llm_extra))
        return cls(tuple((spec, *fallbacks) for spec in specs), budget, prices, options)


def _extra(text: str) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"the further fields of a request must be one JSON object, not {text[:80]!r}")
    if ours := sorted(_OURS & set(found)):
        raise ConfigError(f"the further fields of a request must not hold '{ours[0]}', which sldagent fills itself")
    return found


def make_desk(task: Task, cuts: Sequence[Cut], config: RunConfig, options: Options) -> Desk:
    """What all models of a run share: the study of its training rows, names, prompts and answers."""
    names = blind_names(task) if config.blind_names else plain_names(task)
    return Desk.of(Study(Evaluator(task, cuts)), names, prompt_tokens=config.prompt_tokens, options=options)


class LiveModels:
    """Models that are asked over the network; nothing where the configuration names none."""

    def __init__(
        self, config: RunConfig, environment: Mapping[str, str] | None = None, *, policy: Policy | None = None,
    ) -> None:
        """`policy`: None: by the kind of model.  Raises ConfigError (see `Terms.of`), and for a missing package
        or key."""
        self._config = config
        self._terms = Terms.of(config)
        self._policy = policy
        backends: dict[ModelSpec, ChatBackend] = {}
        for chain in self._terms.chains:
            for spec in chain:
                if spec not in backends:
                    backends[spec] = make_backend(spec, environment)
        self._backends = backends

    def start(self, task: Task, cuts: Sequence[Cut], archive: Archive, stop: threading.Event, run: str) -> Models:
        """The models of a run that is in the archive.  Raises ConfigError where the budget cannot be kept."""
        notices: SimpleQueue[Notice] = SimpleQueue()
        ledger = Ledger(archive.chats(), run, self._terms.budget, self._terms.prices)
        around = Surroundings(sleep=stop.wait, announce=notices.put)
        chats: list[Chat] = [
            LiveChat([self._backends[spec] for spec in chain], ledger, self._patience(chain[0]), around)
            for chain in self._terms.chains
        ]
        desk = make_desk(task, cuts, self._config, self._terms.options)
        return Models([LLMProposer(chat, desk) for chat in chats], notices=notices)

    def _patience(self, spec: ModelSpec) -> Policy:
        usual = self._policy or (LOCAL if spec.kind == "local" else HOSTED)
        most = self._config.llm_concurrency
        return usual if most is None else replace(usual, concurrency=most)

    def close(self) -> None:
        """Let go of the connections."""
        for backend in self._backends.values():
            backend.close()


class RecordedModels:
    """Models that answer as they did in a recorded run; no key, no network."""

    def __init__(self, config: RunConfig, run: str, source: Archive) -> None:
        self._config = config
        self._terms = Terms.of(config)
        self._run = run
        self._source = source

    def start(self, task: Task, cuts: Sequence[Cut], archive: Archive, run: str) -> Models:
        """The models, whose answers are copied into `archive`."""
        archive.chats().copy_all(self._source.chats().of_run(self._run))
        chats = [ReplayChat([spec.identity for spec in chain], self._source.chats()) for chain in self._terms.chains]
        desk = make_desk(task, cuts, self._config, self._terms.options)
        return Models([LLMProposer(chat, desk) for chat in chats], settled(self._source, self._run))

def settled(archive: Archive, run: str) -> dict[int, AskedRecord]:
    """Slots of a recorded run that the budget did not allow, by candidate."""
    return {r.k: r.asked for r in archive.candidates(run) if r.asked is not None and r.asked.outcome == "budget"}
