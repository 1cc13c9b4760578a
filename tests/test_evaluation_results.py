"""Facts about the result table and the figures DVC tracks."""

import csv
from pathlib import Path

import numpy as np
import pytest

from embedder.bootstrap import mean_of
from embedder.evaluation.dev import Scores
from embedder.evaluation.results import AVERAGED, METRICS, Measured, Row, flat_metrics, rows, write_rows
from embedder.params.models import Evaluate

SETTINGS = Evaluate(lexical="bm25", bootstrap_samples=200, confidence=0.95, seed=17)


def _scores(values: np.ndarray) -> Scores:
    zeros = np.zeros(len(values), dtype=np.int64)
    return Scores([str(i) for i in range(len(values))], values, zeros, zeros, zeros, mean_of(values))


def _measured(dataset: str, task: str, *, gain: float, n: int = 40, bm25: bool = False) -> Measured:
    generator = np.random.default_rng(n)
    base, noise = generator.random(n), 0.1 * generator.standard_normal(n)
    scores = {"base": _scores(base), "tuned": _scores(base + gain + noise - noise.mean())}
    return Measured(dataset, task, scores | ({"bm25": _scores(base + 1)} if bm25 else {}), note="", proxy=task == "sts")


def _row(table: list[Row], dataset: str, task: str) -> Row:
    return next(row for row in table if (row.dataset, row.task) == (dataset, task))


def test_the_retrieval_row_draws_from_the_stacked_queries_of_all_its_datasets() -> None:
    """Its figure is the mean over all queries, so a larger dataset weighs more, and all of them count as queries."""
    small = _measured("small", "retrieval", gain=0.1, n=10, bm25=True)
    large = _measured("large", "retrieval", gain=0.3, n=30, bm25=True)
    together = _row(rows([small, large], SETTINGS), "", "retrieval")
    assert together.queries == 40
    assert together.difference == pytest.approx((10 * 0.1 + 30 * 0.3) / 40)
    assert 0.1 < together.low < together.difference < together.high < 0.3
    assert together.bm25 is not None


def test_other_tasks_average_their_datasets() -> None:
    """The sts row is the plain mean of its datasets' figures, whatever their sizes."""
    table = rows([_measured("a", "sts", gain=0.1, n=10), _measured("b", "sts", gain=0.3, n=30)], SETTINGS)
    assert _row(table, "", "sts").difference == pytest.approx(0.2)


def test_a_task_with_one_dataset_has_that_dataset_s_row() -> None:
    """Figure and interval of the task are those of its only dataset."""
    table = rows([_measured("faq", "reranking", gain=0.1)], SETTINGS)
    own, task = _row(table, "faq", "reranking"), _row(table, "", "reranking")
    assert (own.base, own.low, own.high) == (task.base, task.low, task.high)


def test_avg_is_the_plain_mean_of_the_four_task_rows() -> None:
    """Retrieval, reranking, sts and clustering count the same; classification stands beside."""
    gains = dict(zip(METRICS, (0.1, 0.2, 0.3, 0.4, 0.9), strict=True))
    table = rows([_measured(task, task, gain=gain) for task, gain in gains.items()], SETTINGS)
    average = table[-1]
    assert average.task == "AVG"
    assert average.difference == pytest.approx(0.25)
    assert average.note == "plain mean of retrieval, reranking, sts (a proxy), clustering"
    assert average.base == pytest.approx(np.mean([_row(table, "", task).base for task in AVERAGED]))


def test_no_avg_where_a_task_is_missing() -> None:
    """Three of the four tasks make no AVG that could be compared with anything."""
    table = rows([_measured(task, task, gain=0.1) for task in AVERAGED[:3]], SETTINGS)
    assert "AVG" not in [row.task for row in table]


def test_a_dataset_s_interval_does_not_depend_on_the_others() -> None:
    """Adding a dataset leaves the rows of the others as they were."""
    alone = rows([_measured("faq", "retrieval", gain=0.1)], SETTINGS)[0]
    beside = rows([_measured("new", "retrieval", gain=0.2), _measured("faq", "retrieval", gain=0.1)], SETTINGS)
    assert _row(beside, "faq", "retrieval") == alone


def test_needed_stands_only_where_nothing_can_be_resolved() -> None:
    """A clear gain needs no more queries; an unclear one says how many."""
    clear = rows([_measured("faq", "retrieval", gain=0.1)], SETTINGS)[0]
    noise = np.random.default_rng(1).standard_normal(40)
    vague = Measured("faq", "retrieval", {"base": _scores(np.zeros(40)), "tuned": _scores(noise)}, "", proxy=False)
    found = rows([vague], SETTINGS)[0]
    assert (clear.outcome, clear.needed) == ("better", None)
    assert found.outcome == "not resolvable here"
    assert found.needed is not None
    assert found.needed > 40


def test_metrics_are_few_flat_and_finite() -> None:
    """With every task there are 14 scalars: tuned and difference of each row, and retrieval's interval."""
    table = rows([_measured(task, task, gain=0.1) for task in METRICS], SETTINGS)
    flat = flat_metrics(table)
    assert len(flat) == 14
    assert np.isfinite(list(flat.values())).all()
    assert {"avg_tuned", "retrieval_ndcg10_low", "clustering_v_measure_difference"} <= set(flat)


def test_the_csv_has_six_digits_and_empty_cells(tmp_path: Path) -> None:
    """Figures are written to six digits; what a row does not have is an empty cell; the bytes do not change."""
    table = rows([_measured("faq", "sts", gain=0.1)], SETTINGS)
    for name in ("once", "again"):
        write_rows(tmp_path / name, table)
    lines = list(csv.DictReader((tmp_path / "once").open()))
    assert (lines[0]["bm25"], lines[0]["needed"], lines[0]["difference"]) == ("", "", "0.100000")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
