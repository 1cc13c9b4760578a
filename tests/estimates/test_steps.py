"""What a batch's texts add up to."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from embedder.estimates import steps
from embedder.estimates.training import Load


def test_squares_are_summed_and_not_of_the_mean(tmp_path: Path) -> None:
    """Texts of 1 and 3 tokens are 4 tokens and 1 + 9 squares, cut at 2 tokens 3 and 1 + 4; no texts are nothing."""
    texts = {"abcd", "abcdefghijkl"}
    assert steps._side(texts, 8, tmp_path, "en") == Load(2, 4, 10)
    assert steps._side(texts, 2, tmp_path, "en") == Load(2, 3, 5)
    assert steps._side(set(), 8, tmp_path, "en") == Load(0, 0, 0)


@given(st.sets(st.text("ab", min_size=1, max_size=80), min_size=1, max_size=50))
def test_squares_are_no_less_than_those_of_equal_lengths(texts: set[str]) -> None:
    """Attention of unequal texts is never less than of as many equal ones with as many tokens."""
    found = steps._side(texts, 16, Path(), "en")
    assert found.texts == len(texts)
    assert found.squares >= found.tokens**2 / found.texts * (1 - 1e-9)
    assert found.squares <= 16 * found.tokens * (1 + 1e-9)
