"""One policy for dirty texts: what is mended, what is refused, and under which name it is counted."""

import re
from dataclasses import dataclass

MAX_ID = 512
"""Characters of an id, a label or a group; what is longer is a text in the wrong column."""

# Control characters but tab, line feed and carriage return; C1 too. None of them is text, some are obeyed by terminals.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What may be wrong with a text, and with an id: one search that most texts pass.
_DIRT = re.compile(f"{_CONTROL.pattern[:-1]}{_SURROGATE.pattern[1:]}")
_DIRT_OF_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Clean:
    """A text that can be used, and what was mended."""

    text: str
    repairs: tuple[str, ...] = ()


def clean_text(text: str, most: int) -> Clean | str:
    """Clean a text, or return why it cannot be used.

    Control characters become blanks, and a text longer than `most` characters is cut there; both are repairs. Bytes
    that are no UTF-8, and halves of characters, refuse it: nobody knows what stood there. An empty text stays empty.
    """
    repairs = []
    # A printable text has none of them; asking that is faster than searching.
    if not text.isprintable() and _DIRT.search(text):
        if _SURROGATE.search(text):
            return "invalid_utf8"
        text = _CONTROL.sub(" ", text)
        repairs.append("control_characters")
    if len(text) > most:
        text = text[:most]
        repairs.append("over_long_text")
    return Clean(text, tuple(repairs))


def bad_id(name: str) -> str | None:
    """Return why an id, a label or a group cannot be used, or None where it can."""
    if not name.strip():
        return "empty_id"
    if len(name) > MAX_ID:
        return "over_long_id"
    return "unprintable_id" if not name.isprintable() and _DIRT_OF_ID.search(name) else None


def printable(name: str) -> str:
    """Write an id so that it can be listed whatever it holds."""
    return name[:MAX_ID].encode("utf-8", "backslashreplace").decode()
