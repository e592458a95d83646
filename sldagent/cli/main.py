"""The command line's entry: finds the verb, loads its module, turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 a defect (traceback); 2 the user's error, one sentence on standard error; 3 a run was stopped and can
be resumed; 4 a run failed midway and can be resumed; 130 interrupted; 141 the reader of standard output went away.  Only
the chosen verb's module is imported, and nothing heavy before its `run`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from sldagent import __version__
from sldagent.errors import RunFailed, SldagentError

VERBS: dict[str, str] = {
    "discover": "discover a law from a table and keep every candidate in the archive",
    "resume": "go on with a run that was stopped, failed or whose process died",
    "status": "say how a run is doing and who works on it",
    "stop": "ask a run to end; all that is finished is saved",
    "estimate": "say what a discovery's language models would cost, before it starts",
    "replay": "repeat a run with its recorded answers, offline, into another archive",
    "ablate": "compare a discovery with and without language models, on the same budget",
    "runs": "list the archive's runs, newest first",
    "front": "show a run's Pareto front: extrapolation error against complexity",
    "show": "show one law: formula, parameters, error per cut, ancestry",
    "report": "write a run up as one HTML page, as Markdown, or as single figures",
    "compare": "compare two laws, on the same cuts and ten times beyond the data",
    "ui": "show the archive as a local web page, live while a run works",
    "sql": "ask the archive in SQL (read-only)",
    "archive": "care for the archive: upgrade, check, copy, backup, prune",
    "fit": "fit one given law to a table",
    "predict": "predict with a law for the rows of a table",
    "score": "score a law on a table's test rows; the archive keeps a record",
    "plan": "decide by a law: spend compute, choose settings, price a target, pick the next runs",
    "select": "rank groups at a scale that none has reached, say base models by small fine-tuning trials",
    "export": "write a law as Python (numpy, JAX, PyTorch), JSON, SymPy, LaTeX, Typst or a package",
    "import": "bring an exported law into an archive",
    "bench": "discover on a suite of tables and score beside published figures",
    "predictor": "fit, apply and measure a published system: bnsl, sloth and others",
    "tasks": "list the built-in tasks",
    "laws": "list the catalogue of published laws",
    "doctor": "say whether this host is safe for untrusted fitting code, and try it",
}

_MODULES = {"import": "import_law"}
"""Modules of verbs whose names are Python's own words."""
FAILED = 4
"""Exit code of a run that began and could not go on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (argparse itself exits on ``--help`` and on usage errors)."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        parser, module = _parser(words)
        args = parser.parse_args(words)
        if module is None:
            parser.print_help(sys.stderr)
            return 2
        code: int = module.run(args)
        sys.stdout.flush()
        return code
    except RunFailed as error:
        return _fail(str(error), FAILED)
    except SldagentError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Python flushes standard output at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = f" '{error.filename}'" if error.filename else ""
        return _fail(f"cannot use the file{where}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("sldagent: interrupted", file=sys.stderr)
        return 130


def _fail(message: str, code: int = 2) -> int:
    print(f"sldagent: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _parser(words: Sequence[str]) -> tuple[argparse.ArgumentParser, Any]:
    """The parser, with options only for the verb that `words` names, and that verb's module (None without a verb)."""
    parser = argparse.ArgumentParser(
        prog="sldagent",
        description="Discovers scaling laws from a table of experiments.",
        epilog="'sldagent VERB --help' explains a verb.  Start with: sldagent discover tiny_lm",
    )
    parser.add_argument("--version", action="version", version=f"sldagent {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    chosen = next((word for word in words if not word.startswith("-")), None)
    module = None
    for name, summary in VERBS.items():
        sub = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = import_module(f"sldagent.cli.{_MODULES.get(name, name)}")
            module.add_arguments(sub)
    return parser, module
