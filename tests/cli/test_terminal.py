"""No text of data commands the terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.cli.terminal import one_line, visible, whole

HOSTILE = st.text(st.characters() | st.sampled_from("\x1b\x9b\r\n\t\x07\u202e\u2066\u2028\u200e\ufeff\u0085\xa0"))


def commands(text: str) -> set[str]:
    """Return the characters of a text that a terminal would obey and not show."""
    kinds = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {c for c in text if unicodedata.category(c) in kinds and c not in "\u200c\u200d"}


@given(HOSTILE, st.integers(2, 50))
def test_nothing_is_obeyed(text: str, most: int) -> None:
    """Whatever the text, no control character, bidi override or line separator remains; of whole texts only newlines."""
    assert not commands(visible(text))
    assert not commands(one_line(text, most))
    assert commands(whole(text)) <= {"\n"}


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_printable_stays(text: str) -> None:
    """Letters, figures and signs of any script are shown as they are."""
    assert visible(text) == text
    assert whole(text) == text


@given(HOSTILE, st.integers(2, 50))
def test_one_line_cuts_the_text(text: str, most: int) -> None:
    """A line holds at most that many characters of the text, and ends in an ellipsis where there was more."""
    folded = " ".join(text.split())
    line = one_line(text, most)
    assert line == visible(folded) if len(folded) <= most else line == visible(folded[: most - 1]) + "…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\u202eevil", r"\u202eevil"),
        ("\U000e0041", r"\U000e0041"),
        ("a\xa0b\u3000c", "a b c"),
        ("क\u200dष", "क\u200dष"),
        ("a\rb", r"a\rb"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    """What cannot be seen is shown as Python writes it; spaces become spaces, joiners of a script stay."""
    assert visible(text) == shown


def test_whole_keeps_lines_and_indentation() -> None:
    """All lines stay with their indentation; tabs become spaces, line separators of any kind newlines."""
    assert whole("def f():\r\n\treturn 1\u2028\n  # end") == "def f():\n    return 1\n\n  # end"
