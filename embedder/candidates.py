"""From a run to candidates with verdicts: what the rules need to know of each row, in arrays."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import languages, schemas
from embedder.filters import BIT, KEEP, VERDICTS, Candidates, refusals, verdicts
from embedder.leak import WINDOWS, known_false_negatives
from embedder.near_copies import are_similar, shingle
from embedder.params.models import Dataset, Filter
from embedder.texts import normalise, passage_text

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Grades = NDArray[np.float32]


def judge_candidates(
    run: pa.Table,
    judged: pa.Table,
    queries: pa.Table,
    corpus: pa.Table,
    held_out: pa.Array,
    entry: Dataset,
    rules: Filter,
) -> pa.Table:
    """Give every row of a run its verdict.

    Args:
        run: table `run`, sorted by query_id and rank.
        judged: table `judged` of the same run.
        queries: table `queries`; only texts are read.
        corpus: table `corpus`.
        held_out: ids of the passages that are positives of dev queries.
        entry: the dataset's entry; label tasks have neither window nor margins nor near copies.
        rules: the rules that apply to it.

    Returns:
        The table `candidates`, with the run's metadata and the window.
    """
    if entry.labelled:
        rules = rules.model_copy(update=dict.fromkeys(OFF_FOR_LABELS))
    query, passage = _index(run, queries, "query_id"), _index(run, corpus, "passage_id")
    pairs = _Judged(judged, queries, corpus)
    relevance = pairs.relevance(query, passage, corpus.num_rows)
    is_positive = relevance >= entry.positive_at
    lowest = pairs.lowest_positive(entry.positive_at, queries.num_rows)[query]
    texts = [passage_text(*row) for row in zip(corpus["title"].to_pylist(), corpus["text"].to_pylist(), strict=True)]
    candidates = Candidates(
        rank=run["rank"].to_numpy().astype(np.int64),
        score=run["score"].to_numpy().astype(np.float64),
        positive_score=lowest,
        positives_above=_above(query, is_positive),
        is_positive=is_positive,
        is_negative=_at_most(relevance, entry.negative_at),
        same_text=_same_text(query, passage, queries["text"].to_pylist(), texts),
        held_out=np.asarray(pc.is_in(run["passage_id"], held_out).to_numpy()),
        near_copy=_near_copies(query, passage, is_positive, pairs.positives(entry.positive_at), texts, entry, rules),
    )
    refused_by = refusals(candidates, rules)
    columns = {
        **{name: run[name] for name in schemas.RUN.schema.names},
        "relevance": pa.array(relevance, pa.float32(), mask=np.isnan(relevance)),
        "positive_score": pa.array(lowest, pa.float32(), mask=np.isnan(lowest)),
        "margin": pa.array(candidates.margin, pa.float32(), mask=np.isnan(lowest)),
        "verdict": pa.array(VERDICTS).take(pa.array(verdicts(refused_by))),
        "refused_by": pa.array(refused_by, pa.int32()),
    }
    return schemas.build(schemas.CANDIDATES, columns, schemas.metadata(run) | {"window": _window(rules)})


OFF_FOR_LABELS = (
    "min_rank",
    "max_rank",
    "max_score",
    "min_score",
    "absolute_margin",
    "relative_margin",
    "near_copy_jaccard",
)


class _Judged:
    """The judged pairs of a run as indices into queries and corpus."""

    def __init__(self, judged: pa.Table, queries: pa.Table, corpus: pa.Table) -> None:
        self.query = _index(judged, queries, "query_id")
        self.passage = _index(judged, corpus, "passage_id")
        # float32 as it is stored, so that a bound of 0.7 and a grade of 0.7 compare as equal.
        self.grade = judged["relevance"].to_numpy()
        # A score that nobody knows may be the lowest of all.
        self.score = pc.fill_null(judged["score"], -np.inf).to_numpy().astype(np.float64)

    def relevance(self, query: Ints, passage: Ints, corpus: int) -> Grades:
        """Return the relevance of each (query, passage), NaN where nobody judged it."""
        keys, wanted = self.query * corpus + self.passage, query * corpus + passage
        order = np.argsort(keys)
        at = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
        found = keys[order][at] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
        return np.where(found, self.grade[order][at] if len(keys) else np.nan, np.nan)

    def lowest_positive(self, positive_at: float, queries: int) -> Floats:
        """Return for each query the lowest score of its positives, NaN without any or where one has none."""
        lowest = np.full(queries, np.inf)
        chosen = self.grade >= positive_at
        np.minimum.at(lowest, self.query[chosen], self.score[chosen])
        return np.where(np.isinf(lowest), np.nan, lowest)

    def positives(self, positive_at: float) -> tuple[Ints, Ints]:
        """Return the queries and passages of the positives, sorted by query."""
        chosen = self.grade >= positive_at
        order = np.argsort(self.query[chosen], kind="stable")
        return self.query[chosen][order], self.passage[chosen][order]


def _index(rows: pa.Table, table: pa.Table, key: str) -> Ints:
    found = pc.index_in(rows[key], table[key].combine_chunks())
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _above(query: Ints, is_positive: NDArray[np.bool_]) -> Ints:
    """Count the positives above each row; rows of a query are consecutive and ranks ascend."""
    before: Ints = np.cumsum(is_positive) - is_positive
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    counts = np.diff(np.append(starts, len(query)))
    return (before - np.repeat(before[starts], counts)).astype(np.int64)


def _at_most(relevance: Grades, bound: float | None) -> NDArray[np.bool_]:
    return np.zeros(len(relevance), dtype=bool) if bound is None else relevance <= bound


def _same_text(query: Ints, passage: Ints, query_texts: list[str], texts: list[str]) -> NDArray[np.bool_]:
    numbers: dict[str, int] = {}
    of_queries = np.array([numbers.setdefault(normalise(text), len(numbers)) for text in query_texts], dtype=np.int64)
    of_passages = np.array([numbers.setdefault(normalise(text), len(numbers)) for text in texts], dtype=np.int64)
    return np.asarray(of_queries[query] == of_passages[passage])


def _near_copies(
    query: Ints,
    passage: Ints,
    is_positive: NDArray[np.bool_],
    positives: tuple[Ints, Ints],
    texts: list[str],
    entry: Dataset,
    rules: Filter,
) -> NDArray[np.bool_]:
    """Say which rows are near copies of any positive of their query; positives themselves are not asked."""
    out = np.zeros(len(query), dtype=bool)
    if rules.near_copy_jaccard is None:
        return out
    rows = np.flatnonzero(~is_positive)
    first = np.searchsorted(positives[0], query[rows], "left")
    counts = np.searchsorted(positives[0], query[rows], "right") - first
    row = np.repeat(rows, counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    other = positives[1][np.repeat(first, counts) + within]
    shingles = shingle(texts, languages.of(entry.language).unit, rules.near_copy_size)
    out[row[are_similar(shingles, passage[row], other, rules.near_copy_jaccard)]] = True
    return out


def _window(rules: Filter) -> str:
    if rules.min_rank is None and rules.max_rank is None:
        return "none"
    return f"{rules.min_rank or 1}-{rules.max_rank or ''} {rules.counted}"


def verdict_counts(candidates: pa.Table) -> Mapping[str, int]:
    """Count the rows per verdict, in the order of the rules, zeros included."""
    counts = {row["values"]: row["counts"] for row in pc.value_counts(candidates["verdict"]).to_pylist()}
    return {verdict: counts.get(verdict, 0) for verdict in VERDICTS}


def filter_report(candidates: pa.Table, judged: pa.Table, entry: Dataset, rules: Filter) -> dict[str, Any]:
    """Count what the rules did or could not do, per verdict and rule, and what each window would have let through."""
    refused_by = candidates["refused_by"].to_numpy()
    kept = candidates.filter(pc.equal(candidates["verdict"], KEEP))
    # Of all mined queries, also those for which nothing was retrieved.
    query_ids = pc.unique(judged["query_id"])
    per_query = np.bincount(
        pc.index_in(kept["query_id"], query_ids).to_numpy().astype(np.int64), minlength=len(query_ids)
    )
    relevant = schemas.positives(judged, entry.positive_at)
    windows = known_false_negatives(
        np.asarray(pc.index_in(relevant["query_id"], query_ids).to_numpy(), dtype=np.int64),
        np.asarray(pc.fill_null(relevant["rank"], 0).to_numpy(), dtype=np.int64),
        _run_lengths(candidates, query_ids),
        () if entry.labelled else WINDOWS,
    )
    return {
        **schemas.metadata(candidates),
        "candidates": candidates.num_rows,
        "verdicts": verdict_counts(candidates),
        "refused_by": {name: int(np.count_nonzero(refused_by & bit)) for name, bit in BIT.items()},
        "margin_unknown": _margin_unknown(candidates, entry, rules),
        "queries": len(query_ids),
        "queries_without_negatives": int(np.count_nonzero(per_query == 0)),
        "kept_per_query": quantiles(per_query),
        "scores_kept": quantiles(kept["score"].to_numpy()),
        "scores_positive": quantiles(pc.drop_null(relevant["score"]).to_numpy()),
        "known_false_negatives": [asdict(window) for window in windows],
    }


def _margin_unknown(candidates: pa.Table, entry: Dataset, rules: Filter) -> int:
    """Count the rows that a margin would have been asked of, had their query's positives all had scores."""
    if entry.labelled or (rules.absolute_margin is None and rules.relative_margin is None):
        return 0
    relevance = candidates["relevance"].to_numpy()
    exempt = (relevance >= entry.positive_at) | _at_most(relevance, entry.negative_at)
    return int(np.count_nonzero(candidates["margin"].is_null().to_numpy() & ~exempt))


def _run_lengths(candidates: pa.Table, query_ids: pa.Array) -> Ints:
    """Count the rows of each query up to the run's depth: judged passages that lie deeper leave gaps in the ranks."""
    query = np.asarray(pc.index_in(candidates["query_id"], query_ids).to_numpy(), dtype=np.int64)
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    place = np.arange(len(query)) - np.repeat(starts, np.diff(np.append(starts, len(query)))) + 1
    return np.bincount(query[candidates["rank"].to_numpy() == place], minlength=len(query_ids))


def quantiles(values: NDArray[Any]) -> dict[str, float] | None:
    """Return minimum, quartiles and maximum, or None of nothing."""
    if not len(values):
        return None
    names = ("min", "q25", "median", "q75", "max")
    return {
        name: round(float(q), 6) for name, q in zip(names, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), strict=True)
    }
