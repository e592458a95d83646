"""``sldagent estimate TABLE --llm SPEC``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sldagent.cli import output
from sldagent.cli.options import add_models, add_roles, load_task, model_options, positive_int, seed_int
from sldagent.report.tables import table

if TYPE_CHECKING:
    from sldagent.estimate import Estimate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="CSV or Parquet table, task card (.toml) or built-in task")
    add_roles(parser)
    parser.add_argument("--at", metavar="TABLE", type=Path, help="table of inputs at which predictions are wanted")
    parser.add_argument("--candidates", metavar="N", type=positive_int, required=True, help="candidates of the run")
    parser.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of the run (default: 0)")
    add_models(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, and only JSON, to standard output")


def run(args: argparse.Namespace) -> int:
    from sldagent import session
    from sldagent.api import run_config
    from sldagent.estimate import estimate

    grounds = session.prepare(load_task(args, args.table))
    config = run_config(
        minutes=None, candidates=args.candidates, seed=args.seed, islands=None, workers=None, **model_options(args)
    )
    found = estimate(grounds, config)
    if args.json:
        output.print_json(found)
    else:
        _show(found)
    return 0


def _show(found: Estimate) -> None:
    output.show(
        f"{found.slots} of {found.candidates} candidates are dealt to language models; a prompt has about "
        f"{found.prompt_tokens} tokens, of which {found.prefix_tokens} are the same for all"
    )
    columns = ["model", "calls", "tokens in", "cached", "tokens out", "dollars", "at most"]
    rows = [
        (m.model, m.calls, m.tokens_in, m.tokens_cached, m.tokens_out, _usd(m.usd), _usd(m.usd_most)) for m in found.models
    ]
    output.show(table(columns, rows, numbers=columns[1:]))
    output.show(
        "Assumed: answers of 700 tokens, and a repair turn for 15 % of a model's candidates.  At most: every answer as long "
        "as --answer-tokens allows.",
    )
    if any(m.usd is None for m in found.models):
        output.show("A price is unknown; give it with --price KIND:MODEL=INPUT/OUTPUT, dollars per million tokens.")


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}" if value < 1 else f"{value:.2f}"
