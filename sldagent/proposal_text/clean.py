"""Undo what chat interfaces do to code: thinking tags, typographic characters, tabs, quoting."""

from __future__ import annotations

import re
import textwrap

MAX_ANSWER = 200_000
"""Characters of an answer that are read."""
_TAGS = "think|thinking|thought|reasoning|reflection|scratchpad|analysis"
_CLOSED = re.compile(rf"<({_TAGS})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_LEFT = re.compile(rf"\A.*</(?:{_TAGS})>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(rf"<(?:{_TAGS})>", re.IGNORECASE)
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad\x00"))
_TYPOGRAPHIC = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "′": "'", "−": "-", "–": "-",
        "—": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "∗": "*", "⋅": "*", "÷": "/", "\u00a0": " ", "\u2009": " ",
        "\u202f": " ",
        "\u3000": " ", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "ζ": "zeta", "η": "eta",
        "θ": "theta", "κ": "kappa", "λ": "lam", "μ": "mu", "ν": "nu", "ξ": "xi", "ρ": "rho", "σ": "sigma", "τ": "tau",
        "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "²": "**2", "³": "**3",
    }
)  # fmt: skip


def clean_answer(text: str) -> tuple[str, bool]:
    """The answer without its thinking, and whether it stopped while thinking."""
    text = text[:MAX_ANSWER].replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    text = _LEFT.sub("", _CLOSED.sub("", text))
    opened = _OPEN.search(text)
    return (_OPEN.sub("", text), True) if opened else (text, False)


def clean_code(text: str) -> str:
    """Code with plain quotes, signs and spaces; tabs expanded, a common margin or quoting marks removed."""
    lines = text.translate(_TYPOGRAPHIC).replace("\f", "").expandtabs(4).split("\n")
    filled = [line for line in lines if line.strip()]
    for mark in (r">>> ?|\.\.\. ?", r"> ?", r"\| ?"):
        if filled and all(re.match(mark, line) for line in filled):
            lines = [re.sub(rf"\A(?:{mark})", "", line) for line in lines]
            break
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n")
