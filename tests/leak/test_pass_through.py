"""Tests of embedder.leak.pass_through against judgements that are really taken away."""

import pickle
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.filters import Candidates, percentile, refusals
from embedder.leak import pass_through
from embedder.leak.pass_through import Meter
from embedder.leak.rows import Row
from embedder.leak.settings import Setting
from embedder.leak.strata import STRATA
from embedder.params.models import Filter
from embedder.sampling import draw
from tests.leak.made_up import QUERIES, Query, block, candidates, leak, scale_of
from tests.tables import rules

DRAWS, STORED = 2, 3
_COUNTED = st.sampled_from(["without_positives", "raw"])
_WINDOWS = {"min_rank": st.none() | st.integers(1, 4), "max_rank": st.none() | st.integers(4, 9), "counted": _COUNTED}
_SCORES = {
    "max_score": st.none() | st.sampled_from([0.5, 2.5]),
    "min_score_percentile": st.none() | st.sampled_from([10.0, 50.0]),
}
_MARGINS = {
    name: st.none() | st.sampled_from([0.0, 0.1, 0.5])
    for name in ("absolute_margin", "relative_margin", "percentile_margin")
} | {"reference": st.sampled_from(["lowest", "own"])}
# With everything at once, next to nothing would be kept.
FILTERS = (
    st.builds(rules, **_WINDOWS)
    | st.builds(rules, **_SCORES)
    | st.builds(rules, **_MARGINS)
    | st.builds(rules, **_WINDOWS, **_SCORES, **_MARGINS)
)
GRIDS = st.lists(FILTERS, min_size=1, max_size=4)


@dataclass(frozen=True)
class Outcome:
    """What became of one positive: its query, its rank, its twins, and whether it was kept and drawn."""

    query: int
    rank: int
    twins: int
    identifiable: bool
    kept: bool
    random: float
    top: float


def without(query: Query, number: int, scale: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Candidates:
    """Return the rows of a query of which the positive `number` was never judged; near copies only of it are none."""
    rank, _, bits = query.positives[number]
    kinds = list(query.kinds)
    refused = {0: "plain", 4: "held_out", 8: "near_copy"}
    if rank:
        kinds[rank - 1] = refused[bits]
        beyond = query.beyond
    else:
        place = number - query.kinds.count("positive")
        beyond = query.beyond[:place] + query.beyond[place + 1 :]
    left = Query(tuple(kinds), query.scores, query.refused, beyond)
    if not left.positives:
        alone = [kind if kind != "near_copy" or at + 1 == rank else "plain" for at, kind in enumerate(kinds)]
        left = Query(tuple(alone), query.scores, query.refused, ())
    return candidates(left, scale)


def brute(queries: Sequence[Query], chosen: Filter) -> list[Outcome]:
    """Take every judgement away in turn, ask the rules again, and look for the passage."""
    scale, found = scale_of(queries), []
    has_margin = {chosen.absolute_margin, chosen.relative_margin, chosen.percentile_margin} != {None}
    for number, query in enumerate(queries):
        for i, (rank, _, _) in enumerate(query.positives):
            asked = without(query, i, scale)
            rows = np.flatnonzero(refusals(asked, chosen) == 0)
            kept, judged = asked.rank[rows].tolist(), asked.is_negative[rows]
            inside, twins = rank in kept, len(query.positives) - 1
            chances = _drawn(judged, kept.index(rank)) if inside else (0.0, 0.0)
            found.append(Outcome(number, rank, twins, twins > 0 or not has_margin, inside, *chances))
    return found


def _drawn(judged: "np.ndarray[tuple[int], np.dtype[np.bool_]]", place: int) -> tuple[float, float]:
    """Store candidates in every way, judged negatives first, and draw a row's from what is stored."""
    others = np.flatnonzero(~judged).tolist()
    room = max(0, min(STORED, len(judged)) - int(judged.sum()))
    ways = [place in one for one in combinations(others, room)]
    top = place in draw(judged, np.zeros(len(judged)), STORED, "top", 1)
    seen = min(1.0, DRAWS / min(STORED, len(judged)))
    return float(np.mean(ways)) * seen, top * seen


def metered(
    queries: Sequence[Query],
    filters: Sequence[Filter],
    parts: Sequence[Sequence[int]],
    draws: int = DRAWS,
    stored: int = STORED,
) -> Meter:
    """Measure settings on queries in the given blocks of numbers."""
    named = [Setting(f"setting {i}", one) for i, one in enumerate(filters)]
    ids = [f"q{i}" for i in range(len(queries))]
    words = np.array([3 * i + 1 for i in range(len(queries))])
    meter, scale = Meter(named, leak(draws), stored, ids, words), scale_of(queries)
    for part in parts:
        meter.add(*block([queries[i] for i in part], part, scale))
    return meter


def measure(queries: Sequence[Query], filters: Sequence[Filter]) -> list[Row]:
    """Return the rows of queries measured in one block."""
    return metered(queries, filters, [range(len(queries))]).rows()


def mean(values: Sequence[float], weights: Sequence[float]) -> float | None:
    """Return the weighted mean, None of nothing."""
    return float(np.average(values, weights=weights)) if sum(weights) else None


def close(value: float | None) -> object:
    """Return what equals the value but for the rounding of rows."""
    return None if value is None else pytest.approx(value, abs=1e-6)


STRATUM: dict[str, Callable[[Outcome], bool]] = {
    "all": lambda one: one.twins >= 0,
    "rank 1": lambda one: one.rank == 1,
    "rank 2-10": lambda one: 2 <= one.rank <= 10,
    "rank deeper": lambda one: one.rank == 0,
    "twins 0": lambda one: one.twins == 0,
    "twins 1": lambda one: one.twins == 1,
    "twins 2-4": lambda one: 2 <= one.twins <= 4,
    "twins 5+": lambda one: one.twins >= 5,
    "words 1-5": lambda one: 3 * one.query + 1 <= 5,
    "words 6-12": lambda one: 6 <= 3 * one.query + 1 <= 12,
}


@settings(max_examples=200, deadline=None)
@given(QUERIES, GRIDS)
def test_leaving_out_is_taking_the_judgement_away(queries: list[Query], filters: list[Filter]) -> None:
    """Every rate of every kind of positive equals that of rules that are asked again, judgement by judgement."""
    rows = {(row.setting, row.stratum): row for row in measure(queries, filters)}
    for i, chosen in enumerate(filters):
        outcomes = brute(queries, chosen)
        for stratum, belongs in STRATUM.items():
            of = [one for one in outcomes if belongs(one)]
            row = rows.get((f"setting {i}", stratum))
            assert (row is None) == (not of)
            if row is None:
                continue
            asked = [one for one in of if one.identifiable]
            same, twins = [1.0] * len(asked), [float(one.twins) for one in asked]
            assert (row.positives, row.queries) == (len(of), len({one.query for one in of}))
            assert row.not_identifiable == len(of) - len(asked)
            assert row.pass_through == close(mean([one.kept for one in asked], same))
            assert row.weighted == close(mean([one.kept for one in asked], twins))
            assert row.drawn_random == close(mean([one.random for one in asked], same))
            assert row.drawn_top == close(mean([one.top for one in asked], same))


@settings(max_examples=50, deadline=None)
@given(QUERIES, FILTERS)
def test_what_is_left_is_what_the_rules_keep(queries: list[Query], chosen: Filter) -> None:
    """Candidates kept, short queries and hardness are those of the rules with all positives judged."""
    row = measure(queries, [chosen])[0]
    scale = scale_of(queries)
    asked = [candidates(query, scale) for query in queries]
    kept = [one.score[refusals(one, chosen) == 0] for one in asked]
    counts = [len(scores) for scores in kept]
    assert row.kept_per_query == np.median(counts)
    assert row.short_share == close(float(np.mean([count < DRAWS for count in counts])))
    judged = [one.is_negative[refusals(one, chosen) == 0] for one in asked]
    top = [scores[draw(first, scores, STORED, "top", 1)] for first, scores in zip(judged, kept, strict=True)]
    for value, parts in ((row.hardness, kept), (row.hardness_top, top)):
        hard = percentile(np.concatenate(parts), scale)
        assert value == close(float(hard.mean()) if len(hard) else None)


@settings(max_examples=50, deadline=None)
@given(QUERIES, GRIDS, st.data())
def test_blocks_and_their_order_do_not_matter(queries: list[Query], filters: list[Filter], data: st.DataObject) -> None:
    """Whole, query by query, or in any order: the sums of all samples are the same to the bit, and so the rows."""
    order = data.draw(st.permutations(range(len(queries))))
    whole, apart = (metered(queries, filters, parts) for parts in ([range(len(queries))], [[i] for i in order]))
    assert np.array_equal(whole._sums, apart._sums)
    assert whole.rows() == apart.rows()


@settings(max_examples=50, deadline=None)
@given(QUERIES, GRIDS)
def test_intervals_hold_what_was_observed(queries: list[Query], filters: list[Filter]) -> None:
    """Every share lies between the ends of its interval, and those between 0 and 1."""
    for row in measure(queries, filters):
        for share, low, high in (
            (row.pass_through, row.low, row.high),
            (row.weighted, row.weighted_low, row.weighted_high),
            (row.drawn_random, row.drawn_random_low, row.drawn_random_high),
            (row.drawn_top, row.drawn_top_low, row.drawn_top_high),
        ):
            assert {value is None for value in (share, low, high)} in ({True}, {False})
            if share is not None and low is not None and high is not None:
                assert 0 <= low <= share <= high <= 1


@settings(max_examples=50, deadline=None)
@given(QUERIES, GRIDS)
def test_counts_add_up(queries: list[Query], filters: list[Filter]) -> None:
    """Ranks, twins and words each divide all positives, those that no margin can be asked about included."""
    rows = measure(queries, filters)
    for name in {row.setting for row in rows}:
        own = {row.stratum: row for row in rows if row.setting == name}
        for kind in ("rank", "twins", "words"):
            parts = [own[stratum] for stratum in STRATA if stratum.startswith(kind) and stratum in own]
            assert sum(row.positives for row in parts) == own["all"].positives
            assert sum(row.not_identifiable for row in parts) == own["all"].not_identifiable


def test_a_margin_cannot_be_asked_of_an_only_positive() -> None:
    """Where each query has one positive a margin has no rate; a window has."""
    alone = Query(("positive", "plain"), (2.0, 1.0), (0, 0), ())
    margin, window = (
        row for row in measure([alone] * 3, [rules(relative_margin=0.1), rules(min_rank=1)]) if row.stratum == "all"
    )
    assert (margin.pass_through, margin.low, margin.drawn_random, margin.not_identifiable) == (None, None, None, 3)
    assert (window.pass_through, window.not_identifiable) == (1.0, 0)


def test_a_positive_without_rank_is_not_kept() -> None:
    """What the run does not hold is counted, and never kept, whatever the rules."""
    beyond = Query(("plain", "plain"), (2.0, 1.0), (0, 0), (0.5, None))
    row = measure([beyond], [rules()])[0]
    assert (row.positives, row.pass_through, row.drawn_random) == (2, 0.0, 0.0)


def test_ranks_count_without_the_positive_that_is_left_out() -> None:
    """The third row has rank 2 beside a positive, and rank 3 once that is an unjudged candidate."""
    query = Query(("plain", "positive", "plain"), (3.0, 2.0, 1.0), (0, 0, 0), ())
    kept, left = measure([query], [rules(max_rank=2), rules(min_rank=3)])[::4]
    # Of ranks 1 and 2 without it, the positive itself is one: the third row is out.
    assert (kept.setting, kept.kept_per_query, kept.drawn_random) == ("setting 0", 2.0, 1.0)
    assert (left.setting, left.kept_per_query, left.pass_through) == ("setting 1", 0.0, 0.0)


def test_memory_does_not_grow_with_blocks() -> None:
    """A meter holds as much after a hundred blocks as after one."""
    query = Query(("positive", *["plain"] * 30), tuple(float(-i) for i in range(31)), (0,) * 31, ())
    scale = scale_of([query])
    sizes = []
    meter = Meter([Setting("current", rules())], leak(), STORED, [f"q{i}" for i in range(100)], None)
    for i in range(100):
        meter.add(*block([query], [i], scale))
        sizes.append(len(pickle.dumps(meter)))
    assert max(sizes) - sizes[0] < 100


@settings(max_examples=20, deadline=None)
@given(QUERIES, GRIDS)
def test_a_few_queries_at_a_time_give_the_same_sums(queries: list[Query], filters: list[Filter]) -> None:
    """The queries whose draws are in memory at once don't matter to the bit."""
    whole = metered(queries, filters, [range(len(queries))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_through, "_QUERIES", 1)
        apart = metered(queries, filters, [range(len(queries))])
    assert np.array_equal(whole._sums, apart._sums)
    assert whole.rows() == apart.rows()


def test_memory_does_not_grow_with_the_queries_of_a_block() -> None:
    """A block of many queries without candidates never holds the draws of all of them."""
    queries = 30_000
    beyond = Query((), (), (), (0.5,))
    found = block([beyond] * queries, range(queries), np.array([0.5]))
    meter = Meter([Setting("current", rules())], leak(), STORED, [f"q{i}" for i in range(queries)], None)
    tracemalloc.start()
    meter.add(*found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The draws of all would be 24 MB.
    assert peak < 14e6


def test_without_positives_nothing_is_measured() -> None:
    """No block, no row."""
    assert Meter([Setting("current", rules())], leak(), STORED, [], None).rows() == []
