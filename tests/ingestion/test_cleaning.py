"""Tests of embedder.ingestion.cleaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.ingestion.cleaning import Clean, bad_id, clean_text, printable

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@pytest.mark.parametrize(
    "text", ["", "plain", "two\nlines\tand a tab\r\n", "no-break\u00a0space", "日本語 العربية 🙂", "\u200bzero"]
)
def test_a_good_text_stays_as_it_is(text: str) -> None:
    """White space, other scripts and invisible letters that belong to texts are left alone."""
    assert clean_text(text, 100) == Clean(text)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x08", "\x1b", "\x7f", "\x85", "\x0b", "\x12"])
def test_control_characters_become_blanks(character: str) -> None:
    """A control character is no text; the words around it stay apart."""
    assert clean_text(f"a{character}b", 100) == Clean("a b", ("control_characters",))


def test_a_long_text_is_cut() -> None:
    """A text longer than the cap keeps its beginning, and the cut is a repair."""
    assert clean_text("abcdef", 4) == Clean("abcd", ("over_long_text",))
    assert clean_text("abcd", 4) == Clean("abcd")


@pytest.mark.parametrize("text", [b"caf\xe9".decode("utf-8", "surrogateescape"), "\ud83d alone"])
def test_bytes_that_are_no_text_refuse_it(text: str) -> None:
    """Bytes that are no UTF-8, and halves of characters, refuse the whole text: nobody knows what stood there."""
    assert clean_text(text, 100) == "invalid_utf8"


@given(ANY, st.integers(1, 30))
def test_whatever_is_clean_can_be_written(text: str, most: int) -> None:
    """A clean text is no longer than the cap, has no control characters but white space, and encodes as UTF-8."""
    found = clean_text(text, most)
    if isinstance(found, Clean):
        assert len(found.text) <= most
        assert found.text.encode() is not None
        assert clean_text(found.text, most) == Clean(found.text)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty_id"), (" \t", "empty_id"), ("a\tb", "unprintable_id"), ("a\nb", "unprintable_id"),
        ("a\x1b[0m", "unprintable_id"), ("\udcff", "unprintable_id"), ("x" * 513, "over_long_id"),
        ("=1+1", None), ("../../etc/passwd", None), ("<script>", None), ("x" * 512, None), ("日本", None),
    ],
)  # fmt: skip
def test_ids_must_be_printable(name: str, reason: str | None) -> None:
    """An id may be anything that can be printed on one line; what it might do elsewhere is the writer's business."""
    assert bad_id(name) == reason


@given(ANY)
def test_any_id_can_be_listed(name: str) -> None:
    """Whatever an id holds, it can be written into the table of rejects."""
    assert printable(name).encode() is not None
