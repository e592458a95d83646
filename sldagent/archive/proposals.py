"""What language models were asked for candidates: the rows of `proposal`, and the ledger's entries beside them.

They are written in the transaction that commits their candidate, so the ledger never knows less or more than the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from sldagent.archive.chat import book_calls
from sldagent.archive.chat_models import ProposalRow
from sldagent.archive.models import Ledger
from sldagent.archive.records import AskedRecord, CandidateRecord
from sldagent.archive.write import table

_RENAMED = {"before": "residual_before", "after": "residual_after"}
_SAME = (
    "model", "operator", "state", "outcome", "answered_by", "form", "hypothesis", "promise", "kept", "why", "error",
    "tokens", "usd",
)  # fmt: skip


def add(connection: Connection, run: str, records: Iterable[CandidateRecord], created: datetime) -> None:
    """Write what was asked for these candidates, and book what the answers cost, in the order of commits."""
    asked = [(record.k, record.asked) for record in records if record.asked is not None]
    if not asked:
        return
    rows = []
    for k, told in asked:
        values = {name: getattr(told, name) for name in _SAME}
        values |= {column: getattr(told, name) for name, column in _RENAMED.items()}
        rows.append({"run": run, "k": k, **values})
    connection.execute(insert(table(ProposalRow)), rows)
    book_calls(connection, run, [(k, told.calls) for k, told in asked], created)


def asked_for(connection: Connection, run: str, proposals: Any, ledger: Any) -> dict[int, AskedRecord]:
    """By candidate index; `proposals` and `ledger` are the conditions on the two tables' `k`."""
    query = select(*table(ProposalRow).columns).where(ProposalRow.run == run, proposals)
    rows = connection.execute(query).mappings().all()
    if not rows:
        return {}
    calls: dict[int, list[str]] = defaultdict(list)
    taken = select(Ledger.k, Ledger.chat_call).where(Ledger.run == run, ledger, Ledger.kind == "call")
    for k, key in connection.execute(taken.order_by(Ledger.entry)):
        if k is not None and key is not None:
            calls[k].append(key)
    found = {}
    for row in rows:
        values = {name: row[name] for name in _SAME} | {name: row[column] for name, column in _RENAMED.items()}
        found[row["k"]] = AskedRecord(calls=tuple(calls[row["k"]]), **values)
    return found
