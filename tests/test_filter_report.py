"""Tests of embedder.filter_report."""

from typing import Any

from embedder.filter_report import quantiles
from embedder.filters import BIT, VERDICTS
from embedder.params.models import Dataset
from tests import tables
from tests.filtering import DRAWS, filter_tables
from tests.test_candidates import EXAMPLE, STRICT, Case

Judged = list[tuple[str, str, float, float, int | None]]


def _report(run: list[tuple[str, int, str, float]], judged: Judged) -> dict[str, Any]:
    facts = tables.judged(judged)
    queries, corpus = tables.queries({"q": "x", "r": "y"}), tables.corpus({"p": "a", "s": "b"})
    return filter_tables(tables.run(run), facts, queries, corpus, tables.entry(), tables.rules())[1]


def _example(case: Case, entry: Dataset) -> dict[str, Any]:
    return filter_tables(*case.tables(), entry, STRICT)[1]


def test_a_query_without_candidates_is_counted() -> None:
    """A query for which nothing was retrieved has no rows and counts as a query without negatives."""
    run = [("q", 1, "p", 1.0), ("q", 2, "s", 0.5)]
    report = _report(run, [("q", "p", 1.0, 1.0, 1), ("r", "p", 1.0, 0.0, None), ("r", "s", 1.0, 0.0, None)])
    assert (report["queries"], report["queries_without_negatives"]) == (2, 1)
    assert [(window["rows"], window["share"]) for window in report["known_false_negatives"]] == [(3, 0.0)] * 3


def test_a_run_without_rows_gives_no_candidates() -> None:
    """An empty run is filtered into an empty table, and its report counts zeros."""
    report = _report([], [("q", "p", 1.0, 0.0, None)])
    assert (report["candidates"], report["queries"], report["queries_without_negatives"]) == (0, 1, 1)
    assert set(report["verdicts"].values()) == {0}
    assert report["scores_kept"] is None


def test_known_false_negatives_come_from_the_judged_ranks() -> None:
    """Of two positives at ranks 1 and 2 of two, each is the other's only candidate: every draw holds it."""
    report = _report([("q", 1, "p", 1.0), ("q", 2, "s", 0.5)], [("q", "p", 1.0, 1.0, 1), ("q", "s", 1.0, 0.5, 2)])
    assert [window["share"] for window in report["known_false_negatives"]] == [1.0, 1.0, 0.0]
    assert {window["draws"] for window in report["known_false_negatives"]} == {DRAWS}


def test_a_rule_without_data_is_named() -> None:
    """Where nobody wrote cosines the report lists near_copy_cosine, unless it is off, as it is for label tasks."""
    rules = tables.rules(near_copy_cosine=0.9)
    for entry, asked, named in (
        (tables.entry(), rules, ["near_copy_cosine"]),
        (tables.entry(), tables.rules(), []),
        (tables.entry("clustering"), rules, []),
    ):
        assert filter_tables(*EXAMPLE.tables(), entry, asked)[1]["rules_without_data"] == named


def test_the_report_adds_up() -> None:
    """Verdicts add up to the rows, every rule's count is at least its verdict's, kept scores are summed up."""
    report = _example(EXAMPLE, tables.entry())
    assert sum(report["verdicts"].values()) == report["candidates"] == 10
    assert list(report["verdicts"]) == list(VERDICTS)
    assert all(report["refused_by"][name] >= report["verdicts"][name] for name in BIT)
    assert report["kept_per_query"] == dict.fromkeys(("min", "q25", "median", "q75", "max"), 1)
    assert report["scores_kept"]["min"] == 4.5
    assert report["window"] == "3-8 without_positives"


def test_a_label_task_reports_no_windows() -> None:
    """Known false negatives of rank windows say nothing of a task that has none."""
    entry = tables.entry("clustering")
    report = _example(EXAMPLE, entry)
    assert report["known_false_negatives"] == []


def test_quantiles_of_nothing_are_none() -> None:
    """Nothing has no median."""
    assert quantiles(tables.ints()) is None
    assert quantiles(tables.ints(1, 2, 3)) == {"min": 1, "q25": 1.5, "median": 2, "q75": 2.5, "max": 3}


def test_a_dataset_without_a_mined_query_reports_zeros() -> None:
    """A dataset that is only evaluated has neither run nor judged rows; its report says so."""
    report = _report([], [])
    assert (report["candidates"], report["queries"], report["queries_without_negatives"]) == (0, 0, 0)
    assert report["kept_per_query"] is None
