"""Tests of embedder.texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.texts import normalise, passage_text


@pytest.mark.parametrize(
    "same", ["Straße  one", "STRASSE\tone", " strasse one\n", "\uff53trasse one", "strasse\u00a0one"]
)
def test_normalise_folds_form_case_and_white_space(same: str) -> None:
    """NFKC forms, letter case and any white space make no difference between texts."""
    assert normalise(same) == "strasse one"


@given(st.text())
def test_normalise_leaves_single_blanks_only(text: str) -> None:
    """What is normalised has no blank at an end and no two in a row."""
    assert normalise(text) == " ".join(normalise(text).split())


def test_title_joins_text_with_a_newline() -> None:
    """A passage is read as title, newline, text; without a title as the text alone."""
    assert (passage_text("T", "x"), passage_text("", "x")) == ("T\nx", "x")
