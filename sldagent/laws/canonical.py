"""The canonical form of a law, and a hash of its structure.

Two laws have the same hash when they differ only by the names of parameters, the order of terms and
factors, or rewrites that lose nothing (`normal`, `merging`).  Fast enough to run on every proposal; no
computer algebra.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache

from sldagent.laws.expr import Expr, walk
from sldagent.laws.inspect import expressions
from sldagent.laws.merging import ParameterPool
from sldagent.laws.nodes import Emitter, Node, Pair, pair_mask
from sldagent.laws.normal import Normaliser
from sldagent.laws.program import Law, Parameter, Program

_PASSES = 8
"""Most rounds of rewriting; two are usual."""
_INDEX_NAMES = "jklmnopqstuvw"


@lru_cache(maxsize=512)
def canonical(law: Law) -> Law:
    """The law in canonical form: flattened, folded, ordered, redundant parameters merged.

    Parameters keep their names (a merged one has the name of one of its parts).  Idempotent.  A merge
    changes the values of parameters, never the set of functions that the law can be.
    """
    return _rewrite(law, merge=True, signs=False)


def structure_hash(law: Law) -> str:
    """SHA-1 (hex) of the canonical structure, with parameters numbered in order of appearance.

    It tells kinds, bounds, scopes and indices apart, but not names, start ranges or the sign that a real
    parameter can take over.
    """
    return _hash(law)


def simplify_program(p: Program) -> Program:
    """The program with its law in canonical form.

    Penalised parameters are not merged; a program with its own fitting code, which may rely on the law's
    parameters, stays as it is.
    """
    if p.custom_fit is not None:
        return p
    keep = tuple(sorted(p.recipe.penalised))
    law = _rewrite(p.law, merge=True, signs=False, keep=keep) if keep else canonical(p.law)
    return replace(p, law=law, recipe=p.recipe.only({q.name for q in law.parameters}))


def _rewrite(law: Law, *, merge: bool, signs: bool, keep: Collection[str] = ()) -> Law:
    for _ in range(_PASSES):
        work = _Work(law, merge=merge, signs=signs, keep=keep)
        law = work.law()
        if not work.changed:
            break
    return law


class _Work:
    """One round of rewriting."""

    def __init__(self, law: Law, *, merge: bool, signs: bool, keep: Collection[str] = ()) -> None:
        uses = Counter(e.name for root in expressions(law) for e in walk(root) if e.op == "par")
        self.original = law
        self.pool = ParameterPool(law.parameters, uses, merge, keep)
        self.normaliser = Normaliser(self.pool, signs=signs)
        self.vectors: dict[str, tuple[Pair, ...]] = {}
        for name, elements in law.vectors:
            pairs = tuple(self.normaliser.expression(e) for e in elements)
            self.vectors[name] = pairs
            content = ",".join(pair_mask(*p) for p in pairs)
            self.normaliser.vector_masks[name] = "@" + hashlib.sha1(content.encode()).hexdigest()[:12]
        self.root = self.normaliser.expression(law.expr)

    @property
    def changed(self) -> bool:
        """Whether another round may find more to do."""
        return self.normaliser.changed or self.normaliser.merger.changed

    def law(self) -> Law:
        law = self.original
        taken = {*law.variables, *self.pool.declared, *self.vectors}
        names = [c for c in _INDEX_NAMES if c not in taken] + [f"j{k}" for k in range(9) if f"j{k}" not in taken]
        emitter = Emitter({str(k + 1): name for k, name in enumerate(names)})
        expr = emitter.pair(*self.root)
        vectors = tuple((name, tuple(emitter.pair(*p) for p in pairs)) for name, pairs in self.vectors.items())
        return _pruned(law, expr, vectors, self.pool.declared)


def _pruned(law: Law, expr: Expr, vectors: tuple[tuple[str, tuple[Expr, ...]], ...], declared: dict[str, Parameter]) -> Law:
    """The law with only the variables, vectors and parameters that it uses; parameters in order of
    appearance.
    """
    elements = dict(vectors)
    used: dict[str, None] = {}
    parameters: dict[str, None] = {}
    pending = [expr]
    while pending:
        for e in walk(pending.pop(0)):
            name = e.over if e.op == "sum" else e.name
            if e.op == "par":
                parameters[name] = None
            elif name and name not in used:
                used[name] = None
                pending.extend(elements.get(name, ()))
    return Law(
        variables=tuple(v for v in law.variables if v in used),
        expr=expr,
        parameters=tuple(declared[name] for name in parameters),
        vectors=tuple((name, e) for name, e in vectors if name in used),
    )


# Hash ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _hash(law: Law) -> str:
    if law.vectors:
        law = _pruned(law, law.expr, law.vectors, {p.name: p for p in law.parameters})
    for _ in range(_PASSES):
        work = _Work(law, merge=True, signs=True)
        if not work.changed:
            break
        law = work.law()
    parts = [work.root, *(p for pairs in work.vectors.values() for p in pairs)]
    return hashlib.sha1(_structure(parts, work.pool).encode()).hexdigest()


def _structure(roots: list[Pair], pool: ParameterPool) -> str:
    """A text that determines the roots up to the names of parameters.

    Where no parameter is used twice the masks say everything.  Otherwise parameters are told apart by where
    they occur (colour refinement), then numbered in the order in which the refined order meets them.
    """
    text = ";".join(pair_mask(*p) for p in roots)
    if all(count <= 1 for count in pool.uses.values()):
        return text
    colours = {name: pool.mask(name) for name in pool.declared}
    classes = len(set(colours.values()))
    while classes < len(colours):
        colours = _refined(roots, colours)
        finer = len(set(colours.values()))
        if finer == classes:
            break
        classes = finer
    numbers: dict[str, str] = {}
    return (
        text
        + "|"
        + ";".join(_Serial(colours, numbers).pair(*p) for p in roots)
        + "|"
        + ",".join(f"{number}:{pool.mask(name)}" for name, number in numbers.items())
    )


class _Serial:
    """Nodes as text, parameters as `numbers` in order of appearance (or as their colours, without
    `numbers`).
    """

    def __init__(self, colours: dict[str, str], numbers: dict[str, str] | None) -> None:
        self.numbers = numbers
        self.colours = colours
        self._plain = None if numbers is None else _Serial(colours, None)
        self._known: dict[int, str] = {}

    def pair(self, c: float, node: Node) -> str:
        return f"{c:.12g}*{self.node(node)}"

    def node(self, node: Node) -> str:
        if self.numbers is not None:
            return self._text(node)
        found = self._known.get(id(node))
        if found is None:
            found = self._known[id(node)] = self._text(node)
        return found

    def _text(self, node: Node) -> str:
        op = node.op
        if op == "p":
            where = "".join(f"#{k}#" for k in node.index)
            if self.numbers is None:
                return f"<{self.colours[node.name]}>{where}"
            return self.numbers.setdefault(node.name, f"p{len(self.numbers)}") + where
        if op == "*":
            factors = list(node.factors)
            if self._plain is None:
                return "*(" + ",".join(sorted(f"{self.node(b)}^{self.pair(c, n)}" for b, c, n in factors)) + ")"
            plain = self._plain
            factors.sort(key=lambda f: f"{plain.node(f[0])}^{plain.pair(f[1], f[2])}")
            return "*(" + ",".join(f"{self.node(b)}^{self.pair(c, n)}" for b, c, n in factors) + ")"
        if not node.terms:
            return node.mask
        terms = list(node.terms)
        symmetric = len(terms) if op == "+" else 2 if len(terms) > 1 else 0
        if symmetric:
            key = self if self._plain is None else self._plain
            terms[:symmetric] = sorted(terms[:symmetric], key=lambda t: key.pair(*t))
        head = f"{op}{node.value:.12g}" if op in "+s" else op + node.mask.split("(", 1)[0] if op == "S" else op
        return head + "(" + ",".join(self.pair(*t) for t in terms) + ")"


def _refined(roots: list[Pair], colours: dict[str, str]) -> dict[str, str]:
    """New colours: the old one with every place where the parameter occurs."""
    places: dict[str, list[str]] = {name: [] for name in colours}
    serial = _Serial(colours, None)
    for position, (c, root) in enumerate(roots):
        stack = [(root, f"{position}{c:.12g}")]
        while stack:
            node, path = stack.pop()
            if node.op == "p":
                places[node.name].append(path)
                continue
            here = _digest(path + serial.node(node)) if node.terms or node.factors else ""
            stack.extend((child, f"{here}{role}") for child, role in _children(node))
    return {name: _digest(colours[name] + "|".join(sorted(found))) for name, found in places.items()}


def _children(node: Node) -> Iterator[tuple[Node, str]]:
    """A node's children, each with its place in it; places in a commutative operation are told apart by
    content only.
    """
    for base, c, exponent in node.factors:
        yield base, f"b{c:.12g}"
        yield exponent, f"x{c:.12g}"
    commutative = len(node.terms) if node.op == "+" else 2 if len(node.terms) > 1 else 0
    for k, (c, term) in enumerate(node.terms):
        yield term, f"{'' if k < commutative else k}t{c:.12g}"


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()[:16]
