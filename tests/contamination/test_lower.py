"""Tests of embedder.contamination.lower: the share of kept candidates with evidence, and its interval."""

import numpy as np
import pytest

from embedder.contamination.evidence import KINDS, Found
from embedder.contamination.lower import Tally
from embedder.contamination.shares import wilson
from tests.contamination.leaks import leak


def _found(relevant: list[bool], kind: str = "copy") -> Found:
    holds = np.array(relevant, dtype=bool)
    return Found({name: holds if name == kind else np.zeros_like(holds) for name in KINDS}, np.zeros_like(holds))


def test_evidence_is_counted_by_kind_and_once_a_row() -> None:
    """A row with two kinds of evidence is one row of `any`."""
    tally, both = Tally(), _found([True, False, False, True])
    both.kinds["same_query"][:] = [True, True, False, False]
    tally.add(np.array([0, 0, 1, 1]), both)
    report = tally.report(leak())
    assert (report["kept"], report["queries"], report["any"], report["lower"]) == (4, 2, 3, 0.75)
    assert report["evidence"] == {"copy": 2, "contains_positive": 0, "same_query": 2, "other_teacher": 0}
    assert "lower bound" in report["words"]


def test_blocks_make_no_difference() -> None:
    """The report of many blocks of whole queries is that of one."""
    generator = np.random.default_rng(3)
    query = np.sort(generator.integers(40, size=300))
    relevant = generator.random(300) < 0.1
    whole, parts = Tally(), Tally()
    whole.add(query, _found(relevant.tolist()))
    for first in range(0, 40, 7):
        rows = (query >= first) & (query < first + 7)
        parts.add(query[rows], _found(relevant[rows].tolist()))
    assert whole.report(leak()) == parts.report(leak())


def test_nothing_found_still_has_an_upper_end() -> None:
    """Where no evidence was found, the interval is Wilson's of the number of queries."""
    tally = Tally()
    tally.add(np.repeat(np.arange(50), 4), _found([False] * 200))
    report = tally.report(leak())
    assert (report["low"], report["high"]) == wilson(0.0, 50, 0.95)
    assert report["high"] > 0.05


def test_nothing_kept_is_no_share() -> None:
    """Without kept candidates there is no lower bound, and no error."""
    report = Tally().report(leak())
    assert (report["kept"], report["lower"], report["low"], report["high"]) == (0, None, None, None)


def test_the_interval_is_about_queries() -> None:
    """Twins that sit with one query make the bound less sure than twins spread over all."""
    together, spread = Tally(), Tally()
    query = np.repeat(np.arange(50), 10)
    together.add(query, _found((query == 0).tolist()))
    spread.add(query, _found([i % 50 == 0 for i in range(500)]))
    wide, narrow = together.report(leak()), spread.report(leak())
    assert wide["lower"] == pytest.approx(0.02)
    assert narrow["lower"] == pytest.approx(0.02)
    assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])
