"""A law as a plain Python file that needs numpy, JAX or PyTorch alone, never sldagent.

The file holds the parameters of every group and ``predict(<variables>, group=None)``.  Variables are the
task's, in the task's order, each an argument that may be given by position or by name; the members of a
vector are arguments of their own. Scalars and arrays broadcast against each other and against `group`.  One
target: the result has the broadcast shape; several targets: one more axis at the end, in the order of
``TARGETS``.  Under JAX and PyTorch the variables may be traced or carry gradients; groups are always names.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sldagent.export.code import Dialect, assignment, comment, fresh, lines, literal, number, source
from sldagent.export.covariance import covariance_lines
from sldagent.export.document import check_document
from sldagent.export.flavours import GROUP_INDEX, NUMPY, Flavour
from sldagent.export.interval import interval_constants, interval_functions
from sldagent.laws.expr import TARGET_INDEX, Expr, walk
from sldagent.laws.inspect import expressions, parameter_axes, uses_targets
from sldagent.laws.program import Law
from sldagent.laws.render import render_expr


@dataclass(frozen=True)
class _Names:
    """How the law's names are written in the file."""

    variables: Mapping[str, str]
    """Argument by task symbol."""
    vectors: Mapping[str, str]
    parameters: Mapping[str, str]
    indices: Mapping[str, str]
    local: Mapping[str, str]
    """Local helpers of `predict`: rows, shape, result, columns."""


def python_source(document: Mapping[str, Any], flavour: Flavour = NUMPY) -> str:
    """The text of the file.  Raises ExportError where the document is incomplete."""
    law = check_document(document, "the law").law
    names = _names(document, law, flavour)
    intervals = flavour.intervals and "uncertainty" in document
    constants = [_constants(document, law), *(interval_constants(document) if intervals else [])]
    head = [_docstring(document, law, names), "\n".join(flavour.imports), *flavour.settings, "\n".join(constants)]
    body = [
        *(textwrap.dedent(text).strip() for text in _helpers(law, flavour)),
        _predict(document, law, names, flavour, intervals),
        *(interval_functions(document, list(names.variables.values())) if intervals else []),
    ]
    return "\n\n".join(head) + "\n\n\n" + "\n\n\n".join(body) + "\n"


def _names(document: Mapping[str, Any], law: Law, flavour: Flavour) -> _Names:
    variables = fresh([v["symbol"] for v in document["variables"]], flavour.taken)
    taken = [*flavour.taken, *variables.values()]
    vectors = fresh([*document["vectors"], *(name for name, _ in law.vectors)], taken)
    taken += vectors.values()
    parameters = fresh([p.name for p in law.parameters], taken)
    taken += parameters.values()
    bound = sorted({e.name for root in expressions(law) for e in walk(root) if e.op == "sum"})
    indices = fresh([TARGET_INDEX, *bound], taken)
    taken += indices.values()
    return _Names(
        variables, vectors, parameters, indices, fresh(["rows", "shape", "place", "result", "columns"], taken)
    )


def _docstring(document: Mapping[str, Any], law: Law, names: _Names) -> str:
    targets = ", ".join(_with_unit(t["name"], str(t.get("unit") or "")) for t in document["targets"])
    about, figures = document["provenance"], document["evaluation"]
    left = document["targets"][0]["name"] if len(document["targets"]) == 1 else "target i"
    text = [f'"""Scaling law {comment(document["law"])} of the task {comment(document["task"])}.', ""]
    text += [*_wrapped(f"{comment(left)} = {comment(document['formula'])}"), ""]
    if law.vectors:
        text += [
            line
            for name, items in law.vectors
            for line in _wrapped(f"{name} = [{', '.join(map(render_expr, items))}]")
        ]
        text.append("")
    text += [
        f"Predicts: {targets}.",
        "",
        "Variables of predict, with the range of the rows that the law was found on:",
        "",
    ]
    text += [f"    {_describe(v, names)}" for v in document["variables"]]
    if len(document["targets"]) > 1:
        text += ["", "The result has one more axis than the arguments, in the order of TARGETS."]
    column = document.get("group_column")
    if column:
        text += ["", f"Each group of the column {_quoted(column)} has its own parameters; GROUPS names them."]
    run, date, by, seed, table = (
        comment(str(about.get(key, ""))) for key in ("run", "date", "sldagent", "seed", "source")
    )
    mode = comment(document["mode"])
    x, se, size = (_figure(figures, key) for key in ("x", "x_se", "complexity"))
    text += [
        "",
        f"Run {run}, exported {date} by sldagent {by}; seed {seed}, {mode} cuts, table '{table}'.",
        f"Extrapolation error X = {x} (standard error {se}), complexity {size}.",
        '"""',
    ]
    return "\n".join(text)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        100,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _describe(variable: Mapping[str, Any], names: _Names) -> str:
    argument = names.variables[variable["symbol"]]
    text = f"{argument}: column {_quoted(variable['column'])}"
    if variable.get("log"):
        text += ", a logarithm"
    if variable.get("unit"):
        text += f", in {comment(variable['unit'])}"
    low, high = variable.get("min"), variable.get("max")
    return text if low is None or high is None else f"{text}, {low:.6g} to {high:.6g}"


def _quoted(text: str) -> str:
    return f"'{comment(text)}'"


def _with_unit(name: str, unit: str) -> str:
    return f"{_quoted(name)} in {comment(unit)}" if unit else _quoted(name)


def _figure(figures: Mapping[str, Any], key: str) -> str:
    value = figures.get(key)
    return f"{value:.4g}" if isinstance(value, int | float) else "unknown"


def _constants(document: Mapping[str, Any], law: Law) -> str:
    """GROUPS, TARGETS, RANGES, PARAMETERS and, where it is known, COVARIANCE."""
    out = [
        *_tuple("GROUPS", document["groups"]),
        *_tuple("TARGETS", [t["name"] for t in document["targets"]]),
    ]
    ranges = {
        literal(v["symbol"]): f"({number(v['min'])}, {number(v['max'])})"
        for v in document["variables"]
        if v.get("min") is not None and v.get("max") is not None
    }
    if ranges:
        out += assignment("RANGES", ranges)
    values = {}
    for p in law.parameters:
        entry = document["parameters"][p.name]
        values[literal(p.name)] = f"np.array({_array(entry['values'], 1, len(repr(p.name)) + 16)})"
    axes = {
        n: ["group", *("target" if a == TARGET_INDEX else a for a in names)]
        for n, names in parameter_axes(law).items()
    }
    if any(len(a) > 1 for a in axes.values()):
        out.append("# axes: " + "; ".join(f"{n} ({', '.join(a)})" for n, a in axes.items()))
    return "\n".join([*out, *assignment("PARAMETERS", values), *covariance_lines(document)])


def _tuple(name: str, texts: list[str]) -> list[str]:
    body = ", ".join(map(literal, texts)) + ("," if len(texts) == 1 else "")
    if len(name) + len(body) + 5 <= 100:
        return [f"{name} = ({body})"]
    return [f"{name} = (", *(f"    {literal(t)}," for t in texts), ")"]


def _array(values: Any, depth: int, used: int) -> str:
    """Nested lists of numbers as source text, wrapped inside a dictionary of indentation one."""
    if not isinstance(values, list):
        return repr(float(values))
    parts = [_array(v, depth + 1, 0) for v in values]
    line = f"[{', '.join(parts)}]"
    if used + len(line) <= 110 and "\n" not in line:
        return line
    pad = "    " * (depth + 1)
    if not any(isinstance(v, list) for v in values):
        body = textwrap.fill(
            ", ".join(parts), 110, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False
        )
        return f"[\n{body},\n{'    ' * depth}]"
    return "[\n" + "".join(f"{pad}{p},\n" for p in parts) + "    " * depth + "]"


def _helpers(law: Law, flavour: Flavour) -> list[str]:
    used = {e.op for root in expressions(law) for e in walk(root)}
    return [GROUP_INDEX, *flavour.always, *(text for name, text in flavour.helpers.items() if name in used)]


def _predict(document: Mapping[str, Any], law: Law, names: _Names, flavour: Flavour, intervals: bool) -> str:
    """The function itself; for `intervals` it takes other parameters, by which they are differentiated."""
    arguments, local = list(names.variables.values()), names.local
    several = len(document["targets"]) > 1 or uses_targets(law)
    out = [
        f"def predict({', '.join([*arguments, 'group=None', *(['_parameters=PARAMETERS'] if intervals else [])])}):",
        *_predict_docstring(document, law, names),
    ]
    out += [f"    {local['rows']} = _group_index(group)"]
    shapes = ", ".join([*(f"np.shape({a})" for a in arguments), f"{local['rows']}.shape"])
    out += [f"    {local['shape']} = np.broadcast_shapes({shapes})"]
    used = [names.variables[symbol] for symbol in _used_symbols(document, law)]
    if flavour.place:
        out.append(f"    {local['place']} = {flavour.place.format(', '.join(used))}")
    for argument in used:
        out.append(f"    {argument} = {flavour.variable.format(argument, place=local['place'])}")
    table = "_parameters" if intervals else "PARAMETERS"
    for p in law.parameters:
        rows = "0" if p.scope == "shared" else local["rows"]
        value = flavour.parameter.format(f"{table}[{literal(p.name)}][{rows}]", place=local["place"])
        out.append(f"    {names.parameters[p.name]} = {value}")
    pad = "    "
    if flavour.quiet:
        out.append(f"    {flavour.quiet}:")
        pad += "    "
    return "\n".join([*out, *_body(document, law, names, several, flavour, pad)])


def _predict_docstring(document: Mapping[str, Any], law: Law, names: _Names) -> list[str]:
    unused = [a for s, a in names.variables.items() if s not in _used_symbols(document, law)]
    text = "Prediction of the law; scalars and arrays broadcast against each other."
    if len(document["groups"]) > 1:
        text = text[:-1] + ".  `group` is one name of GROUPS or an array of them."
    if unused:
        text += f"  The law does not depend on {', '.join(unused)} (None will do)."
    wrapped = textwrap.wrap(text, 104)
    if len(wrapped) == 1:
        return [f'    """{wrapped[0]}"""']
    return [f'    """{wrapped[0]}', *(f"    {line}" for line in wrapped[1:]), '    """']


def _body(
    document: Mapping[str, Any], law: Law, names: _Names, several: bool, flavour: Flavour, pad: str
) -> list[str]:
    """Lines that end in ``return``: vectors, the expression (in a loop over targets where it has several)."""
    dialect, local = _dialect(law, names, flavour), names.local
    out = []
    for name in law.variables:
        if name in document["vectors"]:
            members = ", ".join(names.variables[s] for s in document["vectors"][name])
            out.append(f"{pad}{names.vectors[name]} = [{members}]")
    whole = flavour.broadcast.format(local["result"], local["shape"], place=local["place"])
    if not several:
        out += _vectors(law, names, dialect, pad)
        out += lines(law.expr, dialect, f"{local['result']} = ", pad)
        return [*out, f"    return {flavour.result.format(whole)}"]
    out.append(f"{pad}{local['columns']} = []")
    out.append(f"{pad}for {names.indices[TARGET_INDEX]} in range(len(TARGETS)):")
    out += _vectors(law, names, dialect, pad + "    ")
    out += lines(law.expr, dialect, f"{local['result']} = ", pad + "    ")
    out.append(f"{pad}    {local['columns']}.append({whole})")
    if len(document["targets"]) == 1:
        return [*out, f"    return {flavour.result.format(local['columns'] + '[0]')}"]
    return [*out, f"    return {flavour.stack.format(local['columns'])}"]


def _vectors(law: Law, names: _Names, dialect: Dialect, pad: str) -> list[str]:
    """Assignments of the law's own vectors of expressions."""
    return [
        f"{pad}{names.vectors[name]} = [{', '.join(source(e, dialect) for e in items)}]"
        for name, items in law.vectors
    ]


def _used_symbols(document: Mapping[str, Any], law: Law) -> list[str]:
    """Task symbols that the law reads, members of its vectors included, in the task's order."""
    members = {s for name in law.variables for s in document["vectors"].get(name, ())}
    return [
        v["symbol"] for v in document["variables"] if v["symbol"] in members or v["symbol"] in law.variables
    ]


def _dialect(law: Law, names: _Names, flavour: Flavour) -> Dialect:
    axes = parameter_axes(law)

    def variable(e: Expr) -> str:
        if e.index:
            return f"{names.vectors[e.name]}[{', '.join(names.indices[k] for k in e.index)}]"
        return names.variables[e.name]

    def parameter(e: Expr) -> str:
        if not axes[e.name]:
            return names.parameters[e.name]
        return f"{names.parameters[e.name]}[..., {', '.join(names.indices[k] for k in e.index)}]"

    return Dialect(
        flavour.call,
        variable,
        parameter,
        names.indices.__getitem__,
        names.vectors.__getitem__,
        scalar=flavour.scalar,
        lift=flavour.lift,
    )
