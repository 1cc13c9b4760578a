"""Tests of embedder.leak.settings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as quick
from hypothesis import strategies as st

from embedder.leak.settings import REPLACED, describe, overrides, settings
from tests.leak.test_pass_through import FILTERS
from tests.tables import rules

SFR = {"min_rank": 30, "max_rank": 100}


def _windows(depth: int) -> set[tuple[int | None, int | None]]:
    return {(one.rules.min_rank, one.rules.max_rank) for one in settings(rules(), depth, scored=False)}


@quick(deadline=None)
@given(FILTERS, st.integers(1, 1000), st.booleans())
def test_the_grid_is_small_and_has_nothing_twice(current: Any, depth: int, scored: bool) -> None:  # noqa: ANN401, FBT001 - drawn
    """The current setting is first, names and rules are each there once, and there are at most 38."""
    found = settings(current, depth, scored=scored)
    assert (found[0].name, found[0].rules) == ("current", current)
    assert len({one.name for one in found}) == len({one.rules.model_dump_json() for one in found}) == len(found) <= 38
    assert all(one.rules.max_rank is None or one.rules.max_rank <= depth for one in found[1:] if not one.has_margin)
    kept = {"counted", "reference", "near_copy_jaccard", "near_copy_size", "near_copy_cosine"}
    assert all(one.rules.model_dump(include=kept) == current.model_dump(include=kept) for one in found)


def test_the_seeds_windows_are_there_when_the_run_is_deep_enough() -> None:
    """1-100, 30-100 and 50-100 with 100 candidates; what reaches beyond a shorter run is cut there."""
    assert {(1, 100), (30, 100), (50, 100)} <= _windows(100)
    assert {(1, 128), (30, 128)} <= _windows(128)
    assert _windows(12) == {(None, None), (1, 10), (1, 12), (5, 12), (10, 12)}


def test_the_current_window_is_not_there_twice() -> None:
    """A window that is the current setting goes by that name alone, from rank 1 on or from none."""
    for window in (SFR, {"min_rank": None, "max_rank": 100}):
        found = settings(rules(**window), 100, scored=False)
        alike = [
            one.name for one in found if (one.rules.min_rank or 1, one.rules.max_rank) == (window["min_rank"] or 1, 100)
        ]
        assert alike == ["current"]


def test_margins_are_over_the_run_and_inside_the_window() -> None:
    """Each value alone and with the current window; without scores there is none."""
    found = {one.name: one.rules for one in settings(rules(**SFR), 128, scored=True)}
    assert (found["relative 0.05"].min_rank, found["relative 0.05"].relative_margin) == (None, 0.05)
    assert found["percentile 0.1 in 30-100"] == rules(**SFR, percentile_margin=0.1)
    assert not any(one.has_margin for one in settings(rules(**SFR), 128, scored=False))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "everything"),
        (SFR, "30-100"),
        ({"max_rank": 50}, "1-50"),
        ({"min_rank": 5}, "5-"),
        ({"relative_margin": 0.0}, "relative 0"),
        (SFR | {"percentile_margin": 0.4, "max_score": 2.5}, "max_score 2.5, percentile 0.4 in 30-100"),
    ],
)
def test_a_setting_is_named_by_its_rules(changes: dict[str, object], said: str) -> None:
    """Window, margins and bounds, each if it is on."""
    assert describe(rules(**changes)) == said


def test_overrides_give_the_chosen_setting() -> None:
    """What a dataset overrides anyway stays, what the section says already is left out, rules turned off are null."""
    section = rules(**SFR, near_copy_jaccard=0.8)
    resolved = section.model_copy(update={"near_copy_jaccard": 0.9, "relative_margin": 0.1})
    chosen = resolved.model_copy(update={"min_rank": None, "max_rank": 59, "relative_margin": None})
    found = overrides(chosen, resolved, section)
    assert found == {"min_rank": None, "max_rank": 59, "near_copy_jaccard": 0.9}
    took = section.model_copy(update=found)
    assert all(getattr(took, name) == getattr(chosen, name) for name in REPLACED)
