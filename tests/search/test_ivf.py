"""Facts about the inverted file."""

from functools import partial

import numpy as np
import pytest

from embedder.errors import EmbedderError
from embedder.search.ivf import InvertedFile, recall
from tests.search.vectors import by_sorting, shards, unit


def test_all_lists_are_exact_search() -> None:
    """Where every list is searched, places and scores are those of a full sort."""
    corpus, queries = unit(500, 16, 1), unit(20, 16, 2)
    index = InvertedFile(lambda: shards(corpus, 3), lists=8, size=len(corpus))
    places, scores = index.top_k(queries, 30, probes=8)
    expected = by_sorting(queries, corpus, 30)
    np.testing.assert_array_equal(places, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


def test_a_part_of_the_lists_finds_less_and_says_how_much() -> None:
    """With one of 8 lists recall lies below 1; scores of what was found are the exact ones; the rest is -1 and -inf."""
    corpus, queries = unit(500, 16, 1), unit(20, 16, 2)
    places, scores = InvertedFile(lambda: shards(corpus, 3), lists=8, size=500).top_k(queries, 120, probes=1)
    order, exact = by_sorting(queries, corpus, 500)
    assert 0 < recall(places, order[:, :120]) < 1
    assert (places == -1).any()
    for row in range(len(queries)):
        found = places[row] >= 0
        assert np.isneginf(scores[row][~found]).all()
        expected = dict(zip(order[row].tolist(), exact[row].tolist(), strict=True))
        assert [expected[p] for p in places[row][found].tolist()] == scores[row][found].tolist()
        assert (np.diff(scores[row][found]) <= 0).all()


def test_the_same_corpus_gives_the_same_lists_whatever_its_shards() -> None:
    """The lists are trained on vectors at even distances, in the order of places: the cut changes nothing."""
    corpus, queries = unit(800, 16, 1), unit(20, 16, 2)
    found = [InvertedFile(partial(shards, corpus, n, n), 8, 800).top_k(queries, 50, 2) for n in (1, 5)]
    np.testing.assert_array_equal(found[0][0], found[1][0])


def test_more_lists_than_passages_are_refused() -> None:
    """One line says what to lower."""
    corpus = unit(5, 4, 1)
    with pytest.raises(EmbedderError, match="8 lists for 5 passages; lower `lists`"):
        InvertedFile(lambda: shards(corpus, 1), lists=8, size=5)
