"""Results as HTML for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sldagent.report.formula import formula_text
from sldagent.report.tables import number

if TYPE_CHECKING:
    from sldagent.api import Discovery
    from sldagent.fitted import Fitted


def fitted_html(law: Fitted) -> str:
    """Formula with values, as LaTeX and text."""
    filled = escape(formula_text(law.program.law, law.parameters))
    r2 = "" if law.r2 is None else f"<br>R<sup>2</sup> on the fitted rows: {law.r2:.5f}"
    return f"<b>{escape(law.law)}</b><p>$${law.document['latex']}$$</p><code>{filled}</code>{r2}"


def discovery_html(found: Discovery) -> str:
    """Choice, then the front as a table."""
    head = "<tr><th>law</th><th>C</th><th>X</th><th>MDL</th><th>formula</th></tr>"
    rows = "".join(
        f"<tr><td>{escape(str(e['law']))}</td><td>{number(e['complexity'])}</td><td>{number(e['x'])}</td>"
        f"<td>{number(e['mdl'])}</td><td><code>{escape(str(e['formula']))}</code></td></tr>"
        for e in found.front
    )
    choice = "<p>No valid law was found.</p>" if found.choice is None else fitted_html(found.choice)
    return f"{choice}<table>{head}{rows}</table>"
