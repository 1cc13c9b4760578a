"""Cells of the planted study: mine, hide, filter, draw a sample, answer as a judge of known errors would, estimate."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import planting
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from planting import Planted, Source

from embedder import languages, mining, schemas, teachers
from embedder.candidates import Filtering
from embedder.contamination.controls import Known, with_controls
from embedder.contamination.estimate import estimate
from embedder.contamination.evidence import Evidence, Found, Pairs
from embedder.contamination.lower import Tally
from embedder.contamination.priorities import priorities
from embedder.contamination.sample import Draw, strata
from embedder.filters import refusals
from embedder.judged import Judged, index
from embedder.leak.left_out import left_out
from embedder.params.base import Model
from embedder.params.models import Dataset, Filter, Leak
from embedder.params.runtime import Runtime
from embedder.seeds import rng

WINDOWS = ((1, 30), (1, 100), (10, 60), (30, 100), (50, 100))
SENSITIVITY, SPECIFICITY, FAILS = 0.9, 0.97, 0.01
LANGUAGE = "en"
Bools = NDArray[np.bool_]
Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What is the same in all cells.

    Attributes:
        rules: of the filter; the window is not read.
        leak: how contamination is measured.
        depth: of the runs.
        teachers: their entries by name; two of them.
        runtime: the device and its threads.
    """

    rules: Filter
    leak: Leak
    depth: int
    teachers: Mapping[str, Model]
    runtime: Runtime


@dataclass(frozen=True)
class Ranked:
    """A set with what is planted, ranked by every teacher as if all that is relevant were judged.

    Attributes:
        source: the set.
        planted: what was planted, and how much of what is relevant is to be hidden.
        corpus: table `corpus` with the planted passages.
        filtering: of it, with all that is relevant judged.
        runs: of each teacher, tables `run` and `judged`.
        entry: of the dataset.
    """

    source: Source
    planted: Planted
    corpus: pa.Table
    filtering: Filtering
    runs: Mapping[str, tuple[pa.Table, pa.Table]]
    entry: Dataset


def entry_of(source: Source) -> Dataset:
    """Return what the pipeline reads of a dataset's entry."""
    read: dict[str, Any] = {"task": "retrieval", "label_mode": None, "language": LANGUAGE, "negative_at": None}
    return Dataset.model_construct(**read, positive_at=source.positive_at, instruction="", filter={})


def ranked(source: Source, planted: Planted, study: Study) -> Ranked:
    """Rank the planted corpus by every teacher."""
    entry = entry_of(source)
    corpus = planting.with_planted(source.corpus, planted.texts)
    ids = corpus["passage_id"].to_pylist()
    texts = {**source.texts, **planted.texts}
    passages = teachers.Corpus(ids, [texts[one] for one in ids], LANGUAGE)
    qrels = _qrels(source, planted)
    runs = {}
    for name, options in study.teachers.items():
        teacher = teachers.build(options, passages, study.runtime)
        mined = mining.mine(teacher, source.queries, ids, qrels, entry, study.depth, name, f"{source.name} {name}")
        runs[name] = (mined.run, mined.judged)
    held_out, judged = pa.array([], pa.string()), next(iter(runs.values()))[1]
    filtering = Filtering(source.all_queries, corpus, judged, held_out, entry, study.rules)
    return Ranked(source, planted, corpus, filtering, runs, entry)


def _qrels(source: Source, planted: Planted) -> pa.Table:
    ids = source.queries["query_id"].to_pylist()
    pairs = [(query, passage) for query, relevant in zip(ids, planted.relevant, strict=True) for passage in relevant]
    columns = {"query_id": [q for q, _ in pairs], "passage_id": [p for _, p in pairs]}
    return schemas.build(schemas.QRELS, columns | {"relevance": [source.positive_at] * len(pairs)})


class Hidden:
    """A run as it is once some of what is relevant is no longer judged; asked window by window."""

    def __init__(self, of: Ranked, scheme: str, teacher: str, rules: Filter, study: Study) -> None:
        self._of, self._study = of, study
        run, judged = of.runs[teacher]
        stays = _stays(of, scheme, teacher)
        self._run, self.judged = as_mined(run, judged, stays, study.depth)
        self._rules = rules.model_copy(update={"min_rank": None, "max_rank": None})
        filtering = copy(of.filtering)
        ids = filtering.query_ids, filtering.passage_ids
        filtering.rules, filtering.judged = self._rules, Judged(self.judged, *ids, of.source.positive_at)
        self._filtering = filtering
        (self._block,) = self._filtering.blocks(self._run.to_batches(), self._run.num_rows + 1)
        self._is_hidden = self._truth(self._run) & ~self._block.candidates.is_positive
        self._evidence = self._found()

    def row(self, window: tuple[int, int], name: str) -> Row:
        """Return what is true in one window, and what is estimated there."""
        rules = self._rules.model_copy(update={"min_rank": window[0], "max_rank": window[1]})
        kept = np.flatnonzero(refusals(self._block.candidates, rules) == 0)
        found = estimate(self._labels(kept, rules, name), self._study.leak)
        hidden = self._is_hidden[kept]
        share = found.share
        return {
            "window": f"{window[0]}-{window[1]}",
            "kept": len(kept),
            "truth": float(hidden.mean()) if len(kept) else 0.0,
            "estimate": share and share.interval.estimate,
            "low": share and share.interval.low,
            "high": share and share.interval.high,
            "upper": share and share.upper,
            "upper_only": found.upper_only,
            "resolves": found.resolves,
            "observed": found.observed and found.observed.estimate,
            "observed_low": found.observed and found.observed.low,
            "observed_high": found.observed and found.observed.high,
            "lower": self._lower(kept),
            "evidence_right": float(hidden[self._evidence.any[kept]].mean())
            if self._evidence.any[kept].any()
            else None,
            "predicted_pass": self._predicted(rules),
            "measured_pass": self._measured(int(hidden.sum())),
        }

    def _measured(self, kept: int) -> float | None:
        """Return the pass-through of what is hidden."""
        planted = self._of.planted
        hidden = int(planted.hidden.sum())
        return kept / (hidden + sum(map(len, planted.also))) if hidden else None

    def _truth(self, pairs: pa.Table) -> Bools:
        """Say which pairs are relevant, judged or not."""
        ids = self._of.source.queries["query_id"].to_pylist()
        relevant = dict(zip(ids, self._of.planted.pairs, strict=True))
        return np.array([passage in relevant[query] for query, passage in _pairs(pairs)], dtype=bool)

    def _found(self) -> Found:
        source, corpus = self._of.source, self._of.corpus["passage_id"].combine_chunks()
        query_ids = source.all_queries["query_id"].combine_chunks()
        others = schemas.positives(source.qrels, source.positive_at).select(["query_id", "passage_id"])
        own = pc.is_in(others["query_id"], source.queries["query_id"].combine_chunks())
        known = pa.concat_tables(
            [
                others.filter(pc.invert(own)).replace_schema_metadata(None),
                self.judged.select(["query_id", "passage_id"]).replace_schema_metadata(None),
            ]
        )
        positives = Pairs(index(known["query_id"], query_ids), index(known["passage_id"], corpus))
        unit, size = languages.of(LANGUAGE).unit, self._rules.near_copy_size
        texts = source.all_queries["text"].to_pylist()
        shingles = self._filtering.shingles
        assert shingles is not None  # noqa: S101 - a set without labels has them
        evidence = Evidence(texts, positives, shingles, unit, size, self._rules.near_copy_jaccard)
        return evidence.of(index(self._run["query_id"], query_ids), index(self._run["passage_id"], corpus))

    def _lower(self, kept: NDArray[np.int64]) -> float | None:
        tally = Tally()
        tally.add(self._block.query[kept], taken(self._evidence, kept))
        lower: float | None = tally.report(self._study.leak)["lower"]
        return lower

    def _labels(self, kept: NDArray[np.int64], rules: Filter, name: str) -> pa.Table:
        """Draw the sample, and answer it."""
        leak = self._study.leak.model_copy(update={"seed": rng(planting.SEED, name).integers(2**31).item()})
        found, draw = self._block.candidates, Draw(leak)
        suspicious = self._evidence.suspicious[kept]
        scores = found.score[kept], found.positive_score[kept]
        stratum = strata(found.counted_rank(rules)[kept], *scores, found.scale, suspicious)
        ids = [self._run[column].combine_chunks().take(pa.array(kept)) for column in ("query_id", "passage_id")]
        draw.add(ids[0], ids[1], stratum)
        known = Known(self.judged, self.judged, self._of.corpus["passage_id"])
        sample = with_controls(draw.kept(), known, leak)
        return answered(sample, self._truth(sample), name)

    def _predicted(self, rules: Filter) -> float:
        """Return the pass-through of what stays judged."""
        of = self._block.positives
        left = left_out(of.query, of.rank, of.score, of.refused_by)
        passes = (left.rank > 0) & (left.refused_by == 0)
        passes &= refusals(left.candidates(self._filtering.judged.scale), rules) == 0
        return float(passes.mean())


def _stays(of: Ranked, scheme: str, teacher: str) -> set[tuple[str, str]]:
    """Return the pairs that stay judged."""
    scores: dict[str, dict[str, dict[str, float]]] = {name: {} for name in of.runs}
    for name, (_, judged) in of.runs.items():
        for row in judged.filter(pc.is_valid(judged["score"])).to_pylist():
            scores[name].setdefault(row["query_id"], {})[row["passage_id"]] = row["score"]
    stays: set[tuple[str, str]] = set()
    hidden = of.planted.hidden.tolist()
    for i, query in enumerate(of.source.queries["query_id"].to_pylist()):
        own = {name: found.get(query, {}) for name, found in scores.items()}
        relevant = planting.order(scheme, i, of.planted.relevant[i], own, teacher)
        stays.update((query, passage) for passage in relevant[: len(relevant) - hidden[i]])
    return stays


def as_mined(run: pa.Table, judged: pa.Table, stays: set[tuple[str, str]], depth: int) -> tuple[pa.Table, pa.Table]:
    """Return the tables that mining gives where only the pairs in `stays` are judged.

    What is judged no more is a candidate like others, so each query's run ends earlier.
    """
    judged = judged.filter(pa.array([pair in stays for pair in _pairs(judged)], pa.bool_()))
    others = np.array([pair not in stays for pair in _pairs(run)], dtype=np.int64)
    query = pc.dictionary_encode(run["query_id"].combine_chunks()).indices.to_numpy()
    before = np.cumsum(others) - others
    starts = np.searchsorted(query, query)
    run = run.filter(pa.array(before - before[starts] < depth))
    last = run.group_by("query_id").aggregate([("rank", "max")])
    deepest = last["rank_max"].take(pc.index_in(judged["query_id"], last["query_id"].combine_chunks()))
    beyond = pc.fill_null(pc.greater(judged["rank"], deepest), True)
    rank = pc.if_else(beyond, pa.scalar(None, pa.int32()), judged["rank"])
    return run, judged.set_column(judged.column_names.index("rank"), "rank", rank)


def _pairs(table: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(table["query_id"].to_pylist(), table["passage_id"].to_pylist(), strict=True)


def answered(sample: pa.Table, relevant: Bools, name: str) -> pa.Table:
    """Answer a sample as a judge does that is right as often as it is said above, and at times fails to answer."""
    chance = priorities(f"judge {name}", sample["query_id"], sample["passage_id"]) / 2.0**64
    says = np.where(relevant, chance < SENSITIVITY, chance >= SPECIFICITY)
    fails = priorities(f"fails {name}", sample["query_id"], sample["passage_id"]) / 2.0**64 < FAILS
    answers = {"relevant": pa.array(says, mask=fails), "judge_score": pa.array(says.astype(np.float32), mask=fails)}
    return schemas.build(schemas.LABELS, {name: sample[name] for name in sample.column_names} | answers)


def taken(found: Found, rows: NDArray[np.int64]) -> Found:
    """Return what was found of some of the rows."""
    return replace(
        found,
        kinds={kind: holds[rows] for kind, holds in found.kinds.items()},
        similar=found.similar[rows],
        twin=found.twin[rows],
    )


def cells(of: Ranked, kind: str, scheme: str, study: Study) -> Iterator[Row]:
    """Yield a row for every teacher and window."""
    # Copies are what the rule of near copies refuses: of it there would be nothing to measure.
    rules = study.rules.model_copy(update={"near_copy_jaccard": None}) if kind == "exact" else study.rules
    for teacher in study.teachers:
        hidden = Hidden(of, scheme, teacher, rules, study)
        for window in WINDOWS:
            cell = {"set": of.source.name, "teacher": teacher, "kind": kind, "scheme": scheme}
            name = " ".join([*cell.values(), str(of.planted.reached), str(window)])
            yield {**cell, "reached": of.planted.reached, **hidden.row(window, name)}
