"""Tests of embedder.contamination.evidence: what says without a judge that a kept candidate is relevant."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.contamination.evidence import Evidence, Found, Pairs
from embedder.near_copies import shingle

_LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"
_MORE = "here begins a second part that nobody has read before and it is longer than the first one by far"


def _ints(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(values, dtype=np.int64)


def _pairs(*pairs: tuple[int, int]) -> Pairs:
    return Pairs(_ints(*(query for query, _ in pairs)), _ints(*(passage for _, passage in pairs)))


def _asked(
    queries: list[str],
    positives: Pairs,
    passages: list[str],
    asked: list[tuple[int, int]],
    near_copy: float | None = None,
    twins: Pairs | None = None,
) -> Found:
    shingles = shingle(passages, "word", 2)
    evidence = Evidence(queries, positives, shingles, "word", 2, near_copy, twins)
    of = _pairs(*asked)
    return evidence.of(of.query, of.passage)


def _kinds(found: Found, row: int = 0) -> set[str]:
    return {kind for kind, holds in found.kinds.items() if holds[row]}


def test_a_passage_that_says_the_same_is_a_copy() -> None:
    """Case, white space and one word at the end leave a copy of a positive a copy."""
    found = _asked(["q"], _pairs((0, 0)), [_LONG, f"{_LONG.upper()}  end", "something else"], [(0, 1), (0, 2)])
    assert "copy" in _kinds(found)
    assert not _kinds(found, 1)
    assert found.any.tolist() == [True, False]


def test_the_rules_own_similarity_counts() -> None:
    """What the rule of near copies would let pass at its own similarity is no copy."""
    passages = [_LONG, f"{_LONG} and more"]
    assert "copy" in _kinds(_asked(["q"], _pairs((0, 0)), passages, [(0, 1)]))
    assert "copy" not in _kinds(_asked(["q"], _pairs((0, 0)), passages, [(0, 1)], near_copy=0.99))


def test_a_passage_that_holds_a_positive_is_an_extended_copy() -> None:
    """A positive within a passage twice as long is found, though the two are far from near copies."""
    found = _asked(["q"], _pairs((0, 0)), [_LONG, f"{_MORE} {_LONG} {_MORE}"], [(0, 1)])
    assert _kinds(found) == {"contains_positive"}
    assert not found.similar[0]


def test_a_phrase_within_a_passage_is_no_evidence() -> None:
    """A positive of a few words may stand in any passage."""
    assert not _kinds(_asked(["q"], _pairs((0, 0)), ["a short phrase", f"a short phrase {_MORE}"], [(0, 1)]))


def test_an_answer_of_the_same_question_is_evidence() -> None:
    """A positive of another query counts where both ask the same, whoever of them was mined."""
    queries = ["how do I sort a long list of names", "How do I sort a long list of names?!", "how to cook rice"]
    queries[1] = "how do I sort a  LONG list of names today"
    positives = _pairs((0, 0), (1, 1), (2, 2))
    passages = ["answer one is here", "answer two lies there", "cook it in water"]
    found = _asked(queries, positives, passages, [(0, 1), (0, 2), (1, 0), (2, 1)])
    assert found.kinds["same_query"].tolist() == [True, False, True, False]


def test_a_teachers_twin_is_a_reason_to_look_and_no_evidence() -> None:
    """The pairs that a dense teacher cannot tell from a positive are found, and no bound rests on them."""
    passages, asked = ["alpha beta", "gamma delta", "epsilon zeta"], [(0, 1), (0, 2)]
    found = _asked(["q"], _pairs((0, 0)), passages, asked, twins=_pairs((0, 2)))
    assert (found.twin.tolist(), found.suspicious.tolist()) == ([False, True], [False, True])
    assert not found.any.any()
    assert not _asked(["q"], _pairs((0, 0)), passages, asked).suspicious.any()


def test_half_the_shingles_are_a_reason_to_look() -> None:
    """A passage that shares half of a positive's shingles is suspicious without evidence."""
    passages = [_LONG, f"{_LONG[: _LONG.index(' eleven')]} this goes on elsewhere", "something else"]
    found = _asked(["q"], _pairs((0, 0)), passages, [(0, 1), (0, 2)])
    assert (found.any.tolist(), found.suspicious.tolist()) == ([False, False], [True, False])


def test_nothing_asked_is_nothing_found() -> None:
    """A block without candidates, a query without positives: no evidence, no error."""
    assert not len(_asked(["q"], _pairs((0, 0)), [_LONG], []).any)
    assert not _asked(["q", "r"], _pairs((0, 0)), [_LONG, _LONG], [(1, 1)]).any.any()


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 2]) for i in range(max(1, len(words) - 1))}


_TEXT = st.lists(st.sampled_from("abc"), min_size=1, max_size=24).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TEXT, min_size=3, max_size=7), st.sampled_from([0.3, 0.6, 0.8, 1.0]))
def test_comparing_few_pairs_finds_what_comparing_all_does(passages: list[str], near_copy: float) -> None:
    """The pairs that are not compared are those that could not count."""
    positives = _pairs((0, 0), (0, 1))
    asked = [(0, passage) for passage in range(2, len(passages))]
    found = _asked(["q"], positives, passages, asked, near_copy)
    sets = [_shingles(text) for text in passages]
    for row, own in enumerate(sets[2:]):
        similar = [len(own & one) / len(own | one) for one in sets[:2]]
        held = [len(one) >= 8 and len(own & one) >= 0.9 * len(one) for one in sets[:2]]
        assert found.kinds["copy"][row] == (max(similar) >= near_copy)
        assert found.kinds["contains_positive"][row] == any(held)
        assert found.similar[row] == (max(similar) >= 0.5)
