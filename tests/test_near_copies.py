"""Tests of embedder.near_copies."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedder.near_copies import are_similar, jaccard, shingle, similar_pairs
from embedder.texts import normalise

_TEXT = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)
_TEXTS = st.lists(_TEXT, max_size=8)
_THRESHOLD = st.sampled_from([0.05, 0.07, 0.3, 0.5, 2 / 3, 0.8, 0.9, 1.0])


def _set(text: str, unit: str, size: int) -> set[str]:
    units = normalise(text).split() if unit == "word" else list(normalise(text))
    return {"|".join(units[i : i + size]) for i in range(max(1, len(units) - size + 1))}


def _expected(left: str, right: str, unit: str = "word", size: int = 2) -> float:
    sets = _set(left, unit, size), _set(right, unit, size)
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(_TEXT, min_size=1, max_size=6), st.sampled_from(["word", "character"]), st.integers(1, 4))
def test_jaccard_is_that_of_python_sets(texts: list[str], unit: str, size: int) -> None:
    """The similarity of every pair equals |A & B| / |A | B| of the sets of shingles."""
    shingles = shingle(texts, unit, size)  # type: ignore[arg-type]
    rows, columns = (part.ravel() for part in np.indices((len(texts), len(texts))))
    found = jaccard(shingles, shingles, rows, columns)
    assert found.tolist() == [_expected(texts[i], texts[j], unit, size) for i, j in zip(rows, columns, strict=True)]


@settings(max_examples=150, deadline=None)
@given(_TEXTS, _TEXTS, _THRESHOLD)
@example(left=["a b c d a"], right=["b c"], threshold=1 / 4)
def test_similar_pairs_are_those_of_brute_force(left: list[str], right: list[str], threshold: float) -> None:
    """The prefix filter loses no pair and adds none, at any threshold, pairs at the threshold included."""
    rows, columns, similarity = similar_pairs(shingle(left, size=2), shingle(right, size=2), threshold)
    expected = [
        (i, j, score)
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if (score := _expected(one, other)) >= threshold
    ]
    assert list(zip(rows.tolist(), columns.tolist(), similarity.tolist(), strict=True)) == expected


@pytest.mark.parametrize(("small", "large"), [(7, 100), (29, 100), (57, 100), (2, 3), (1, 3)])
def test_a_subset_at_the_threshold_counts(small: int, large: int) -> None:
    """Where one set holds the other, the similarity is the ratio of sizes, and exactly that is enough."""
    words = [f"w{i}" for i in range(large)]
    texts = [" ".join(words[:small]), " ".join(words)]
    shingles = shingle(texts, size=1)
    assert are_similar(shingles, np.array([0]), np.array([1]), small / large).tolist() == [True]
    assert len(similar_pairs(shingles, shingles, small / large)[0]) == 4


@settings(max_examples=60, deadline=None)
@given(st.lists(_TEXT, min_size=1, max_size=6), _THRESHOLD)
def test_are_similar_is_jaccard_at_the_threshold(texts: list[str], threshold: float) -> None:
    """Comparing sizes first changes no answer."""
    shingles = shingle(texts, size=2)
    rows, columns = (part.ravel() for part in np.indices((len(texts), len(texts))))
    expected = [_expected(texts[i], texts[j]) >= threshold for i, j in zip(rows, columns, strict=True)]
    assert are_similar(shingles, rows, columns, threshold).tolist() == expected


def test_pairs_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing few pairs at a time bounds memory and changes no similarity."""
    shingles = shingle(["a b c", "b c d", "a b", "x"], size=1)
    rows, columns = (part.ravel() for part in np.indices((4, 4)))
    whole = jaccard(shingles, shingles, rows, columns)
    monkeypatch.setattr("embedder.near_copies._PAIRS", 3)
    assert (jaccard(shingles, shingles, rows, columns) == whole).all()


def test_characters_serve_texts_without_blanks() -> None:
    """A text without blanks is one word; shingles of characters see that two such texts are nearly the same."""
    texts = ["検索モデルの微調整の手順", "検索モデルの微調整の手順書"]
    words, characters = shingle(texts), shingle(texts, "character", 3)
    assert jaccard(words, words, np.array([0]), np.array([1])).tolist() == [0.0]
    assert jaccard(characters, characters, np.array([0]), np.array([1]))[0] > 0.8


def test_a_short_text_is_one_shingle() -> None:
    """A text of fewer words than a shingle equals itself and no longer text."""
    shingles = shingle(["two words", "Two  WORDS", "two words and three more"], size=5)
    assert shingles.sizes.tolist() == [1, 1, 1]
    assert jaccard(shingles, shingles, np.array([0, 0]), np.array([1, 2])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("left", "right"), [([], []), ([], ["a b"]), (["a b"], [])])
def test_nothing_is_similar_to_nothing(left: list[str], right: list[str]) -> None:
    """Without texts on one side there are no pairs, and no error."""
    assert [len(part) for part in similar_pairs(shingle(left), shingle(right), 0.5)] == [0, 0, 0]
    none = np.empty(0, dtype=np.int64)
    assert jaccard(shingle(left), shingle(right), none, none).tolist() == []
    assert are_similar(shingle(left), none, none, 0.5).tolist() == []
