"""Facts about rankings: what a query must not find, and how BM25 reads a dataset's language."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from embedder.evaluation.dev import DevSet, words
from embedder.evaluation.lexical import measure_lexical
from embedder.evaluation.ranked import retrieval, without
from embedder.evaluation.rankers import Dense
from tests.test_evaluation import BM25, ranked_set, vectors_of


def _asked_in_the_corpus(gold: Sequence[tuple[str, str, float]]) -> DevSet:
    qrels = [*gold, ("t", "sea", 1)]
    return ranked_set("retrieval", qrels, ["Red  fish", "red fish swims", "sea"])


@pytest.mark.parametrize("relevance", [None, 0, 1])
def test_a_query_finds_itself_only_if_it_should(relevance: float | None) -> None:
    """The passage that is the query but for case and blanks takes no place from others, unless it is a positive too."""
    gold: list[tuple[str, str, float]] = [("red fish", "red fish swims", 1)]
    if relevance is not None:
        gold.append(("red fish", "Red  fish", relevance))
    data = _asked_in_the_corpus(gold)
    vectors = {"red fish": [1, 0], "Red  fish": [1, 0], "red fish swims": [3, 1], "sea": [0, 1]}
    for scores in (retrieval(data, Dense(vectors_of(vectors))), measure_lexical(data, BM25)):
        assert (scores.values.tolist(), scores.gold_ranks.tolist()) == ([1.0], [1])


def test_the_query_as_its_only_positive_is_found() -> None:
    """A passage that is the query and its only positive stands at rank 1."""
    data = _asked_in_the_corpus([("red fish", "Red  fish", 1)])
    assert data.own_passages.tolist() == [-1]
    assert measure_lexical(data, BM25).gold_ranks.tolist() == [1]


def test_the_lexical_row_reads_the_datasets_language() -> None:
    """BM25 finds a Japanese passage only where the dataset says that it is Japanese."""
    data = ranked_set("retrieval", [("モデルの検索", "検索モデル", 1)], ["検索モデル", "晴れ"])
    ranks = [measure_lexical(replace(data, language=code), BM25).gold_ranks.tolist() for code in ("ja", "en", None)]
    assert ranks == [[1], [0], [0]]


def test_what_is_taken_out_makes_room() -> None:
    """The others move up in their order, and a -1 ends a ranking from which a passage was taken."""
    found = np.array([[5, 7, 9], [7, 5, -1], [9, 5, 1]])
    assert without(found, np.array([7, 7, -1])).tolist() == [[5, 9, -1], [5, -1, -1], [9, 5, 1]]


def test_lengths_are_words_or_characters() -> None:
    """Lengths are counted in words; in characters where no blanks tell words apart."""
    assert words(["two words", "日本 語"], "en").tolist() == [2, 2]
    assert words(["日本 語", ""], "ja").tolist() == [3, 0]
    assert words(["日本 語"], None).tolist() == [2]
