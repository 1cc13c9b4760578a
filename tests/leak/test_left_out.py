"""Tests of embedder.leak.left_out."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.leak.left_out import LeftOut, left_out, read

POSITIVE = st.tuples(st.none() | st.integers(1, 20), st.none() | st.sampled_from([-1.0, 0.5, 2.0]), st.integers(0, 15))
QUERIES = st.lists(st.lists(POSITIVE, min_size=1, max_size=5, unique_by=lambda one: one[0] or object()), max_size=4)


def reckoned(queries: "list[list[tuple[int | None, float | None, int]]]") -> LeftOut:
    """Return the positives of queries given as rank, score and bits."""
    rows = [(number, *one) for number, query in enumerate(queries) for one in query]
    return left_out(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] or 0 for row in rows], dtype=np.int64),
        np.array([np.nan if row[2] is None else row[2] for row in rows], dtype=np.float64),
        np.array([row[3] for row in rows], dtype=np.int32),
    )


@settings(max_examples=60, deadline=None)
@given(QUERIES)
def test_others_are_all_but_the_one_left_out(queries: "list[list[tuple[int | None, float | None, int]]]") -> None:
    """Lowest, highest, how many and how many above: of the other positives, unknown where one has no score."""
    found = reckoned(queries)
    expected = []
    for query in queries:
        for i, (rank, _, _) in enumerate(query):
            others = query[:i] + query[i + 1 :]
            scores = [score for _, score, _ in others if score is not None]
            known = bool(others) and len(scores) == len(others)
            above = [one for one, _, _ in others if one is not None and (rank is None or one < rank)]
            expected.append(
                (min(scores) if known else None, max(scores) if known else None, len(others), len(above)),
            )
    lowest, highest = (
        [None if np.isnan(one) else one for one in column.tolist()]
        for column in (found.lowest_other, found.highest_other)
    )
    assert list(zip(lowest, highest, found.others.tolist(), found.others_above.tolist(), strict=True)) == expected


@settings(max_examples=60, deadline=None)
@given(QUERIES)
def test_the_table_is_read_back(queries: "list[list[tuple[int | None, float | None, int]]]") -> None:
    """Written and read, the arrays are the same; unknown scores and ranks are null in the table."""
    found = reckoned(queries)
    ids = pa.array([f"q{i}" for i in range(len(queries))], pa.string())
    passages = pa.array([f"p{i:03}" for i in range(len(found.query))], pa.string())
    table = schemas.build(schemas.LEFT_OUT, found.table(ids.take(pa.array(found.query)), passages))
    back = read(table, ids)
    for name, values in vars(found).items():
        np.testing.assert_array_equal(getattr(back, name), values)
        assert getattr(back, name).dtype == values.dtype
    assert table["rank"].null_count == int((found.rank == 0).sum())
    assert table["score"].null_count == int(np.isnan(found.score).sum())


def test_some_rows_are_taken() -> None:
    """By mask or by position, each column keeps its place."""
    found = reckoned([[(1, 2.0, 0), (2, 1.0, 4)]])
    assert found.take(np.array([False, True])).refused_by.tolist() == [4]
    assert found.take(np.array([1, 0])).rank.tolist() == [2, 1]
