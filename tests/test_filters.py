"""Tests of embedder.filters: the rules as functions of arrays."""

from dataclasses import replace

import numpy as np
import pytest

from embedder.filters import BIT, KEEP, RULES, VERDICTS, Candidates, refusals, too_close, verdicts
from embedder.params.models import Filter
from tests.tables import ints, rules


def _candidates(scores: list[float], positive_score: float = 1.0, positive_ranks: tuple[int, ...] = ()) -> Candidates:
    """Return one query's candidates at ranks 1, 2, 3 ..., positives at `positive_ranks`, nothing else known."""
    rank = np.arange(1, len(scores) + 1)
    none = np.zeros(len(scores), dtype=bool)
    positive = np.isin(rank, positive_ranks)
    return Candidates(
        rank=rank,
        score=np.array(scores),
        positive_score=np.full(len(scores), positive_score),
        highest_score=np.full(len(scores), positive_score),
        positives_above=np.cumsum(positive) - positive,
        is_positive=positive,
        is_negative=none,
        same_text=none,
        held_out=none,
        near_copy=none,
        scale=np.array([positive_score]),
    )


def _rules(**changes: object) -> Filter:
    """Return rules, those included that params.yaml may not have, such as bounds that cross: each is a rule of its own."""
    return rules().model_copy(update=changes)


def _kept(candidates: Candidates, **changes: object) -> list[int]:
    """Return the raw ranks of what the rules keep."""
    kept: list[int] = candidates.rank[refusals(candidates, _rules(**changes)) == 0].tolist()
    return kept


# 200 passages with the scores 1, 399/400, 398/400 ..., as peers' windows were tried on.
SCORES = [1 - i / 400 for i in range(200)]
WINDOW = {"min_rank": 30, "max_rank": 100}


@pytest.mark.parametrize(
    ("positive", "counted", "kept"),
    [
        (1, "without_positives", range(31, 102)),
        (1, "raw", range(30, 101)),
        (50, "without_positives", [*range(30, 50), *range(51, 102)]),
        (50, "raw", [*range(30, 50), *range(51, 101)]),
        (150, "without_positives", range(30, 101)),
        (150, "raw", range(30, 101)),
    ],
)
def test_a_window_holds_both_its_ends(positive: int, counted: str, kept: "range | list[int]") -> None:
    """30-100 lets ranks 30 to 100 through, 71 of them unless a positive takes a raw rank."""
    candidates = _candidates(SCORES, SCORES[positive - 1], (positive,))
    assert _kept(candidates, counted=counted, **WINDOW) == list(kept)


@pytest.mark.parametrize(("margin", "first"), [(0.02, 31), (0.05, 31), (0.1, 41)])
def test_window_and_margin_intersect(margin: float, first: int) -> None:
    """A margin takes nothing from the count of the window: ranks are the run's, not those of what the margin left."""
    assert _kept(_candidates(SCORES, 1.0, (1,)), relative_margin=margin, **WINDOW) == list(range(first, 102))


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"relative_margin": 0.0}, [3, 4, 5]),
        ({"relative_margin": 0.5}, [5]),
        ({"absolute_margin": 0.0}, [3, 4, 5]),
        ({"absolute_margin": 1.0}, [5]),
        ({"absolute_margin": -1.0}, [2, 3, 4, 5]),
        ({"max_score": -2.0}, [3, 4, 5]),
        ({"min_score": -2.5}, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4, 5]),
    ],
)
def test_margins_are_right_for_negative_scores(changes: dict[str, float], kept: list[int]) -> None:
    """With a positive at -2, a relative margin of 0.5 asks for -3 or less; whatever equals a bound is kept."""
    assert _kept(_candidates([0.0, -1.0, -2.0, -2.5, -3.0], -2.0), **changes) == kept


@pytest.mark.parametrize("margin", [{"absolute_margin": 5.0}, {"relative_margin": 1.0}])
def test_margins_refuse_nothing_without_the_positives_score(margin: dict[str, float]) -> None:
    """Where nobody knows the lowest positive's score, no candidate is too close to it."""
    assert _kept(_candidates([3.0, 2.0, 1.0], np.nan), **margin) == [1, 2, 3]


def test_judged_negatives_skip_window_scores_and_margins() -> None:
    """What was judged not relevant needs no guess, but must still be no copy, not held out, and not the query's text."""
    judged = replace(_candidates([3.0, 2.0, 1.0]), is_negative=np.array([True, True, False]))
    strict = {
        "min_rank": 9,
        "max_rank": 9,
        "max_score": 0.0,
        "min_score": 9.0,
        "absolute_margin": 5.0,
        "relative_margin": 1.0,
    }
    assert _kept(judged, **strict) == [1, 2]
    for fact in ("near_copy", "held_out", "same_text"):
        assert _kept(replace(judged, **{fact: np.array([True, False, False])}), **strict) == [2]


def test_every_refusing_rule_is_in_the_bit_set() -> None:
    """A candidate's bit set names all rules that refuse it, whichever is first."""
    true = np.array([True])
    everything = replace(_candidates([5.0]), is_positive=true, same_text=true, held_out=true, near_copy=true)
    found = refusals(everything, _rules(min_rank=2, max_score=1.0, min_score=9.0, absolute_margin=0.0))
    named = [name for name, bit in BIT.items() if found[0] & bit]
    assert named == [
        "is_positive",
        "same_text_as_query",
        "held_out",
        "duplicates_positive",
        "before_rank_window",
        "score_too_high",
        "score_too_low",
        "margin_too_small",
    ]


def test_the_verdict_is_the_first_refusal() -> None:
    """Of every bit set the lowest bit's rule is named; an empty one is kept."""
    sets = np.arange(1 << len(RULES), dtype=np.int32)
    named = [VERDICTS[i] for i in verdicts(sets)]
    expected = [next((name for name, bit in BIT.items() if one & bit), KEEP) for one in sets.tolist()]
    assert named == expected


def test_the_order_of_verdicts_is_fixed() -> None:
    """Bits and order are part of the tables' format."""
    assert VERDICTS == (
        "is_positive",
        "same_text_as_query",
        "held_out",
        "duplicates_positive",
        "before_rank_window",
        "after_rank_window",
        "score_too_high",
        "score_too_low",
        "margin_too_small",
        "judge_says_relevant",
        "keep",
    )
    assert list(BIT.values()) == [1 << i for i in range(10)]


@pytest.mark.parametrize("name", RULES)
def test_only_what_is_too_close_is_masked(name: str) -> None:
    """Too far by rank or score is no reason to keep a passage out of the batch; every other refusal is."""
    far = {"after_rank_window", "score_too_low"}
    assert too_close(ints(BIT[name], 0).astype(np.int32)).tolist() == [name not in far, False]
    assert too_close(ints(BIT[name] | BIT["score_too_low"]).astype(np.int32)).tolist() == [name not in far]
