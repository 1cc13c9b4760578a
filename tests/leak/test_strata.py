"""Tests of embedder.leak.strata."""

import numpy as np

from embedder.leak.left_out import left_out
from embedder.leak.strata import STRATA, query_words, strata


def test_bounds_belong_to_the_stratum_they_name() -> None:
    """1, 2 to 10, 11 to 30, 31 to 100, deeper or beyond the run; likewise twins and words."""
    ranks = np.array([1, 2, 10, 11, 30, 31, 100, 101, 0])
    words = np.array([1, 5, 6, 12, 13, 99, 1, 1, 1])
    query = np.array([0, 1, 1, 2, 2, 2, 2, 2, 3])
    left = left_out(query, ranks, np.zeros(9), np.zeros(9, np.int32))
    found = dict(zip(STRATA, strata(left, words), strict=True))
    members = {name: np.flatnonzero(member).tolist() for name, member in found.items()}
    assert members == {
        "all": list(range(9)),
        "rank 1": [0],
        "rank 2-10": [1, 2],
        "rank 11-30": [3, 4],
        "rank 31-100": [5, 6],
        "rank deeper": [7, 8],
        "twins 0": [0, 8],
        "twins 1": [1, 2],
        "twins 2-4": [3, 4, 5, 6, 7],
        "twins 5+": [],
        "words 1-5": [0, 1, 6, 7, 8],
        "words 6-12": [2, 3],
        "words 13+": [4, 5],
    }


def test_unknown_lengths_are_in_no_stratum_of_words() -> None:
    """Where nobody knows how long queries are, ranks and twins still tell positives apart."""
    left = left_out(np.array([0]), np.array([1]), np.zeros(1), np.zeros(1, np.int32))
    found = dict(zip(STRATA, strata(left, None), strict=True))
    assert [name for name, member in found.items() if member.any()] == ["all", "rank 1", "twins 0"]


def test_two_characters_are_a_word_where_there_are_no_blanks() -> None:
    """Chinese is counted in characters, blanks apart; English between blanks."""
    assert query_words(["how do I", "", "one"], "en").tolist() == [3, 0, 1]
    assert query_words(["怎么 做饭", "", "一"], "zh").tolist() == [2, 0, 1]
