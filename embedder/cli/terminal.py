"""Texts on a terminal: every character is shown, none is obeyed."""

import unicodedata
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Scripts need them between letters; they change nothing beside.
_JOINERS = frozenset("\u200c\u200d")
_TAB = 4


def console(*, stderr: bool = False) -> Console:
    """A console that reads no markup: what is printed comes from data."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_table(out: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table under a blank line: numbers first, words in the last column."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns[:-1]:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    out.print()
    out.print(table)


def visible(text: str) -> str:
    r"""Write as an escape each character that is not to be seen: ESC becomes `\x1b`, a bidi override `\u202e`."""
    return text if text.isprintable() else "".join(map(_visible, text))


def one_line(text: str, most: int) -> str:
    """The text on one line: white space folded, and no more than `most` characters of it."""
    folded = " ".join(text.split())
    return visible(folded if len(folded) <= most else f"{folded[: most - 1]}…")


def whole(text: str) -> str:
    """All of the text on its own lines, indented as it is."""
    return "\n".join(visible(line.expandtabs(_TAB)) for line in text.splitlines())


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    return " " if unicodedata.category(character) == "Zs" else ascii(character)[1:-1]
