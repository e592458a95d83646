"""``sldagent compare LAW LAW``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument("second", metavar="LAW", help="another one")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.report.compare import FIGURES, compare

    names = (args.first, args.second)
    from sldagent.fitted import is_file

    if all(is_file(name) for name in names):
        found = compare(*names, None)
    else:
        with open_archive(args) as archive:
            found = compare(*names, archive)
    if args.json:
        output.print_json(found.document())
        return 0
    labels = tuple(law.law for law in found.laws)
    for law, formula in zip(found.laws, found.formulas, strict=True):
        output.show(f"{law.law} on {law.document['task']}: {formula}")
    if found.difference is not None:
        gap, error = found.difference
        words = "no clear difference" if abs(gap) <= error else f"{labels[0] if gap < 0 else labels[1]} extrapolates better"
        output.show(f"X({labels[0]}) - X({labels[1]}) = {number(gap, 3)} ± {number(error, 2)} (paired): {words}")
    rows = [(name, *(number(law.document["evaluation"].get(key)) for law in found.laws)) for key, name in FIGURES.items()]
    rows += [(f"held-out error, {cut}", number(a), number(b)) for cut, (a, b) in found.cuts.items()]
    output.show("Figures (errors: ln MSE in units of the training spread)")
    output.show(table(["", *labels], rows, numbers=labels))
    if found.beyond is not None:
        heads = ["beyond", "group", "target", *labels, "differ by"]
        output.show("Predictions at and beyond the data's end")
    output.show(table(heads, found.beyond_rows(), numbers=[*labels, "differ by"]))
    return 0
