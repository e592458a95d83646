"""What the scripted server says: improvements of a law over N and D that are known to be right, and what models do wrong."""

from __future__ import annotations

from talk_server import content_number

PARAMETERS = {
    "E": "positive()", "A": "positive()", "B": "positive()", "a": "interval(0, 2)", "b": "interval(0, 2)", "c": "real()",
}  # fmt: skip
FORMULAS = (
    "E + A * N**-a",
    "E + B * D**-b",
    "E + A * N**-a + B * D**-b",
    "E + A * N**-a * D**-b",
    "E + (A * N**-a + B * D**-b)**c",
    "E + A * (N + B)**-a",
    "E + A * exp(-a * log(N) - b * log(D))",
    "E + A * N**-a + B * D**-b + c * log(N)",
    "E + A * N**-a + B * N**-a * D**-b",
    "E + A * log1p(N)**-a + B * log1p(D)**-b",
)
PROMISES = ("bias at large N", "bias beyond D", "unexplained variance", "complexity", "interaction of N and D", "nothing")
WRONG = (
    "I would rather not.",
    "",
    "hypothesis: a typo\nfixes: range\n\n```python\ndef law(N, E, A, a):\n    return E + A * N**-\n```",
    "hypothesis: a stranger\nfixes: range\n\n```python\ndef law(N, Q, E):\n    return E + open(N)\n```",
)


def program(formula: str) -> str:
    """The program of a formula, as an answer writes it."""
    names = [n for n in ("N", "D", *PARAMETERS) if n in _words(formula)]
    declared = "\n".join(f'    "{n}": {PARAMETERS[n]},' for n in names if n in PARAMETERS)
    return f"def law({', '.join(names)}):\n    return {formula}\n\nparameters = {{\n{declared}\n}}\n"


def _words(formula: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in formula).split())


def told(messages: list[dict[str, str]]) -> str:
    """An answer by content: a quarter of the first answers and half of the repairs hold no program; the same program may
    answer different prompts."""
    number = content_number(messages)
    if number % (4 if len(messages) == 2 else 2) == 0:
        return WRONG[number // 5 % len(WRONG)]
    formula = FORMULAS[number // 5 % len(FORMULAS)]
    promise = PROMISES[number // 50 % len(PROMISES)]
    return f"hypothesis: {formula} leaves less.\nfixes: {promise}\n\n```python\n{program(formula)}```\n"
