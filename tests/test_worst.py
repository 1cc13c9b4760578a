"""Tests of embedder.worst."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedder import schemas
from embedder.filters import KEEP
from embedder.worst import worst

SCALE = np.array([1.0, 2.0, 3.0, 4.0])
# query, rank, passage, score, relevance, positive_score, verdict, judge_score
Row = tuple[str, int, str, float, float | None, float | None, str, float | None]


def _batches(*batches: list[Row]) -> list[pa.RecordBatch]:
    names = ("query_id", "rank", "passage_id", "score", "relevance", "positive_score", "verdict", "judge_score")
    schema = pa.schema([schemas.JUDGED_CANDIDATES.schema.field(name) for name in names])
    columns = [[list(column) for column in zip(*batch, strict=True)] or [[]] * len(names) for batch in batches]
    return [pa.record_batch(column, schema=schema) for column in columns]


def _row(query: str, score: float, positive: float | None = 4.0, **changes: object) -> Row:
    values = {"relevance": None, "verdict": KEEP, "judge": None, "rank": 7, "passage": f"p{score}"} | changes
    order = ("passage", "relevance", "verdict", "judge")
    passage, relevance, verdict, judge = (values[name] for name in order)
    return query, values["rank"], passage, score, relevance, positive, verdict, judge  # type: ignore[return-value]


def _queries(*rows: Row, most: int = 9) -> list[str]:
    return [query for query, _ in worst(_batches(list(rows)), SCALE, most)]


def test_what_a_judge_scored_low_comes_last() -> None:
    """What nobody looked at comes before what a judge called not relevant, of which the highest score comes first."""
    rows = [_row("far", 1.0), _row("low", 3.9, judge=0.1), _row("unknown", 1.0, None), _row("high", 1.0, judge=0.4)]
    assert _queries(*rows) == ["far", "unknown", "high", "low"]


def test_of_a_query_what_nobody_looked_at_is_shown() -> None:
    """A candidate that a judge called not relevant does not stand for its query while there is another."""
    rows = [_row("q", 3.9, judge=0.4, rank=1), _row("q", 1.0, rank=2)]
    assert worst(_batches(rows), SCALE, 9) == [("q", 2)]


def test_a_persons_no_is_final() -> None:
    """What a person called not relevant is left out; what the person was unsure of has no score and stays."""
    rows = [_row("no", 4.0, judge=0.0), _row("unsure", 1.0), _row("open", 2.0)]
    assert worst(_batches(rows), SCALE, 9, final=True) == [("open", 7), ("unsure", 7)]


def test_without_a_judge_the_nearest_goes_first() -> None:
    """Nearness is the percentile of the score less that of the positive; without a positive's score it comes last."""
    rows = [
        _row("unknown", 9.0, None),
        _row("equal", 4.0),
        _row("above", 3.0, 1.0),
        _row("one below", 3.5),
        _row("three below", 1.0),
    ]
    assert _queries(*rows) == ["above", "equal", "one below", "three below", "unknown"]


def test_what_the_teacher_did_not_find_is_no_yardstick() -> None:
    """A positive among the lowest tenth of all scores was not found: to score far above it says nothing."""
    scale = np.arange(1.0, 21.0)
    rows = [_row("stray", 20.0, 1.0), _row("found", 5.0, 12.0)]
    assert [query for query, _ in worst(_batches(rows), scale, 9)] == ["found", "stray"]


def test_only_kept_and_ungraded_candidates_are_shown() -> None:
    """What a rule refused is no negative, and what somebody graded is known."""
    rows = [_row("refused", 4.0, verdict="margin_too_small"), _row("graded", 4.0, relevance=0.0), _row("kept", 1.0)]
    assert _queries(*rows) == ["kept"]
    assert _queries() == []


def test_ties_go_by_ids() -> None:
    """Of equal candidates of a query the first passage is shown; equal queries come by id."""
    rows = [_row("b", 2.0), _row("a", 2.0, passage="y", rank=1), _row("a", 2.0, passage="x", rank=2)]
    assert worst(_batches(rows), SCALE, 9) == [("a", 2), ("b", 7)]


def test_a_table_without_a_judge_is_read() -> None:
    """The filter's table has no judge's scores."""
    batch = _batches([_row("near", 4.0), _row("far", 1.0)])[0]
    for final in (False, True):
        assert worst([batch.drop_columns(["judge_score"])], SCALE, 2, final=final) == [("near", 7), ("far", 7)]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 5), st.none() | st.integers(0, 5), st.none() | st.integers(0, 3)),
        max_size=30,
        unique_by=lambda row: row[:2],
    ),
    st.integers(1, 8),
    st.integers(1, 30),
)
def test_batches_change_nothing(made: list[tuple[int, int, int | None, int | None]], most: int, size: int) -> None:
    """However a table is cut into batches, the same candidates come in the same order."""
    rows = [_row(f"q{query}", score, positive, rank=score + 1, judge=judge) for query, score, positive, judge in made]
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    whole = worst(_batches(rows), SCALE, len(rows) + 1)
    assert worst(_batches(*parts), SCALE, most) == whole[:most]
    assert [query for query, _ in whole] == list(dict.fromkeys(query for query, _ in whole))
    assert len(whole) == len({query for query, *_ in made})
