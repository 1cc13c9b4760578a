"""Which pairs a judge is asked about, and what becomes of candidates, judgements and sample by its scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.filters import BIT, KEEP

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

_RELEVANT = "judge_says_relevant"


@dataclass(frozen=True)
class Tables:
    """What is judged.

    Attributes:
        candidates: table `candidates` of the filter.
        judged: table `judged` of mine.
        sample: table `sample`.
        positive_at: the relevance from which a passage is a positive.
        negative_at: the relevance up to which it is a judged negative; None for none.
    """

    candidates: pa.Table
    judged: pa.Table
    sample: pa.Table
    positive_at: float
    negative_at: float | None


@dataclass(frozen=True)
class Asked:
    """The pairs to ask about, sorted by ids, and the rows they stand in.

    Attributes:
        pairs: columns query_id and passage_id; no pair twice.
        candidates: [rows] for each row of `candidates` its index into pairs, -1 where it is not asked about.
        judged: [rows] of `judged`, likewise.
        sample: [rows] of `sample`, likewise.
    """

    pairs: pa.Table
    candidates: Ints
    judged: Ints
    sample: Ints


@dataclass(frozen=True)
class Judged:
    """What a judge leaves.

    Attributes:
        candidates: table `candidates` of the judge.
        judged: table `judged` of the judge.
        labels: table `labels`.
        counts: of kept candidates; they add up.
    """

    candidates: pa.Table
    judged: pa.Table
    labels: pa.Table
    counts: Mapping[str, int]


def nothing(tables: Tables) -> Asked:
    """Ask about nothing."""
    return _asked(tables, *(np.zeros(len(one), bool) for one in (tables.candidates, tables.judged, tables.sample)))


def select(tables: Tables, top: int | None) -> Asked:
    """Choose the pairs to ask about: kept candidates, the positives of their queries, and the sample.

    Judged negatives are not asked about: somebody has looked at them already.

    Args:
        tables: what there is.
        top: of each query, how many kept candidates, best ranks first; None for all.
    """
    rows = tables.candidates
    query = _numbers(rows["query_id"], pc.unique(rows["query_id"]))
    chosen = _best(query, rows["rank"].to_numpy(), _kept(rows) & ~_negative(tables), top)
    of_asked = pc.is_in(tables.judged["query_id"], pc.unique(rows["query_id"].filter(pa.array(chosen))))
    positives = _positive(tables) & of_asked.to_numpy()
    return _asked(tables, chosen, positives, np.ones(len(tables.sample), bool))


def of_positives(tables: Tables, asked: Asked, scores: Floats) -> Floats:
    """Return the scores of the known positives that were asked about and have one."""
    found = _take(scores, asked.judged[_positive(tables)])
    return found[~np.isnan(found)]


def apply(
    tables: Tables,
    asked: Asked,
    scores: Floats,
    failed: Ints,
    threshold: float | None,
    *,
    relabel: bool,
    judge: str,
) -> Judged:
    """Refuse the kept candidates that a judge calls relevant, and write its scores beside all that it was asked about.

    A judged negative keeps its verdict, whatever the judge says. A pair without a score is never refused.

    Args:
        tables: what was judged.
        asked: the pairs that were asked about.
        scores: [pairs] of the judge; NaN where there is none.
        failed: which pairs were asked about in vain.
        threshold: the score from which a passage is relevant; None where there are no scores.
        relabel: whether what is refused becomes a positive.
        judge: the name of its entry.
    """
    found = _take(scores, asked.candidates)
    kept = _kept(tables.candidates)
    relevant = kept & ~_negative(tables) & (found >= np.float32(np.inf if threshold is None else threshold))
    counts = {
        "candidates": len(kept),
        "kept_before": int(kept.sum()),
        **_answered(kept, found, np.isin(asked.candidates, failed)),
        "judged_negatives": int((kept & _negative(tables)).sum()),
        "relevant": int(relevant.sum()),
        "kept_after": int((kept & ~relevant).sum()),
        "relabelled": int(relevant.sum()) if relabel else 0,
    }
    new = tables.candidates.filter(pa.array(relevant & relabel))
    return Judged(
        _candidates(tables, asked, scores, relevant, judge),
        _judgements(tables, _take(scores, asked.judged), new, found[relevant & relabel], judge),
        labels(tables.sample, asked.sample, scores, threshold),
        counts,
    )


def labels(sample: pa.Table, asked: Ints, scores: Floats, threshold: float | None) -> pa.Table:
    """Make table `labels` of the rows of a sample that were asked about.

    Args:
        sample: the table.
        asked: [rows] the index of each row into `scores`, -1 where it was not asked about.
        scores: NaN where there is none.
        threshold: the score from which a passage is relevant.
    """
    found = _take(scores, asked)
    relevant = pa.array(found >= np.float32(np.inf if threshold is None else threshold), mask=np.isnan(found))
    columns = {name: sample[name] for name in schemas.SAMPLE.schema.names}
    every = pa.table({**columns, "judge_score": _nullable(found), "relevant": relevant})
    return schemas.build(schemas.LABELS, every.filter(pa.array(asked >= 0)), schemas.metadata(sample))


def _asked(tables: Tables, candidates: Bools, judged: Bools, sample: Bools) -> Asked:
    """Gather the pairs of the chosen rows, and find each in every row that it stands in."""
    every = (tables.candidates, tables.judged, tables.sample)
    queries, passages = (_distinct(every, name) for name in ("query_id", "passage_id"))
    keys = [_numbers(one["query_id"], queries) * len(passages) + _numbers(one["passage_id"], passages) for one in every]
    chosen = [its[rows] for its, rows in zip(keys, (candidates, judged, sample), strict=True)]
    wanted = np.unique(np.concatenate(chosen))
    query, passage = np.divmod(wanted, max(len(passages), 1))
    pairs = pa.table({"query_id": queries.take(pa.array(query)), "passage_id": passages.take(pa.array(passage))})
    return Asked(pairs, *(_places(its, wanted) for its in keys))


def _distinct(tables: tuple[pa.Table, ...], name: str) -> pa.Array:
    chunks = [chunk for one in tables for chunk in one[name].chunks]
    found = pc.unique(pa.chunked_array(chunks, pa.string()))
    return found.take(pc.sort_indices(found))


def _numbers(ids: pa.ChunkedArray, known: pa.Array) -> Ints:
    return np.asarray(pc.index_in(ids, known).to_numpy(), np.int64)


def _places(keys: Ints, wanted: Ints) -> Ints:
    """Find each key among the ascending `wanted`; -1 where it is not."""
    if not len(wanted):
        return np.full(len(keys), -1, np.int64)
    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.where(wanted[at] == keys, at, -1)


def _best(query: Ints, rank: Ints, rows: Bools, top: int | None) -> Bools:
    """Of each query's `rows`, the `top` of best rank."""
    if top is None:
        return rows
    at = np.flatnonzero(rows)
    order = at[np.lexsort((rank[at], query[at]))]
    starts = np.flatnonzero(np.diff(query[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    best = np.zeros(len(rows), bool)
    best[order[place < top]] = True
    return best


def _kept(candidates: pa.Table) -> Bools:
    return np.asarray(pc.equal(candidates["verdict"], KEEP).to_numpy())


def _negative(tables: Tables) -> Bools:
    """Say which candidates are judged negatives."""
    relevance = tables.candidates["relevance"].to_numpy()
    bound = -np.inf if tables.negative_at is None else tables.negative_at
    return np.asarray(relevance <= np.float32(bound))


def _positive(tables: Tables) -> Bools:
    """Say which judgements make a positive."""
    return np.asarray(tables.judged["relevance"].to_numpy() >= np.float32(tables.positive_at))


def _take(scores: Floats, places: Ints) -> Floats:
    """Return the scores at places, NaN at -1."""
    return np.append(scores, np.float32(np.nan))[places]


def _nullable(scores: Floats) -> pa.Array:
    return pa.array(scores, pa.float32(), mask=np.isnan(scores))


def _answered(kept: Bools, scores: Floats, failed: Bools) -> dict[str, int]:
    answered = ~np.isnan(scores)
    parts = {"judged": answered, "failed": failed & ~answered, "not_asked": ~failed & ~answered}
    return {name: int((kept & rows).sum()) for name, rows in parts.items()}


def _candidates(tables: Tables, asked: Asked, scores: Floats, relevant: Bools, judge: str) -> pa.Table:
    rows = tables.candidates
    refused_by = rows["refused_by"].to_numpy() | np.where(relevant, BIT[_RELEVANT], 0).astype(np.int32)
    columns = {
        **{name: rows[name] for name in schemas.CANDIDATES.schema.names},
        "verdict": pc.if_else(pa.array(relevant), _RELEVANT, rows["verdict"]),
        "refused_by": pa.array(refused_by, pa.int32()),
        "judge_score": _nullable(_take(scores, asked.candidates)),
        "positive_judge_score": _nullable(_lowest(tables, _take(scores, asked.judged))),
    }
    return schemas.build(schemas.JUDGED_CANDIDATES, columns, schemas.metadata(rows) | {"judge": judge})


def _lowest(tables: Tables, scores: Floats) -> Floats:
    """Return for each candidate the lowest score of its query's positives; NaN without any, or where one has none."""
    positives = _positive(tables)
    queries = _distinct((tables.candidates, tables.judged), "query_id")
    # A score that nobody knows may be the lowest of all.
    known = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    lowest = np.full(len(queries), np.inf, np.float32)
    np.minimum.at(lowest, _numbers(tables.judged["query_id"], queries)[positives], known[positives])
    lowest[np.isinf(lowest)] = np.nan
    return lowest[_numbers(tables.candidates["query_id"], queries)]


def _judgements(tables: Tables, scores: Floats, new: pa.Table, new_scores: Floats, judge: str) -> pa.Table:
    """Write the judge's scores beside the judgements, and put `new` candidates among them as positives."""
    old = tables.judged
    columns = {name: old[name] for name in schemas.JUDGED.schema.names}
    before = pa.table({**columns, "judge_score": _nullable(scores), "relabelled": pa.array(np.zeros(len(old), bool))})
    relevance = np.full(len(new), tables.positive_at, np.float32)
    columns = {name: new[name] for name in schemas.JUDGED.schema.names}
    columns |= {"relevance": pa.array(relevance, pa.float32())}
    added = pa.table({**columns, "judge_score": _nullable(new_scores), "relabelled": pa.array(np.ones(len(new), bool))})
    # A grade between a negative's and a positive's gives way.
    every = _distinct((old, new), "passage_id")
    queries = _distinct((old, new), "query_id")
    were, are = (
        _numbers(one["query_id"], queries) * len(every) + _numbers(one["passage_id"], every) for one in (old, new)
    )
    staying = before.filter(pa.array(~np.isin(were, are)))
    data = pa.concat_tables([staying.cast(added.schema), added])
    return schemas.build(schemas.JUDGEMENTS, data, schemas.metadata(old) | {"judge": judge})
