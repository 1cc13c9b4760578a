"""How runs and negatives moved from one state to another, in figures."""

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import schemas
from embedder.comparison.compare import Facts, Mined, Move, compare, overlaps
from tests import tables

PASSAGES = [f"p{number}" for number in range(8)]
RANKINGS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]), st.lists(st.sampled_from(PASSAGES), unique=True, min_size=1), min_size=1
)


def mined(
    rankings: dict[str, list[str]], window: int = 4, shards: dict[tuple[str, str], list[str]] | None = None
) -> Mined:
    """Return a state whose runs are `rankings`; p0 is the positive, ranks up to `window` are kept."""
    rows = [
        (query, rank, passage, 9.0 - rank) for query, ids in rankings.items() for rank, passage in enumerate(ids, 1)
    ]
    places = {query: ids.index("p0") + 1 if "p0" in ids else None for query, ids in rankings.items()}
    judged = [(query, "p0", 1.0, 9.0 - place if place else 0.5, place) for query, place in places.items()]
    lowest = {query: score for query, _, _, score, _ in judged}
    columns = {
        **{name: [row[i] for row in rows] for i, name in enumerate(schemas.RUN.schema.names)},
        "positive_score": [lowest[query] for query, *_ in rows],
        "verdict": [_verdict(rank, passage, window) for _, rank, passage, _ in rows],
    }
    return Mined(tables.run(rows), tables.judged(judged), pa.table(columns), _shards(shards))


def _verdict(rank: int, passage: str, window: int) -> str:
    if passage == "p0":
        return "is_positive"
    return "keep" if rank <= window else "after_rank_window"


def _shards(negatives: dict[tuple[str, str], list[str]] | None) -> pa.Table | None:
    if negatives is None:
        return None
    keys = list(negatives)
    return pa.table(
        {
            "query_id": pa.array([query for query, _ in keys], pa.string()),
            "positive_id": pa.array([positive for _, positive in keys], pa.string()),
            "negative_ids": pa.array(list(negatives.values()), pa.list_(pa.string())),
        }
    )


BEFORE = {"q1": ["p1", "p2", "p0", "p3", "p4"], "q2": ["p0", "p1"], "gone": ["p0"]}
AFTER = {"q1": ["p0", "p1", "p5", "p3", "p6"], "q2": ["p0", "p1"], "new": ["p0"]}


def test_figures_are_of_the_queries_in_both() -> None:
    """Kept candidates, those above the positive and the positives' ranks are counted over the queries of both."""
    found = compare(mined(BEFORE), mined(AFTER), 1.0, 5)
    assert (found.both, found.only_before, found.only_after) == (2, 1, 1)
    assert found.before == Facts(2.0, 0.5, 2, 1.0, 1.0, 2.0)
    assert found.after == Facts(2.0, 0.0, 2, 1.0, 1.0, 1.0)


def test_overlap_is_what_both_have_of_what_either_has() -> None:
    """Of a query the shared part is intersection over union, and queries count alike."""
    found = compare(mined(BEFORE), mined(AFTER), 1.0, 5).shared
    # q1 has p1, p2, p0, p3, p4 and then p0, p1, p5, p3, p6; kept are p1, p2, p3 and then p1, p5, p3.
    assert found == {
        "first 10 of the run": pytest.approx((3 / 7 + 1) / 2),
        "the whole run": pytest.approx((3 / 7 + 1) / 2),
        "kept candidates": pytest.approx((2 / 4 + 1) / 2),
        "negatives in the shards": None,
    }


def test_a_move_names_what_came_and_what_left() -> None:
    """Of a query whose kept candidates changed, those new and those gone are told by their ranks."""
    found = compare(mined(BEFORE), mined(AFTER), 1.0, 5)
    assert found.changed == 1
    assert found.moves == [Move("q1", 0.5, ((3, "p5"),), ((2, "p2"),))]


def test_the_most_changed_come_first() -> None:
    """Moves are sorted by what is shared, then by query_id, and no more than asked for."""
    before = {name: ["p1", "p2", "p3"] for name in ("b", "a", "c", "d")}
    after = {"b": ["p4", "p5"], "a": ["p4"], "c": ["p1", "p2"], "d": ["p1", "p2", "p3"]}
    found = compare(mined(before), mined(after), 1.0, 2)
    assert ([move.query_id for move in found.moves], found.changed) == (["a", "b"], 3)


def test_only_the_first_ten_count_as_first() -> None:
    """What changes below rank 10 changes the whole run, and not its first ten."""
    before, after = ({"q1": [f"p{n}" for n in (*range(10), last)]} for last in (10, 11))
    found = compare(mined(before), mined(after), 1.0, 5).shared
    assert found["first 10 of the run"] == 1.0
    assert found["the whole run"] == pytest.approx(10 / 12)


def test_negatives_are_compared_by_query_and_positive() -> None:
    """Of the shards the rows of the same query and positive are compared, and others left out."""
    before = mined(BEFORE, shards={("q1", "p0"): ["p1", "p2"], ("q1", "p7"): ["p3"], ("q2", "p0"): []})
    after = mined(AFTER, shards={("q1", "p0"): ["p2", "p3"], ("q2", "p0"): [], ("q2", "p1"): ["p3"]})
    assert compare(before, after, 1.0, 5).shared["negatives in the shards"] == pytest.approx(1 / 3)


def test_a_positive_beyond_depth_has_no_finite_rank() -> None:
    """Where half of the positives lie beyond depth the lower median may still be a rank; where all do it is infinite."""
    half = compare(mined({"q1": ["p0"], "q2": ["p1"]}), mined({"q1": ["p1"], "q2": ["p1"]}), 1.0, 5)
    assert (half.before.median_rank, half.before.within, half.before.mean_rank) == (1.0, 0.5, 1.0)
    assert (half.after.median_rank, half.after.within, half.after.mean_rank) == (math.inf, 0.0, None)


def test_nothing_in_common_is_no_fault() -> None:
    """States that share no query have no overlap to speak of."""
    found = compare(mined({"q1": ["p0"]}), mined({"q2": ["p0"]}), 1.0, 5)
    assert (found.both, set(found.shared.values()), found.moves) == (0, {None}, [])
    assert (found.before.within, found.before.above, found.before.median_rank) == (None, None, None)


def test_unknown_scores_of_positives_are_not_counted() -> None:
    """A kept candidate whose positive has no score is neither above nor below it."""
    state = mined(BEFORE)
    unknown = pa.nulls(state.candidates.num_rows, pa.float32())
    at = state.candidates.column_names.index("positive_score")
    blind = dataclasses.replace(state, candidates=state.candidates.set_column(at, "positive_score", unknown))
    assert compare(blind, state, 1.0, 5).before.above is None


@given(RANKINGS)
def test_identical_states_share_everything(rankings: dict[str, list[str]]) -> None:
    """A state against itself has overlap 1 wherever it has anything, the same figures, and no move."""
    shards = {(query, "p0"): ids for query, ids in rankings.items()}
    found = compare(mined(rankings, shards=shards), mined(rankings, shards=shards), 1.0, 5)
    assert set(found.shared.values()) <= {1.0, None}
    assert found.shared["the whole run"] == found.shared["negatives in the shards"] == 1.0
    assert (found.before, found.moves, found.changed) == (found.after, [], 0)
    assert (found.only_before, found.only_after, found.both) == (0, 0, len(rankings))


@given(RANKINGS, RANKINGS)
def test_before_and_after_mirror_each_other(one: dict[str, list[str]], other: dict[str, list[str]]) -> None:
    """Turned round, a comparison has the same overlaps, its sides swapped, and what came is what left."""
    there, back = (compare(mined(a), mined(b), 1.0, 5) for a, b in ((one, other), (other, one)))
    assert there.shared == back.shared
    assert (there.before, there.after, there.only_before) == (back.after, back.before, back.only_after)
    turned = [dataclasses.replace(move, came=move.left, left=move.came) for move in back.moves]
    assert there.moves == turned


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), unique=True),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), unique=True),
)
def test_overlaps_equal_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    """The overlap of each group is that of Python's sets."""
    arrays = [
        (np.array([g for g, _ in pairs], np.int64), np.array([m for _, m in pairs], np.int64)) for pairs in (one, other)
    ]
    found = overlaps(arrays[0], arrays[1], 5)
    for group in range(5):
        a, b = ({m for g, m in pairs if g == group} for pairs in (one, other))
        assert (math.isnan(found[group]) and not a | b) or found[group] == len(a & b) / len(a | b)
