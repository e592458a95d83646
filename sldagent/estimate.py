"""What a run's language models will cost, before it starts: slots counted, prompts measured, answers assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sldagent.chat.base import ChatRequest, Message, Reply, Usage
from sldagent.chat.failures import MissingAnswer
from sldagent.chat.prices import NANO, Price, likely_tokens, upper_tokens
from sldagent.errors import ConfigError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.evolution.plan import Planned, Planner
from sldagent.evolution.slots import Models, context_for_model
from sldagent.evolution.state import SearchState
from sldagent.llm import Terms, make_desk
from sldagent.proposers.grammar import GrammarProposer
from sldagent.proposers.llm.proposer import LLMProposer
from sldagent.session import Grounds

SAMPLE = 12
"""Laws of generation 0 that are fitted, so that prompts have something to show."""
PROMPTS = 24
"""Prompts that are written and measured."""
REPAIRED = 0.15
"""Share of a model's candidates that is assumed to need the repair turn."""
ANSWER = 700
"""Tokens of an answer that are assumed; a model that reasons at length takes more."""


@dataclass(frozen=True)
class ModelEstimate:
    """One model's part."""

    model: str
    calls: int
    tokens_in: int
    tokens_cached: int
    """Of `tokens_in`: the prefix that all but the first prompt share, where the provider caches it."""
    tokens_out: int
    usd: float | None
    """Likely; None: the price is unknown."""
    usd_most: float | None
    """If every answer and repair took all the tokens it may."""


@dataclass(frozen=True)
class Estimate:
    """The whole run."""

    slots: int
    """Candidates dealt to models."""
    candidates: int
    prompt_tokens: int
    """Mean over the prompts that were written."""
    prefix_tokens: int
    models: tuple[ModelEstimate, ...]


class Mute:
    """A chat that is never asked: prompts are only written."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def ask(self, request: ChatRequest) -> Reply:
        raise MissingAnswer("an estimate asks nobody")


def estimate(grounds: Grounds, config: RunConfig) -> Estimate:
    """What `config` would cost on this task.

    Raises ConfigError where no model is named or nothing bounds the number of candidates.
    """
    terms = Terms.of(config)
    if not terms.chains:
        raise ConfigError("there is nothing to estimate without a language model: name one with --llm")
    if config.candidates is None:
        raise ConfigError("how many candidates a run reaches in a time is not known before: give --candidates")
    proposer = GrammarProposer(grounds.train)
    desk = make_desk(grounds.train, grounds.cuts, config, terms.options)
    models = [LLMProposer(Mute(chain[0].identity), desk) for chain in terms.chains]
    seeds = proposer.seeds()
    slots = sum(Models(models).deals(k, len(seeds), config) for k in range(config.candidates))
    requests = sample_requests(grounds, config, proposer, models[0], terms.options.max_tokens)
    calls = math.ceil(slots * (1.0 + REPAIRED))
    calls = calls if config.max_calls is None else min(calls, config.max_calls)
    shares = _shares(calls, len(models))
    parts = tuple(_part(m.model, n, requests, terms.prices.of(m.model)) for m, n in zip(models, shares, strict=True))
    tokens = [likely_tokens(r) for r in requests]
    prefix = math.ceil(len(desk.writer.prefix.encode()) / 3.5)
    return Estimate(slots, config.candidates, round(float(np.mean(tokens))), prefix, parts)


def sample_requests(
    grounds: Grounds, config: RunConfig, proposer: GrammarProposer, model: LLMProposer, max_tokens: int
) -> list[ChatRequest]:
    """Prompts as they would be written after a few laws have been fitted."""
    state, planner = SearchState(config), Planner(proposer)
    evaluator = Evaluator(grounds.train, grounds.cuts)
    for k, proposal in enumerate(planner.seeds[:SAMPLE]):
        planned = Planned.of(k, k % config.islands, proposal)
        state.apply(planned.record(state.settle(evaluator.evaluate(proposal.program))), proposal.program)
    requests = []
    for k in range(SAMPLE, SAMPLE + PROMPTS):
        context = context_for_model(k, state, planner.parents)
        operators = model.operators(context.parents)
        prompt = model.prepare(context, operators[k % len(operators)]).prompt
        messages = (Message("system", prompt.prefix, cache=True), Message("user", prompt.call))
        requests.append(ChatRequest(messages, max_tokens))
    return requests


def _shares(calls: int, models: int) -> list[int]:
    return [calls // models + (n < calls % models) for n in range(models)]


def _part(model: str, calls: int, requests: Sequence[ChatRequest], price: Price | None) -> ModelEstimate:
    each = float(np.mean([likely_tokens(r) for r in requests]))
    prefix = math.ceil(len(requests[0].messages[0].text.encode()) / 3.5)
    answer = min(ANSWER, requests[0].max_tokens)
    caches = price is not None and price.cached is not None
    cached = prefix * max(0, calls - 1) if caches else 0
    usage = Usage(math.ceil(each * calls), answer * calls, cached)
    likely = None if price is None else price.cost(usage)
    worst = None if price is None else calls * max(price.worst(upper_tokens(r), r.max_tokens) for r in requests)
    return ModelEstimate(
        model, calls, usage.tokens_in or 0, cached, usage.tokens_out or 0,
        None if likely is None else likely / NANO, None if worst is None else worst / NANO,
    )  # fmt: skip
