"""Tests of embedder.leak.kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.filters import BIT, RULES, SETTINGS, refusals
from embedder.leak import kept as module
from embedder.leak.kept import FIXED, READS, kept, pools, take
from embedder.leak.settings import Setting
from embedder.params.models import Filter
from tests.leak.made_up import QUERIES, Query, block, candidates, scale_of
from tests.leak.test_pass_through import FILTERS
from tests.tables import rules


def test_every_rule_is_fixed_or_a_setting() -> None:
    """No rule is asked twice, and none is forgotten."""
    assert sorted([*FIXED, *READS]) == sorted(RULES)
    assert tuple(READS) == SETTINGS


@settings(max_examples=100, deadline=None)
@given(QUERIES, FILTERS, FILTERS)
def test_a_rule_reads_what_is_said_of_it(queries: list[Query], one: Filter, other: Filter) -> None:
    """Two settings that agree in what a rule reads have the same refusals by it."""
    asked = candidates(queries[0], scale_of(queries))
    for name, reads in READS.items():
        alike = other.model_copy(update={field: getattr(one, field) for field in reads})
        assert np.array_equal(RULES[name](asked, one), RULES[name](asked, alike))


@settings(max_examples=50, deadline=None)
@given(QUERIES, st.lists(FILTERS, min_size=1, max_size=5))
def test_each_setting_keeps_what_its_rules_keep(queries: list[Query], filters: list[Filter]) -> None:
    """Rules that are asked once for several settings say what they say of each alone."""
    asked = candidates(queries[0], scale_of(queries))
    named = [Setting(str(i), one) for i, one in enumerate(filters)]
    for one, found in zip(filters, kept(asked, named), strict=True):
        assert np.array_equal(found, refusals(asked, one, SETTINGS) == 0)


def test_some_rows_are_taken_with_all_they_have() -> None:
    """The scale stays, columns given take the place of those that are there."""
    query = Query(("plain", "positive", "negative"), (3.0, 2.0, 1.0), (0, 0, 0), ())
    found = take(candidates(query, np.array([2.0])), np.array([2, 0]), positives_above=np.array([5, 6]))
    assert (found.rank.tolist(), found.is_negative.tolist()) == ([3, 1], [True, False])
    assert (found.positives_above.tolist(), found.scale.tolist()) == ([5, 6], [2.0])


@settings(max_examples=50, deadline=None)
@given(QUERIES, st.lists(FILTERS, min_size=1, max_size=3), st.integers(1, 9))
def test_parts_do_not_matter(queries: list[Query], filters: list[Filter], rows: int) -> None:
    """Few rows at a time or all at once, the pools are the same."""
    of, asked, left = block(queries, range(len(queries)), scale_of(queries))
    fixed = refusals(asked, rules(), FIXED)
    named = [Setting(str(i), one) for i, one in enumerate(filters)]
    whole = pools(of, asked, fixed, left, named)
    before, module._ROWS = module._ROWS, rows
    try:
        apart = pools(of, asked, fixed, left, named)
    finally:
        module._ROWS = before
    assert np.array_equal(whole.size, apart.size)
    assert np.array_equal(whole.above, apart.above)
    assert np.array_equal(whole.judged, apart.judged)


def test_a_near_copy_of_an_only_positive_is_one_no_more() -> None:
    """Left out, the positive leaves nothing to be a copy of; beside another, its copies stay out."""
    alone = Query(("positive", "near_copy", "plain"), (3.0, 2.0, 1.0), (0, 0, 0), ())
    both = Query(("positive", "near_copy", "plain"), (3.0, 2.0, 1.0), (0, 0, 0), (0.5,))
    of, asked, left = block([alone, both], [0, 1], scale_of([alone, both]))
    fixed = refusals(asked, rules(), FIXED)
    assert (fixed[1] & BIT["duplicates_positive"], fixed[4] & BIT["duplicates_positive"]) == (8, 8)
    found = pools(of, asked, fixed, left.take(left.rank > 0), [Setting("current", rules())])
    assert found.size.tolist() == [[3, 2]]
