"""The suite: which task is measured how and by which models, and the table of what every query got."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from embedder import schemas
from embedder.errors import TableError
from embedder.evaluation.classification import baselines
from embedder.evaluation.dev import DevSet, Scores
from embedder.evaluation.gate import Verdict, verdict
from embedder.evaluation.lexical import measure_lexical
from embedder.evaluation.measuring import RANKED, Reader, measure, unmeasurable
from embedder.evaluation.notes import is_proxy, note
from embedder.evaluation.results import Measured, Row, rows
from embedder.params.base import Model
from embedder.params.models import Dataset, Evaluate

LEXICAL = "bm25"


@dataclass(frozen=True)
class Outcome:
    """What evaluation writes: the table `queries`, the result rows, the verdict, and what report.json says."""

    scores: pa.Table
    rows: list[Row]
    verdict: Verdict
    report: dict[str, object]


def evaluate(
    sets: Mapping[str, DevSet],
    entries: Mapping[str, Dataset],
    models: Mapping[str, Callable[[], Reader]],
    lexical: Model,
    settings: Evaluate,
) -> Outcome:
    """Measure every model on every dataset that can be measured, then compare them.

    Args:
        sets: dataset -> its dev split.
        entries: dataset -> its entry in params.yaml.
        models: what loads base, then tuned; one is in memory at a time.
        lexical: the options of the BM25 of the lexical row, a yardstick that does not move with the teacher that mined.
        settings: the bootstrap and the seed.

    Raises:
        TableError: no dataset can be measured.
    """
    left_out = {name: reason for name, data in sets.items() if (reason := unmeasurable(data))}
    measurable = {name: data for name, data in sets.items() if name not in left_out}
    if not measurable:
        said = ", ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise TableError(f"no dataset can be evaluated ({said}); set source.dev_share: 0.1, or name a split for dev")
    by_model = {model: _measure_all(load(), measurable, entries, settings.seed) for model, load in models.items()}
    by_model[LEXICAL] = {
        name: measure_lexical(data, lexical) for name, data in measurable.items() if data.task in RANKED
    }
    scores = {name: {m: of[name] for m, of in by_model.items() if name in of} for name in measurable}
    beside = {name: facts(data) for name, data in measurable.items()}
    measured = [_measured(data, entries[name], scores[name], beside[name]) for name, data in measurable.items()]
    table = rows(measured, settings)
    found = verdict(table)
    report = {
        "datasets": {name: _counts(data, scores[name], beside[name]) for name, data in measurable.items()},
        "left_out": left_out,
        "bm25": lexical.model_dump(),
        "verdict": found.report(),
    }
    return Outcome(score_table(scores), table, found, report)


def facts(data: DevSet) -> dict[str, float]:
    """Figures that no model changes: the baselines of classification."""
    return baselines(data) if data.task == "classification" else {}


def score_table(scores: Mapping[str, Mapping[str, Scores]]) -> pa.Table:
    """Put what every unit of every dataset got from every model into the table `queries`.

    Args:
        scores: dataset -> model -> scores.
    """
    parts = [(dataset, model, s) for dataset, models in scores.items() for model, s in models.items()]
    ranks = np.concatenate([s.gold_ranks for _, _, s in parts])
    columns = {
        "dataset": [dataset for dataset, _, s in parts for _ in s.unit_ids],
        "model": [model for _, model, s in parts for _ in s.unit_ids],
        "query_id": [unit for _, _, s in parts for unit in s.unit_ids],
        "value": pa.array(np.concatenate([s.values for _, _, s in parts]), pa.float32()),
        "gold_rank": pa.array(ranks, pa.int32(), mask=ranks == 0),
        "query_words": pa.array(np.concatenate([s.query_words for _, _, s in parts]), pa.int32()),
        "gold_words": pa.array(np.concatenate([s.gold_words for _, _, s in parts]), pa.int32()),
    }
    return schemas.build(schemas.SCORES, columns)


def _measure_all(
    reader: Reader, sets: Mapping[str, DevSet], entries: Mapping[str, Dataset], seed: int
) -> dict[str, Scores]:
    return {name: measure(data, reader(entries[name]), seed) for name, data in sets.items()}


def _measured(data: DevSet, entry: Dataset, scores: Mapping[str, Scores], beside: Mapping[str, float]) -> Measured:
    said = note(entry, scores, beside, data.set_aside)
    return Measured(data.name, data.task, scores, said, is_proxy(entry))


def _counts(data: DevSet, scores: Mapping[str, Scores], beside: Mapping[str, float]) -> dict[str, object]:
    units = len(next(iter(scores.values())).unit_ids)
    counts: dict[str, object] = {"task": data.task, "dev_queries": len(data.dev.texts), "measured": units, **beside}
    if data.set_aside:
        counts["set_aside"] = data.set_aside
    if data.task == "reranking":
        counts["without_positive_or_other"] = len(data.dev.texts) - units
    for model, one in scores.items():
        counts |= {f"{fact}_{model}": value for fact, value in one.facts.items()}
    return counts
