"""Text of others in Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.markdown import inline


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("a | b", "a \\| b"),
        ("<b>`x`</b>", "&lt;b&gt;\\`x\\`&lt;/b&gt;"),
        ("two\nlines\u2028three", "two lines three"),
        ("\x00bell", "\ufffdbell"),
        ("[a](b)", "\\[a\\](b)"),
    ],
)
def test_every_character_is_shown_and_none_read(text: str, shown: str) -> None:
    """Marks of Markdown and HTML are escaped, line ends are blanks, what cannot be shown is a mark."""
    assert inline(text) == shown


@given(st.text())
def test_no_text_leaves_its_line_or_cell(text: str) -> None:
    """Whatever a text holds, it is one line without a bare pipe, angle bracket or backquote."""
    shown = inline(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(\\\\)*[|`]|[<>]", shown)
