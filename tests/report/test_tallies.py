"""Facts about counts over all candidates."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedder.filters import BIT
from embedder.report.tallies import Scale, Tally, median, scale_of_ranks, scale_of_scores
from embedder.report.verdicts import count_verdicts, verdicts

BITS = st.integers(0, (1 << len(BIT)) - 1)
ROWS = st.lists(st.tuples(BITS, st.floats(-5, 5, width=32), st.integers(1, 40)), max_size=30)


def candidates(rows: list[tuple[int, float, int]]) -> pa.Table:
    """Return candidates of (refused_by, score, rank)."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = {"refused_by": pa.int32(), "score": pa.float32(), "rank": pa.int32()}
    return pa.table({name: pa.array(values, kind) for (name, kind), values in zip(kinds.items(), columns, strict=True)})


def tallied(*tables: pa.Table) -> Tally:
    """Count the tables one after the other."""
    tally = Tally(scale_of_scores(-5, 5), scale_of_ranks(32))
    for table in tables:
        tally.add_candidates(table)
    return tally


@given(ROWS, st.integers(0, 30))
def test_counts_do_not_depend_on_batches(rows: list[tuple[int, float, int]], cut: int) -> None:
    """A table counted in two parts is counted as in one, and every candidate is counted once."""
    whole, parts = tallied(candidates(rows)), tallied(candidates(rows[:cut]), candidates(rows[cut:]))
    assert whole.refused_by == parts.refused_by
    assert whole.deeper == parts.deeper
    for name in ("kept", "refused"):
        np.testing.assert_array_equal(whole.scores[name], parts.scores[name])
        found = whole.ranks[name].sum() + whole.deeper[name]
        assert found == whole.scores[name].sum()
    others = sum(1 for bits, _, _ in rows if not bits & BIT["is_positive"])
    assert whole.scores["kept"].sum() + whole.scores["refused"].sum() == others


@given(st.dictionaries(BITS, st.integers(1, 99), max_size=20))
def test_every_candidate_has_one_verdict(refused_by: dict[int, int]) -> None:
    """Counts per verdict add up to the candidates, and what no rule refuses is kept."""
    counts = count_verdicts(refused_by)
    assert sum(counts.values()) == sum(refused_by.values())
    assert counts["keep"] == refused_by.get(0, 0)


def test_rules_that_never_refuse_are_not_listed() -> None:
    """A rule that refuses nothing, alone or with others, has no switch; one that is never the first to refuse has."""
    page = "".join(verdicts({0: 7, BIT["before_rank_window"] | BIT["margin_too_small"]: 3}))
    assert 'value="margin_too_small"' in page
    assert 'value="before_rank_window"' in page
    assert "score_too_high" not in page
    assert 'value="is_positive"' not in page


def test_positives_without_score_or_rank_are_counted_as_such() -> None:
    """A positive that nobody scored is in no bar of the scores; one beyond the run lies deeper."""
    tally = tallied()
    scores, ranks = pa.array([1.0, None, 2.0], pa.float32()), pa.array([1, 900, None], pa.int32())
    tally.add_positives(pa.table({"score": scores, "rank": ranks}))
    assert tally.scores["positives"].sum() == 2
    assert tally.ranks["positives"].sum() == 1
    assert tally.deeper["positives"] == 2


@given(st.lists(st.integers(1, 128), min_size=1))
def test_the_median_is_right_to_a_bin(ranks: list[int]) -> None:
    """The median read from counts lies within a bin of a median of the values."""
    scale = scale_of_ranks(128)
    read = median(scale, scale.counts(np.array(ranks)))
    assert read is not None
    width = (scale.high - scale.low) / scale.bins
    ordered = sorted(ranks)
    assert ordered[(len(ranks) - 1) // 2] - width <= read <= ordered[len(ranks) // 2] + 2 * width


def test_one_score_is_a_scale_too() -> None:
    """Where all scores are equal they share a bin, and infinite ones have none."""
    scale = Scale(2.0, 2.0, 4)
    assert scale.counts(np.array([2.0, 2.0, np.inf, np.nan])).tolist() == [2, 0, 0, 0]
    assert median(scale, np.zeros(4, dtype=np.int64)) is None
