"""Facts about what is shown of a query, and about the hardest kept candidates."""

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedder.filters import BIT
from embedder.report.chosen import KEPT, POSITIVES, REFUSED, hardest, shown_candidates, shown_positives
from embedder.report.summaries import of_candidates, of_positives

SETS = (0, BIT["is_positive"], BIT["duplicates_positive"], BIT["before_rank_window"], BIT["held_out"])
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(SETS), st.sampled_from([-1.0, 0.0, 2.0, None])))


def candidates(rows: Sequence[tuple[str, int, float | None]]) -> pa.Table:
    """Return candidates of (query, refused_by, margin), ranked as they come."""
    ordered = sorted(rows, key=lambda row: row[0])
    columns = {
        "query_id": pa.array([row[0] for row in ordered], pa.string()),
        "rank": pa.array(range(1, len(ordered) + 1), pa.int32()),
        "score": pa.array([1.0] * len(ordered), pa.float32()),
        "margin": pa.array([row[2] for row in ordered], pa.float32()),
        "relevance": pa.nulls(len(ordered), pa.float32()),
        "refused_by": pa.array([row[1] for row in ordered], pa.int32()),
        "judge_score": pa.nulls(len(ordered), pa.float32()),
    }
    return pa.table(columns)


def test_near_copies_are_shown_before_others_that_were_refused() -> None:
    """Of what was refused, what copies a positive comes first however deep it lies; positives are shown elsewhere."""
    window, copy = BIT["before_rank_window"], BIT["duplicates_positive"]
    rows = [
        ("a", BIT["is_positive"], 0.0),
        *[("a", window, 0.0)] * REFUSED,
        ("a", copy | window, 0.0),
        *[("a", 0, 1.0)] * 20,
    ]
    shown = shown_candidates(candidates(rows))
    assert shown["rank"].to_pylist() == [2, 3, 4, 6, *range(7, 7 + KEPT)]


def test_the_positives_with_the_best_scores_are_shown() -> None:
    """Positives that nobody scored come last, and no query shows more than a few."""
    scores = [1.0, None, 3.0, 2.0, 5.0, 4.0]
    rows = pa.table({"query_id": ["a"] * 6, "passage_id": list("uvwxyz"), "score": pa.array(scores, pa.float32())})
    assert shown_positives(rows)["passage_id"].to_pylist() == ["w", "x", "y", "z"]
    assert shown_positives(rows.slice(0, 2)).num_rows == 2 < POSITIVES


@given(ROWS, st.integers(0, 20), st.integers(1, 4))
def test_the_hardest_of_parts_hold_the_hardest_of_the_whole(
    rows: list[tuple[str, int, float | None]], cut: int, most: int
) -> None:
    """It does not matter where a table is cut into batches."""
    table = candidates(rows)
    best = hardest(table.slice(0, cut), most)
    assert hardest(pa.concat_tables([best, table.slice(cut)]), most).equals(hardest(table, most))


def test_the_hardest_are_kept_unjudged_and_one_a_query() -> None:
    """The smallest margin comes first, what a judge let pass last, a person's no is left out; so is what was graded."""
    table = candidates(
        [("a", 0, 0.5), ("a", 0, 0.2), ("b", 0, -1.0), ("c", BIT["held_out"], -5.0), ("d", 0, -3.0), ("e", 0, None)]
    )
    judged = table.set_column(4, "relevance", pa.array([None, None, None, None, 0.0, None], pa.float32()))
    assert hardest(judged, 3)["rank"].to_pylist() == [3, 2, 6]
    scores = pa.array([0.1, 0.9, None, None, None, 0.95], pa.float32())
    looked = judged.set_column(6, "judge_score", scores)
    assert hardest(looked, 3)["query_id"].to_pylist() == ["b", "e", "a"]
    assert hardest(looked, 3, final=True)["query_id"].to_pylist() == ["b"]
    assert hardest(looked, 3).column_names == looked.column_names


@given(ROWS)
def test_summaries_count_what_is_there(rows: list[tuple[str, int, float | None]]) -> None:
    """Kept candidates, near copies and the least margin of what was kept agree with a plain count."""
    found = of_candidates(candidates(rows))
    assert set(found) == {row[0] for row in rows}
    for query, summary in found.items():
        own = [row for row in rows if row[0] == query]
        margins = [row[2] for row in own if row[1] == 0 and row[2] is not None]
        assert summary["found"] == len(own)
        assert summary["kept"] == sum(row[1] == 0 for row in own)
        assert summary["copies"] == sum(row[1] == BIT["duplicates_positive"] for row in own)
        assert summary["margin"] == min(margins, default=None)


def test_the_best_positive_may_be_beyond_the_run() -> None:
    """A rank that nobody knows is not the best of several, and alone it is unknown."""
    ranks = pa.array([None, 4, 9, None], pa.int32())
    rows = pa.table({"query_id": ["a", "a", "a", "b"], "passage_id": list("wxyz"), "rank": ranks})
    assert of_positives(rows) == {"a": {"positives": 3, "best": 4}, "b": {"positives": 1, "best": None}}
