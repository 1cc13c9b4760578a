"""What several parts of the page are made of: tables, notes, figures in words, colours of verdicts."""

import math
from collections.abc import Sequence

from embedder.report.html import Html, tag

_MOST_DECIMALS = 5


def table(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], kind: str) -> Html:
    """Make a table; every cell carries its column's name, which a narrow screen shows beside it.

    Args:
        names: of the columns; a name may be empty.
        rows: a CSS class and the cells of each.
        kind: the table's CSS class.
    """
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    body = [
        tag("tr", *(tag("td", c, data_label=n or None) for n, c in zip(names, cells, strict=True)), class_=row or None)
        for row, cells in rows
    ]
    return tag("div", tag("table", head, tag("tbody", *body), class_=kind), class_="wide")


def facts(named: Sequence[tuple[str, str]]) -> Html:
    """Make a list of figures with their names; those without a figure are left out."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in named if value))


def note(text: str) -> Html:
    """Make small print; nothing of nothing."""
    return tag("span", text, class_="note") if text else Html("")


def hint(*text: str) -> Html:
    """Make a paragraph that explains what is shown."""
    return tag("p", *text, class_="hint")


def passage(text: str) -> Html:
    """Show a text from data as it is: its lines, and its own direction."""
    return tag("pre", text, dir="auto")


def dot(verdict: str) -> Html:
    """Make the spot of colour that stands for a verdict."""
    return tag("i", class_=colour(verdict))


def colour(verdict: str) -> str:
    """Return the CSS classes that colour a verdict."""
    return f"v v-{verdict.replace('_', '-')}"


def count(value: object) -> str:
    """Write a count with its thousands set off; nothing of None."""
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def percent(share: float) -> str:
    """Write a share with two digits that count, of what it is or of what it lacks: 34 %, 8.8 %, 0.12 %, 98.5 %."""
    small = 100 * min(share, 1 - share)
    if small <= 0:
        return f"{100 * share:.0f} %"
    decimals = max(0, min(_MOST_DECIMALS, 1 - math.floor(math.log10(small) + 1e-9)))
    return f"{100 * share:.{decimals}f} %"


def interval(low: float, high: float) -> str:
    """Write an interval of shares."""
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"
