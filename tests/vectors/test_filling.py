"""Encoding what a space lacks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder.errors import TeacherError
from embedder.vectors.filling import _cut, fill
from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from tests.vectors.made_up import Encoder, encode


@pytest.fixture(name="space")
def _space(tmp_path: Path) -> Space:
    return Space(tmp_path, {"model": "m"}, "float32")


def test_a_few_more_texts_encode_a_few(space: Space) -> None:
    """Adding 100 texts to a space of many encodes exactly those 100."""
    texts = [f"text {number}" for number in range(5000)]
    assert fill(space, texts, encode, 2000, unit_texts=500) == 5000
    more = [f"another {number}" for number in range(100)]
    encoder = Encoder()
    assert fill(space, [*texts[:2500], *more, *texts[2500:]], encoder, 2000, unit_texts=500) == 100
    assert encoder.texts == sorted(more)
    np.testing.assert_array_equal(space.vectors(text_keys(texts)), encode(texts))


def test_a_text_that_repeats_is_encoded_once(space: Space) -> None:
    """Equal texts in one window or in two are encoded once."""
    encoder = Encoder()
    assert fill(space, iter("abacabad"), encoder, 3) == 4
    assert encoder.texts == list("abcd")


def test_cut_hold_texts_of_like_lengths(space: Space) -> None:
    """In a window texts are encoded from the shortest to the longest, equally long ones in their order."""
    encoder = Encoder()
    fill(space, ["ccc", "b", "aaa", "dd", "a"], encoder, 5, unit_texts=2)
    assert encoder.units == [["a", "b"], ["dd", "aaa"], ["ccc"]]


@given(st.lists(st.text(max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_a_unit_is_full_in_texts_or_characters(texts: list[str], most: int, characters: int) -> None:
    """Units follow each other without a gap, none over its limits but a single long text, and none fuller by one."""
    units = list(_cut(texts, most, characters))
    assert [text for unit in units for text in unit] == texts
    for number, unit in enumerate(units):
        assert 1 <= len(unit) <= most
        size = sum(map(len, unit))
        assert size <= characters or len(unit) == 1
        if number + 1 < len(units):
            assert len(unit) == most or size + len(units[number + 1][0]) > characters


@given(st.sets(st.text("abc", max_size=6), min_size=1), st.integers(0, 20))
@settings(deadline=None)
def test_what_is_left_is_cut_at_the_same_places(texts: set[str], done: int) -> None:
    """Without its first units a window is cut into the units that remain."""
    units = list(_cut(sorted(texts), 3, 8))
    left = [text for unit in units[done:] for text in unit]
    assert list(_cut(left, 3, 8)) == units[done:]


def test_nothing_to_encode(space: Space) -> None:
    """No texts are no work."""
    encoder = Encoder()
    assert fill(space, [], encoder, 10) == 0
    assert encoder.units == []


def test_an_empty_text_is_a_text(space: Space) -> None:
    """The empty text has a vector like others."""
    assert fill(space, ["", "a", ""], encode, 10) == 2


def test_a_wrong_encoder_is_refused(space: Space) -> None:
    """An encoder that returns another number of vectors than it was given texts is an error; whole units stay."""
    fill(space, ["a"], encode, 10)
    with pytest.raises(TeacherError, match=r"shape \(1, 3\) for 2 texts"):
        fill(space, "abc", lambda texts: encode(texts[1:]), 10)
    assert len(space.missing(text_keys("abc"))) == 2


def test_what_is_stored_is_told(space: Space) -> None:
    """Whoever shows progress is told how many texts need not be encoded, window by window."""
    fill(space, "abc", encode, 10)
    told: list[int] = []
    assert fill(space, "abcdef", encode, 4, stored=told.append) == 3
    assert told == [3, 0]


def test_a_window_is_full_in_texts_or_characters(space: Space) -> None:
    """Long texts are held in shorter windows: as many are read ahead as have so many characters, and one more."""
    lengths = [1, 1, 1, 9, 2, 30, 1, 1]
    read: list[int] = []

    def texts() -> Iterator[str]:
        for number, length in enumerate(lengths):
            read.append(number)
            yield str(number) * length

    seen: list[tuple[int, int]] = []

    def noted(unit: list[str]) -> NDArray[np.float32]:
        seen.append((len(unit), len(read)))
        return encode(unit)

    assert fill(space, texts(), noted, 3, window_characters=10) == len(lengths)
    assert seen == [(3, 4), (1, 5), (1, 6), (1, 7), (2, 8)]
