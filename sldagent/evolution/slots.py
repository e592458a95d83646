"""Slots of a run that are dealt to language models: which, to whom, and what came of asking.

Candidate k is a model's or the grammar's by the seed and k alone, never by who is idle.  A model's is asked for with a
longer look-back M than the grammar's: the prompt is written from the state after candidate k - M, and everything about
the request is decided then.  The answer may come whenever it comes; it is waited for when it is candidate k's turn to
commit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sldagent.archive.records import AskedRecord
from sldagent.chat.policy import Notice
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.background import background
from sldagent.evolution.bandit import Arm
from sldagent.evolution.config import RunConfig
from sldagent.evolution.emphasis import reserved
from sldagent.evolution.rng import generator
from sldagent.evolution.state import SearchState
from sldagent.laws.program import Program
from sldagent.prompts.operators import OPERATORS
from sldagent.proposers.base import Background, Context, Parent
from sldagent.proposers.llm.conversation import Conversation, Told
from sldagent.proposers.llm.proposer import PREFIX, LLMProposer


@dataclass(frozen=True)
class Slot:
    """One candidate that a model was asked for."""

    k: int
    arm: Arm
    parents: tuple[Parent, ...]
    """Those that the operator works on."""

    @property
    def operator(self) -> str:
        """As in the archive."""
        return PREFIX + self.arm.operator


@dataclass(frozen=True)
class _Raised:
    """What asking raised: a provider that is down, a key that is refused, a defect."""

    error: BaseException


class Models:
    """The models of a run, and what was asked of them.

    `ask`, `take` and `judge` are called in the coordinator's thread; only conversations are held in others, which never
    keep the process alive.
    """

    def __init__(
        self, proposers: Sequence[LLMProposer], known: Mapping[int, AskedRecord] | None = None,
        notices: queue.SimpleQueue[Notice] | None = None,
    ) -> None:
        """`known`: by candidate, what is recorded already of slots that the budget did not allow; their outcome depended
        on what was under way then, so it is taken from the record.  `notices`: what the chats announce."""
        self._proposers = {p.model: p for p in proposers}
        self._known = dict(known or {})
        self._slots: dict[int, Slot] = {}
        self._told: dict[int, Told | _Raised] = {}
        self._arrived: queue.SimpleQueue[tuple[int, Told | _Raised]] = queue.SimpleQueue()
        self._waiting = 0
        self._notices = notices or queue.SimpleQueue()

    def deals(self, k: int, seeds: int, config: RunConfig) -> bool:
        """Whether candidate `k` is a model's, where the budget allows it; `seeds`: size of generation 0."""
        if not self._proposers or k < seeds or reserved(k, config.emphasis_at, config.look_back):
            return False
        return bool(generator(config.seed, k, "slot").random() < config.llm_share)

    def ask(self, context: Context, state: SearchState) -> None:
        """Ask for candidate `context.k`, whose context is of `state`; returns at once."""
        k, config = context.k, state.config
        usable = {model: proposer.operators(context.parents) for model, proposer in self._proposers.items()}
        arm = state.table.choose(usable, generator(config.seed, k, "arm"))
        self._slots[k] = Slot(k, arm, tuple(context.parents[: OPERATORS[arm.operator].parents]))
        if k in self._known:
            self._told[k] = Told(None, self._known[k])
            return
        conversation = self._proposers[arm.model].prepare(context, arm.operator)
        self._waiting += 1
        threading.Thread(target=self._hold, args=(k, conversation), name=f"ask-{k}", daemon=True).start()

    def _hold(self, k: int, conversation: Conversation) -> None:
        told: Told | _Raised
        try:
            told = conversation.run()
        except BaseException as error:  # handed to the coordinator
            told = _Raised(error)
        self._arrived.put((k, told))

    def slot(self, k: int) -> Slot | None:
        """The slot of candidate `k`; None where it is the grammar's."""
        return self._slots.get(k)

    @property
    def waiting(self) -> int:
        """Conversations that are not over."""
        return self._waiting

    def listen(self, timeout: float) -> None:
        """Take what has arrived; waits up to `timeout` seconds for the first one."""
        while self._waiting:
            try:
                k, told = self._arrived.get(timeout=timeout) if timeout > 0 else self._arrived.get_nowait()
            except queue.Empty:
                return
            self._waiting -= 1
            self._told[k] = told
            timeout = 0.0

    def notices(self) -> list[str]:
        """What a user should hear about since the last call: a provider that is slow or down, a fallback in use."""
        found = []
        while not self._notices.empty():
            found.append(self._notices.get().message)
        return found

    def told(self, k: int) -> Told | None:
        """How the conversation about candidate `k` ended; None while it is under way.

        Raises what the conversation raised.
        """
        found = self._told.get(k)
        if isinstance(found, _Raised):
            raise found.error
        return found

    def judge(self, slot: Slot, asked: AskedRecord, program: Program | None, evaluation: Evaluation) -> AskedRecord:
        """`asked` with whether its promise held; forgets the slot."""
        del self._slots[slot.k]
        self._told.pop(slot.k, None)
        if program is None:
            return asked
        return self._proposers[slot.arm.model].judge(asked, slot.parents[0] if slot.parents else None, program, evaluation)


def context_for_model(
    k: int, state: SearchState, parents: Callable[[int, int, SearchState], tuple[Parent, ...]]
) -> Context:
    """The context of a model's candidate; `parents` picks them (candidate, island, state)."""
    config, island = state.config, k % state.config.islands
    return Context(
        k=k, island=island, temperature=config.temperature(island), bias=config.bias(island),
        parents=parents(k, island, state), seen=frozenset(), credit={}, emphasis=state.trial.emphasis,
        background=Background() if config.independent else background(state), state=state.committed,
    )  # fmt: skip
