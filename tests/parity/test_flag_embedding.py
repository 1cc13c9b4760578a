"""Our rules with raw ranks keep what FlagEmbedding's `hn_mine.py` takes, less its random fill and what it overlooks.

FlagEmbedding is not installed: `_theirs` is the selection of its script, as read at commit 7ed43d6 (v1.4.0).
"""

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.candidates import judge_candidates
from embedder.filters import KEEP
from tests import tables

Rows = Sequence[tuple[str, str]]
"""Of a file: query and its one positive, texts."""


def _theirs(
    ranking: Sequence[str], row: tuple[str, str], corpus: Sequence[str], first: int, end: int, n: int
) -> list[str]:
    """Choose a row's negatives: the half-open window [first, end) of the raw ranking, then what is no negative leaves it.

    Args:
        ranking: texts, best first.
        row: the query and its positive; other rows are not looked at.
        corpus: what a short row is filled up from.
        first: of the window, counted from 0.
        end: behind the window.
        n: how many are wanted.
    """
    query, positive = row
    taken = [text for text in ranking[first:end] if text not in (positive, query)]
    if len(taken) > n:
        taken = random.sample(taken, n)
    if len(taken) < n:
        fill = random.sample(corpus, min(len(corpus), n - len(taken) + 1))
        taken += [text for text in fill if text != positive][: n - len(taken)]
    return taken


def _ours(ranking: Sequence[str], rows: Rows, first: int, end: int) -> list[str]:
    """Return what the rules keep for the one query of `rows`, best first: all its rows are one query."""
    ((query, *_),) = {(row[0],) for row in rows}
    ids = {text: f"p{i:03}" for i, text in enumerate(sorted({*ranking, *(positive for _, positive in rows)}))}
    texts = {passage: text for text, passage in ids.items()}
    run = [("q", rank, ids[text], -float(rank)) for rank, text in enumerate(ranking, 1)]
    ranks = {passage: rank for _, rank, passage, _ in run}
    judged = [("q", ids[text], 1.0, None, ranks.get(ids[text])) for text in {positive for _, positive in rows}]
    found = judge_candidates(
        tables.run(run),
        tables.judged(judged),
        tables.queries({"q": query}),
        tables.corpus(texts),
        pa.array([], pa.string()),
        tables.entry(),
        # [first, end) counted from 0 is first + 1 to end counted from 1.
        tables.rules(min_rank=first + 1, max_rank=end, counted="raw"),
    )
    return [texts[row["passage_id"]] for row in found.to_pylist() if row["verdict"] == KEEP]


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[str], tuple[str, str], int, int]:
    # "t0" may be the query's own text, and the positive may lie beyond the ranking.
    ranking = draw(st.permutations([f"t{i}" for i in range(draw(st.integers(2, 25)))]))
    query, positive = draw(st.sampled_from(["t0", "the query"])), f"t{draw(st.integers(1, 27))}"
    first = draw(st.integers(0, 20))
    return ranking, (query, positive), first, draw(st.integers(first + 1, 30))


@settings(max_examples=150, deadline=None)
@given(case=_cases(), n=st.integers(1, 30), seed=st.integers(0, 9))
def test_what_the_window_leaves_is_theirs(case: tuple[list[str], tuple[str, str], int, int], n: int, seed: int) -> None:
    """Without a fill theirs is ours or a sample of it; with one it begins with ours."""
    ranking, row, first, end = case
    random.seed(seed)
    theirs, ours = _theirs(ranking, row, ranking, first, end, n), _ours(ranking, [row], first, end)
    if len(ours) > n:
        assert set(theirs) < set(ours)
    else:
        assert theirs[: len(ours)] == ours


def test_a_window_of_30_to_100_gives_69_and_theirs_fills_up_to_70() -> None:
    """With the positive at raw rank 50 the window holds 69 negatives; theirs adds one from anywhere, ours is short."""
    ranking = [f"r{rank:03}" for rank in range(1, 201)]
    ours = _ours(ranking, [("query", "r050")], 30, 100)
    assert ours == [f"r{rank:03}" for rank in range(31, 101) if rank != 50]
    assert len(ours) == 69
    filled = []
    for seed in range(20):
        random.seed(seed)
        theirs = _theirs(ranking, ("query", "r050"), ranking, 30, 100, 70)
        assert (len(theirs), theirs[:69]) == (70, ours)
        filled.append(theirs[69])
    assert len(set(filled)) > 1
    assert set(filled) - set(ours)


def test_another_row_of_the_query_is_overlooked_by_theirs() -> None:
    """Two rows share a query, window 0-2, n 2: theirs gives the first row the second's positive, ours neither."""
    ranking, rows = ["second", "other", "first", "more"], [("query", "first"), ("query", "second")]
    assert _theirs(ranking, rows[0], ranking, 0, 2, 2) == ["second", "other"]
    assert _ours(ranking, rows, 0, 2) == ["other"]


def test_their_fill_may_be_the_query_itself() -> None:
    """The query's text leaves the window and not the fill: some seeds put it among the negatives, ours never."""
    ranking = ["query", *(f"t{i}" for i in range(11))]
    found = []
    for seed in range(20):
        random.seed(seed)
        found.append("query" in _theirs(ranking, ("query", "t3"), ranking, 0, 4, 9))
    assert any(found)
    assert "query" not in _ours(ranking, [("query", "t3")], 0, 12)


@pytest.mark.parametrize(("first", "end"), [(0, 1), (2, 200)])
def test_the_ends_of_the_window_are_theirs(first: int, end: int) -> None:
    """Its start counts from 0 and its end is left out, so 2-200 is ranks 3 to 200."""
    ranking = [f"r{rank:03}" for rank in range(1, 211)]
    assert _ours(ranking, [("query", "nowhere")], first, end) == ranking[first:end]
    assert _theirs(ranking, ("query", "nowhere"), ranking, first, end, end - first) == ranking[first:end]
