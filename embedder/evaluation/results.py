"""The result table: one row for a dataset, one for a task, one for AVG; and the few figures DVC tracks."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from embedder.bootstrap import Sampled, average, compare, mean_of, sample
from embedder.evaluation.dev import Scores
from embedder.params.models import Evaluate

METRICS = {
    "retrieval": "nDCG@10",
    "reranking": "MAP",
    "sts": "Spearman",
    "clustering": "V-measure",
    "classification": "accuracy",
}
AVERAGED = ("retrieval", "reranking", "sts", "clustering")
AVERAGE = "AVG"
# Their figure is a mean over queries, so the queries of several datasets can be drawn as one.
STACKED = ("retrieval", "reranking", "classification")
_KEYS = {
    "retrieval": "retrieval_ndcg10",
    "reranking": "reranking_map",
    "sts": "sts_spearman",
    "clustering": "clustering_v_measure",
    "classification": "classification_accuracy",
    AVERAGE: "avg",
}


@dataclass(frozen=True)
class Measured:
    """One dataset's scores, models in the order base, tuned, and bm25 where it has a row."""

    dataset: str
    task: str
    scores: Mapping[str, Scores]
    note: str
    proxy: bool


@dataclass(frozen=True)
class Row:
    """One line of the result table; `dataset` is empty in the row of a task and in AVG.

    Attributes:
        dataset: its name.
        task: the task, or AVG.
        metric: what base, tuned and bm25 are.
        queries: how many queries, pairs or documents were measured.
        base: the student before tuning.
        tuned: the student after it.
        bm25: BM25, None where it has no row.
        difference: tuned less base.
        low: the lower end of its interval.
        high: the upper end.
        outcome: better, not better, or not resolvable here.
        needed: how many queries would resolve the difference with 80 % power, where these do not.
        note: what else a reader must know.
    """

    dataset: str
    task: str
    metric: str
    queries: int
    base: float
    tuned: float
    bm25: float | None
    difference: float
    low: float
    high: float
    outcome: str
    needed: int | None
    note: str

    @property
    def name(self) -> str:
        """What the row is about, in words: a dataset, all datasets of a task, or AVG."""
        return self.dataset or (self.task if self.task == AVERAGE else f"all {self.task}")


def rows(measured: Sequence[Measured], settings: Evaluate) -> list[Row]:
    """Compare tuned with base on every dataset, every task, and on AVG, the plain mean of the four task rows.

    A task's row draws from the queries of all its datasets stacked where the figure is a mean over queries; elsewhere
    it is the plain mean of its datasets' figures. AVG stands only where all four tasks do.
    """
    drawn = {one.dataset: _drawn(one, settings) for one in measured}
    tasks = {task: [one for one in measured if one.task == task] for task in METRICS}
    of_tasks = {task: _of_task(task, ones, drawn, settings) for task, ones in tasks.items() if ones}
    table = []
    for task, sampled in of_tasks.items():
        table += [_row(one.dataset, task, drawn[one.dataset], settings, one.note) for one in tasks[task]]
        table.append(_row("", task, sampled, settings, _join_notes(tasks[task])))
    if all(task in of_tasks for task in AVERAGED):
        parts = [Sampled(s.units, s.observed[:2], s.resampled[:2]) for s in (of_tasks[task] for task in AVERAGED)]
        named = [f"{task} (a proxy)" if any(one.proxy for one in tasks[task]) else task for task in AVERAGED]
        table.append(_row("", AVERAGE, average(parts), settings, f"plain mean of {', '.join(named)}"))
    return table


def flat_metrics(table: Sequence[Row]) -> dict[str, float]:
    """Return the figures of the task rows and of AVG that `dvc exp show` prints as columns: 14 at most."""
    out: dict[str, float] = {}
    for row in table:
        if not row.dataset:
            key = _KEYS[row.task]
            out |= {f"{key}_tuned": row.tuned, f"{key}_difference": row.difference}
            if row.task == "retrieval":
                out |= {f"{key}_low": row.low, f"{key}_high": row.high}
    return {key: round(value, 6) + 0.0 for key, value in out.items()}


def write_rows(path: Path, table: Sequence[Row]) -> None:
    """Write the table as CSV, figures to six digits, nothing where there is none."""
    names = ["name", *(field.name for field in fields(Row))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in table)


def _drawn(one: Measured, settings: Evaluate) -> Sampled:
    scores = list(one.scores.values())
    statistics = [s.statistic for s in scores]
    return sample(statistics, len(scores[0].values), settings.bootstrap_samples, (settings.seed, one.dataset))


def _of_task(task: str, ones: Sequence[Measured], drawn: Mapping[str, Sampled], settings: Evaluate) -> Sampled:
    if len(ones) == 1:
        return drawn[ones[0].dataset]
    if task not in STACKED:
        return average([drawn[one.dataset] for one in ones])
    values = [np.concatenate([one.scores[model].values for one in ones]) for model in ones[0].scores]
    statistics = [mean_of(stacked) for stacked in values]
    return sample(statistics, len(values[0]), settings.bootstrap_samples, (settings.seed, task))


def _row(dataset: str, task: str, sampled: Sampled, settings: Evaluate, note: str) -> Row:
    found = compare(sampled, 0, 1, settings.confidence)
    base, tuned, *rest = (float(figure) for figure in sampled.observed)
    return Row(
        dataset=dataset,
        task=task,
        metric=METRICS.get(task, "mean"),
        queries=sampled.units,
        base=base,
        tuned=tuned,
        bm25=rest[0] if rest else None,
        difference=found.difference,
        low=found.low,
        high=found.high,
        outcome=found.outcome,
        needed=found.needed if found.outcome == "not resolvable here" else None,
        note=note,
    )


def _join_notes(ones: Sequence[Measured]) -> str:
    if len(ones) == 1:
        return ones[0].note
    names = " and ".join(one.dataset for one in ones)
    return f"{names} together"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:z.6f}" if isinstance(value, float) else str(value)
