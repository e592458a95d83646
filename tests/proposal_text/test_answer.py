"""Answers as models give them: what is read, and the exact error where nothing can be."""

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st
from study_tables import CHINCHILLA, chinchilla, program, study, table

from sldagent.laws.render import render_program
from sldagent.prompts.names import blind_names, plain_names
from sldagent.proposal_text import Reader

TASK = chinchilla()
FOUND = study(TASK)
READER = Reader(FOUND, plain_names(TASK))
PARENT = program(CHINCHILLA + 'recipe = fit(loss="huber", space="log", delta=0.001, starts=8)\n', TASK)
SHOWN = (render_program(PARENT),)
GOOD = """def law(N, D, E, A, a, k):
    return E + A*N**-a*log(D)**-k

parameters = {"E": positive(), "A": positive(), "a": interval(0, 2), "k": real()}
recipe = fit(loss="squared", space="raw", starts=16)"""
EXPECTED = program(GOOD, TASK)
HEAD = "hypothesis: too steep at large D,\nso bend it\nfixes: bias at large D\n\n"


def block(code: str, language: str = "python", fence: str = "```") -> str:
    return f"{fence}{language}\n{code}\n{fence}"


def test_the_contract():
    answer = READER.read(HEAD + block(GOOD))
    assert answer.program == EXPECTED and answer.error == "" and answer.form == "program"
    assert answer.hypothesis == "too steep at large D, so bend it"
    assert str(answer.promise) == "bias at large D" == answer.promised


@pytest.mark.parametrize(
    "text",
    [
        block(GOOD, ""),
        block(GOOD, "py", "~~~"),
        block(GOOD, "Python3", "````"),
        block(GOOD).rsplit("```", 1)[0],  # never closed
        "Sure! Here it is:\n\n" + block(GOOD) + "\n\nThis law bends. Let me know!",
        block(render_program(PARENT)) + "\nis the parent; mine:\n" + block(GOOD),
        block("import math") + "\n" + block(GOOD) + "\n" + block("print(1)"),
        "<think>\n" + block("def law(N, E):\n    return E") + "\n</think>\n" + block(GOOD),
        "so I would\n```python\ndef law(N): return N\n```\n</think>\n" + block(GOOD),
        block(GOOD.replace('"', "“").replace("-", "−")),
        block(GOOD.replace("    ", "\t")),
        block("\n".join("    " + line for line in GOOD.split("\n"))),
        block("\n".join("> " + line for line in GOOD.split("\n"))),
        block("import numpy as np\nfrom math import log\n\n" + GOOD.replace("log(", "np.log(")),
        GOOD,
        "Here is the law.\n\n" + GOOD + "\n\nIt bends at large D.",
        block(GOOD.split("\n\n")[0]) + "\nwith\n" + block(GOOD.split("\n\n")[1]),
        block(GOOD + "\n\nThis is why it works."),
        block('"""A law."""\n# bends\n' + GOOD),
        block(GOOD).replace("\n", "\r\n"),
        "\ufeff" + block(GOOD.replace(" ", "\u00a0")),
        '{"hypothesis": "x", "program": ' + __import__("json").dumps(GOOD) + "}",
        '{"code": ' + __import__("json").dumps(block(GOOD)) + "}",
    ],
    ids=range(23),
)
def test_tolerance(text):
    answer = READER.read(text, SHOWN, PARENT)
    assert answer.error == "" and answer.program == EXPECTED


def test_a_missing_recipe_and_missing_declarations_are_the_parents():
    law = "def law(N, D, E, A, a, B, b, k):\n    return E + A*N**-a + B*D**-b + k*log(N)"
    answer = READER.read(block(law), SHOWN, PARENT)
    assert answer.program is not None and answer.program.recipe == PARENT.recipe
    kinds = {p.name: p.kind for p in answer.program.law.parameters}
    assert kinds == {"E": "positive", "A": "positive", "a": "interval", "B": "positive", "b": "interval", "k": "real"}
    alone = READER.read(block(law))
    assert alone.program is not None and {p.kind for p in alone.program.law.parameters} == {"real"}


def test_a_bare_formula_is_a_law():
    answer = READER.read("```\nloss = E + A*N**-a + k*log(D)\n```", SHOWN, PARENT)
    assert answer.form == "formula" and answer.program is not None
    assert answer.program.law.variables == ("N", "D") and answer.program.law.parameter("A").kind == "positive"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the answer is empty: nothing was said"),
        ("<think>", "the answer is empty: it stopped while it was thinking"),
        ("<think> hmm, N and D", "it stopped while it was thinking"),
        ("I cannot help with that.", "the answer holds no program"),
        ("```python\n```", "the answer holds no program"),
        ("```python\ndef law(N, D, E, A, a):\n    return E + A*(N**", "it was cut off"),
        ("```python\ndef law(N, D, E, A, a):\n    return E + A*N**-a", "it was cut off"),
        ('```python\ndef law(N, E):\n    return E*N\n\nparameters = {"E": posi', "it was cut off"),
        (block("def law(N, E):\n    return E*max(N, 1)"), "use smoothmax(x, y, s)"),
        (block("def law(N, E):\n    return E*Q"), "'Q'"),
        (block("def law(N, E, F):\n    return E*N"), "the law does not use parameter 'F'"),
        (block("def law(E):\n    return E"), "uses none of the task's variables (N, D)"),
        (block("def law(N, E):\n    if N: return E\n    return E*N"), "an if statement"),
        ("<<<<<<< SEARCH\n    return E\n", "in the middle of an edit"),
        ("<<<<<<< SEARCH\n    return E\n>>>>>>> REPLACE", "no ======= line"),
        (
            "<<<<<<< SEARCH\n    return Q\n=======\n    return E*N\n>>>>>>> REPLACE",
            "is not in the first parent's text: 'return Q'",
        ),
        ("<<<<<<< SEARCH\n\n=======\n    return E*N\n>>>>>>> REPLACE", "empty SEARCH"),
        ("<<<<<<< SEARCH\n}\n=======\n}\n>>>>>>> REPLACE", "change nothing"),
        ("<<<<<<< SEARCH\nparameters = {\n=======\nparameters = (\n>>>>>>> REPLACE", "the edited program cannot be used"),
    ],
)
def test_errors_say_what_is_wrong(text, error):
    answer = READER.read(text, SHOWN, PARENT)
    assert answer.program is None and error in answer.error and "\n" not in answer.error


def test_edits_of_an_answer_without_parent():
    assert "no parent to edit" in READER.read("<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE").error


EDIT = """<<<<<<< SEARCH
def law(N, D, E, A, a, B, b):
    return E + A*N**-a + B*D**-b
=======
def law(N, D, E, A, a, B, b, n0):
    return E + A*(N + n0)**-a + B*D**-b
>>>>>>> REPLACE"""
EDIT_2 = '<<<<<<< SEARCH\n    "E": positive(),\n=======\n    "E": positive(),\n    "n0": positive(),\n>>>>>>> REPLACE'


@pytest.mark.parametrize(
    "text",
    [
        f"{EDIT}\n\n{EDIT_2}",
        block(f"{EDIT}\n{EDIT_2}", "diff"),
        f"{EDIT}\n{EDIT_2}".replace("<<<<<<< SEARCH", "<<<<<< search").replace(">>>>>>> REPLACE", ">>>>>> replace  "),
        f"{EDIT}\n{EDIT_2}".replace("    return", "  return"),
        f"{EDIT}\n{EDIT_2}".replace('"', "”"),
        block(render_program(PARENT)) + f"\nI change this:\n{EDIT}\n{EDIT_2}",
    ],
    ids=range(6),
)
def test_edits(text):
    answer = READER.read(HEAD + text, SHOWN, PARENT)
    assert answer.error == "" and answer.form == "edit"
    source = SHOWN[0].replace("B, b):", "B, b, n0):").replace("A*N**-a", "A*(N + n0)**-a")
    source = source.replace('"E": positive(),', '"E": positive(),\n    "n0": positive(),')
    assert answer.program == program(source, TASK) and answer.promise is not None


def test_an_edit_of_a_part_of_a_line_and_of_two_places():
    one = READER.read("<<<<<<< SEARCH\nA*N**-a\n=======\nA*N**(-a*2)\n>>>>>>> REPLACE", SHOWN, PARENT)
    assert one.program == program(SHOWN[0].replace("A*N**-a", "A*N**(-a*2)"), TASK)
    twice = SHOWN[0].replace('    "A": positive(),', '    "A": positive(),\n    "A": positive(),')
    answer = READER.read('<<<<<<< SEARCH\n    "A": positive(),\n=======\n>>>>>>> REPLACE', (twice,), PARENT)
    assert "occurs 2 times" in answer.error


def test_a_promise_outside_the_vocabulary_is_kept_as_text():
    answer = READER.read("hypothesis: x\nfixes: world peace\n" + block(GOOD))
    assert answer.promise is None and answer.promised == "world peace" and answer.program is not None


def test_blind_names_are_undone():
    task = table(TASK.X, TASK.Y, {"tokens": "scale", "x1": "scale"})
    found = study(task)
    reader = Reader(found, blind_names(task))
    code = "def law(x1, x2, E, A, tokens):\n    return E + A*x1**-0.3 + tokens*x2"
    answer = reader.read("hypothesis: x1 bends\nfixes: bias at large x2\n" + block(code))
    assert answer.program is not None and answer.program.law.variables == ("tokens", "x1")
    assert str(answer.promise) == "bias at large x1" and answer.hypothesis == "tokens bends"
    rows = np.array([[2.0, 3.0]])
    from sldagent.fitting.public import predict
    from sldagent.fitting.tape import layout_of

    names = [p.name for p in answer.program.law.parameters]
    values = dict(zip(names, (np.array([1.0]), np.array([2.0]), np.array([5.0])), strict=True))
    predicted = predict(answer.program.law, values, rows, np.array([0]), layout_of(task))
    assert predicted[0, 0] == pytest.approx(1 + 2 * 2.0**-0.3 + 5 * 3.0)


PIECES = st.sampled_from(
    ["```", "```python", "~~~", "\n", "def law(", "N, E):", "    return E*N", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE",
     "<think>", "</think>", "parameters = {", '"E": positive()', "}", "recipe = fit(", "fixes: ", "hypothesis: ", "\t", "“",
     "{",
     "def custom_fit(rows, targets, law):", "    pass", "\x00", "é", "(", ")", "'", '"""', "#",
     "\\", "E + A*N**-a", "{\"code\": 1}"]
)  # fmt: skip


@given_by(st.lists(PIECES | st.text(max_size=12), max_size=30).map("\n".join) | st.lists(PIECES, max_size=30).map(" ".join))
def test_nothing_raises(text):
    answer = READER.read(text, SHOWN, PARENT)
    assert (answer.program is None) == bool(answer.error) and "\n" not in answer.hypothesis + answer.promised


@given_by(st.integers(0, len(GOOD)), st.booleans())
def test_a_cut_off_program_is_never_taken_for_another_law(end, fenced):
    """A prefix of a good answer is refused, or is the same law with the parent's or default recipe."""
    text = ("```python\n" if fenced else "") + GOOD[:end]
    answer = READER.read(text, SHOWN, PARENT)
    if answer.program is not None and fenced:
        assert answer.program.law == EXPECTED.law


@given_by(st.text(alphabet=st.characters(codec="utf-8"), max_size=80).filter(lambda s: "def law" not in s and "<" not in s))
def test_prose_around_a_program_does_not_matter(prose):
    calm = prose.replace("`", "'").replace("~", "-").replace("{", "(")
    answer = READER.read(calm + "\n\n" + block(GOOD) + "\n\n" + calm, SHOWN, PARENT)
    assert answer.program == EXPECTED
