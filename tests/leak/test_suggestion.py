"""Tests of embedder.leak.suggestion."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from embedder.leak.pass_through import Meter
from embedder.leak.rows import Row
from embedder.leak.settings import Setting
from embedder.leak.suggestion import Suggestion, all_positives, choose, halves, suggest
from embedder.params.models import Filter
from tests import tables
from tests.leak.made_up import QUERIES, Query, block, ids_of, leak, left_of, parts_of, scale_of
from tests.leak.test_pass_through import FILTERS, measure, metered
from tests.tables import rules

SEED = leak().seed
RATES = st.sampled_from([0.5, 0.7, 0.9, 0.99])
NEEDED = tables.settings(min_negatives=1, max_dropped_share=0.5, sampling="random")


def suggested(queries: Sequence[Query], filters: Sequence[Filter], rate: float, min_negatives: int = 1) -> Suggestion:
    """Suggest one of the filters, the first of which is in force."""
    named = [Setting(str(i), one) for i, one in enumerate(filters)]
    needed = NEEDED.model_copy(update={"min_negatives": min_negatives})
    parts, left = parts_of(queries, filters[0]), left_of(queries, range(len(queries)))
    return suggest(parts, ids_of(queries), left, named, leak(), needed, rate)


def half(queries: Sequence[Query], chosen: bool) -> list[Query]:  # noqa: FBT001 - which of two
    """Return the queries that choose, or those that do not."""
    return [query for query, one in zip(queries, halves(ids_of(queries), SEED), strict=True) if one == chosen]


@settings(max_examples=50, deadline=None)
@given(QUERIES, QUERIES, st.lists(FILTERS, min_size=1, max_size=4), RATES)
def test_the_other_half_has_no_say(
    queries: list[Query], others: list[Query], filters: list[Filter], rate: float
) -> None:
    """With other queries in the half that does not choose, the choice is the same."""
    chooses = halves(ids_of(queries), SEED)
    changed = [
        query if one else others[i % len(others)] for i, (query, one) in enumerate(zip(queries, chooses, strict=True))
    ]
    first, second = suggested(queries, filters, rate), suggested(changed, filters, rate)
    assert first.chosen == second.chosen
    assert replace(first, row=None, current=None) == replace(second, row=None, current=None)


@settings(max_examples=50, deadline=None)
@given(QUERIES, st.lists(FILTERS, min_size=1, max_size=4), RATES)
def test_the_chosen_setting_is_the_hardest_under_the_rate(
    queries: list[Query], filters: list[Filter], rate: float
) -> None:
    """On its half no setting whose interval ends under the rate, and that leaves enough, has harder negatives."""
    choosing = half(queries, chosen=True)
    assume(choosing)
    numbers = [i for i, one in enumerate(halves(ids_of(queries), SEED)) if one]
    meter = Meter([Setting(str(i), one) for i, one in enumerate(filters)], leak(), 3, ids_of(queries), None)
    meter.add(*block(choosing, numbers, scale_of(choosing)))
    found = suggested(queries, filters, rate)
    enough = meter.at_least(1) >= 0.5
    under = [
        row
        for row, one in zip(all_positives(meter), enough, strict=True)
        if one and (row.drawn_random_high or 9) <= rate
    ]
    if found.chosen is None:
        assert under == []
    else:
        best = next(row for row in under if row.setting == found.chosen.name)
        assert all((row.hardness or 0) <= (best.hardness or 0) for row in under)


def test_the_report_is_of_the_other_half() -> None:
    """Figures of the chosen and of the current setting are those of the queries that did not choose."""
    easy = Query(("positive", "plain", "plain"), (3.0, 2.0, 1.0), (0,) * 3, ())
    twin = Query(("positive", "plain", "positive", "plain"), (3.0, 2.0, 1.5, 1.0), (0,) * 4, ())
    queries = [twin if i % 3 else easy for i in range(60)]
    filters = [rules(), rules(min_rank=2)]
    found = suggested(queries, filters, 0.8)
    # Percentiles are the dataset's here, as they would be for the filter.
    numbers = np.flatnonzero(~halves(ids_of(queries), SEED)).tolist()
    rows = all_positives(metered(queries, filters, [numbers]))
    assert found.chosen is not None
    assert (found.chosen.name, found.chosen_on) == ("1", len(half(queries, chosen=True)))
    for one, row in zip((found.current, found.row), rows, strict=True):
        assert one is not None
        assert (one.pass_through, one.hardness, one.positives) == (row.pass_through, row.hardness, row.positives)


def test_what_could_not_be_chosen_is_counted() -> None:
    """A margin of queries with one positive is not identifiable; a window that leaves nothing is short."""
    queries = [Query(("positive", "plain", "plain"), (3.0, 2.0, 1.0), (0, 0, 0), ())] * 20
    found = suggested(queries, [rules(), rules(relative_margin=0.1), rules(min_rank=3)], 0.5)
    assert (found.chosen, found.tried, found.not_identifiable, found.short) == (None, 3, 1, 1)
    assert found.nearest is not None
    assert (found.nearest.setting, found.nearest.high) == ("0", 1.0)


def test_too_few_positives_are_told_from_a_leak() -> None:
    """The least upper end is what no pass-through at all would still leave open."""
    queries = [Query(("plain", "positive"), (3.0, 2.0), (0, 0), ())] * 30
    found = suggested(queries, [rules(max_rank=1)], 0.05)
    count = len(half(queries, chosen=True))
    z = 1.959964
    assert found.chosen is None
    assert found.least == pytest.approx(z * z / (count + z * z), abs=1e-4)
    assert found.nearest is not None
    assert found.nearest.high == pytest.approx(found.least, abs=1e-4)


def _row(high: float | None, hardness: float | None, pass_through: float = 0.1) -> Row:
    measured = measure([Query(("positive",), (1.0,), (0,), ())], [rules()])[0]
    return replace(measured, high=high, hardness=hardness, drawn_random=pass_through, drawn_random_high=high)


def test_of_equally_hard_settings_the_tighter_is_chosen() -> None:
    """Fewer drawn first, then the order of the grid; what leaves too little, or cannot be measured, is out."""
    rows = [
        _row(0.3, 0.9),
        _row(0.1, 0.5, 0.04),
        _row(0.1, 0.5, 0.03),
        _row(0.1, 0.5, 0.03),
        _row(None, 0.8),
        _row(0.1, 0.7),
    ]
    enough = np.array([True] * 5 + [False])
    assert choose(rows, enough, 0.2, "random") == 2
    assert choose(rows, enough, 0.05, "random") is None


def test_halves_are_halves() -> None:
    """About as many queries choose as don't, and adding queries moves none."""
    ids = [str(i) for i in range(1000)]
    found = halves(ids, 1)
    assert 450 < found.sum() < 550
    assert np.array_equal(halves(ids[500:], 1), found[500:])
