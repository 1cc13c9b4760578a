"""Facts about the verdict on a run: what decides, and what vetoes."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedder.evaluation.gate import verdict
from embedder.evaluation.results import AVERAGED, Row, rows
from embedder.params.models import Evaluate
from tests.test_evaluation_results import _measured, _scores

if TYPE_CHECKING:
    from embedder.bootstrap import Outcome

SETTINGS = Evaluate(lexical="bm25", bootstrap_samples=400, confidence=0.95, seed=17)


def row(task: str, low: float, high: float, dataset: str = "", needed: int | None = None) -> Row:
    """Return a result row with this interval."""
    outcome: Outcome = "better" if low > 0 else "not better" if high <= 0 else "not resolvable here"
    middle = (low + high) / 2
    return Row(dataset, task, "mean", 100, 0.5, 0.5 + middle, None, middle, low, high, outcome, needed, "")


def tasks(**intervals: tuple[float, float]) -> list[Row]:
    """Return the rows of the four tasks of AVG, unchanged but for these."""
    return [row(task, *intervals.get(task, (-0.1, 0.1))) for task in AVERAGED]


def test_better_is_avg_above_0_and_no_task_below() -> None:
    """With AVG above 0 tasks need not be resolved; the verdict says what decided it, and is 1."""
    found = verdict([*tasks(), row("AVG", 0.01, 0.03)])
    assert (found.outcome, found.decided_by, found.worse, found.needed) == ("better", ["AVG"], [], None)
    assert found.metric() == {"verdict": 1}
    assert found.line == "better: AVG +0.0200 (+0.0100 to +0.0300); no task got worse beyond its interval"


@pytest.mark.parametrize("average", [(0.01, 0.03), (-0.02, 0.02)])
def test_one_task_below_0_is_a_veto(average: tuple[float, float]) -> None:
    """A task whose whole interval lies below 0 makes the run not better, whatever AVG says, and is named."""
    found = verdict([*tasks(sts=(-0.3, -0.1)), row("classification", -0.2, -0.1), row("AVG", *average)])
    assert (found.outcome, found.worse) == ("not better", ["all sts", "all classification"])
    assert found.metric() == {"verdict": -1}
    assert "worse beyond its interval: all sts -0.2000 (-0.3000 to -0.1000), all classification" in found.line


def test_a_task_that_touches_0_is_no_veto() -> None:
    """An interval that ends at 0 is not below it; and a single dataset's row vetoes nothing."""
    table = [*tasks(sts=(-0.3, 0.0)), row("sts", -0.3, -0.1, dataset="grades"), row("AVG", 0.01, 0.03)]
    assert verdict(table).outcome == "better"


def test_avg_not_above_0_is_not_better() -> None:
    """Where AVG does not reach above 0 the run is not better, though no task got worse."""
    found = verdict([*tasks(), row("AVG", -0.03, 0.0)])
    assert (found.outcome, found.worse) == ("not better", [])


def test_an_open_avg_says_how_many_queries_it_takes() -> None:
    """Where the interval of AVG holds 0 nothing is resolved, and the line says what would; the figure is 0."""
    found = verdict([*tasks(sts=(0.1, 0.2)), row("AVG", -0.01, 0.03, needed=12_345)])
    assert (found.outcome, found.needed, found.metric()) == ("not resolvable here", 12_345, {"verdict": 0})
    assert found.line.endswith("about 12,000 queries would show it")


@pytest.mark.parametrize(
    ("retrieval", "sts", "outcome"),
    [
        ((0.1, 0.2), (0.1, 0.2), "better"),
        ((0.1, 0.2), (-0.1, 0.2), "not resolvable here"),
        ((0.1, 0.2), (-0.1, 0.0), "not better"),
        ((0.1, 0.2), (-0.2, -0.1), "not better"),
    ],
)
def test_without_avg_every_task_must_be_better(
    retrieval: tuple[float, float], sts: tuple[float, float], outcome: str
) -> None:
    """Where a task is missing there is no AVG, and all task rows decide together."""
    found = verdict([row("retrieval", *retrieval), row("sts", *sts, needed=900)])
    assert (found.outcome, found.decided_by) == (outcome, ["all retrieval", "all sts"])
    assert found.needed == (900 if outcome == "not resolvable here" else None)


def test_the_verdict_on_scores() -> None:
    """From scores of four tasks: all gain is better; a large loss in one is not, though AVG gains; noise is open."""

    def of(**gains: float) -> str:
        measured = [_measured(task, task, gain=gains.get(task, 0.2), n=200) for task in AVERAGED]
        return verdict(rows(measured, SETTINGS)).outcome

    assert of() == "better"
    assert of(retrieval=1.0, reranking=-0.05) == "not better"
    assert of(retrieval=-0.1, reranking=-0.1, sts=-0.1, clustering=-0.1) == "not better"


def test_a_run_that_changes_nothing_is_seldom_better() -> None:
    """Of 400 runs whose four tasks differ from base by noise alone, few are called better: the rest is open or vetoed."""
    generator = np.random.default_rng(5)
    settings = SETTINGS.model_copy(update={"bootstrap_samples": 200})
    found = []
    for _ in range(400):
        measured = [_measured(task, task, gain=0.0, n=40) for task in AVERAGED]
        noisy = []
        for one in measured:
            base = one.scores["base"].values
            tuned = _scores(base + 0.1 * generator.standard_normal(len(base)))
            noisy.append(
                type(one)(one.dataset, one.task, {"base": one.scores["base"], "tuned": tuned}, "", proxy=False)
            )
        found.append(verdict(rows(noisy, settings)).outcome)
    assert found.count("better") <= 20
    assert found.count("not resolvable here") > 280
