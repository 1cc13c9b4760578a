"""From candidates to training rows: one row for each query and positive, with the negatives drawn for the query."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder.decontamination import Contaminated
from embedder.errors import TableError
from embedder.filters import BIT, too_close
from embedder.params.models import Dataset, Materialize
from embedder.sampling import draw
from embedder.seeds import rng

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Query:
    """One mined query: its positives as row indices into `judged`, its candidates as row indices, ranks ascending."""

    query_id: str
    positives: Ints
    candidates: Ints


@dataclass(frozen=True)
class Row:
    """One training row; the passages are row indices into `judged` (positives) and `candidates` (the others)."""

    query_id: str
    positive: int
    positives: Ints
    masked: Ints
    negatives: Ints


@dataclass
class Chosen:
    """The rows of a dataset, what was dropped (query_id, passage_id or "", reason), and counts of queries and rows."""

    rows: list[Row] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)
    short: int = 0
    mined: int = 0

    def report(self) -> dict[str, object]:
        """Count queries and rows: mined = stored + dropped, for queries."""
        stored = len({row.query_id for row in self.rows})
        whole = Counter(reason for _, passage_id, reason in self.dropped if not passage_id)
        passages = Counter(reason for _, passage_id, reason in self.dropped if passage_id)
        return {
            "queries": {
                "mined": self.mined,
                "stored": stored,
                "short": self.short,
                "dropped": dict(sorted(whole.items())),
            },
            "rows": len(self.rows),
            "passages_dropped": dict(sorted(passages.items())),
            "negatives": {
                "stored": int(sum(len(row.negatives) for row in self.rows)),
                "per_row": dict(
                    sorted(Counter(str(len(row.negatives)) for row in self.rows).items(), key=lambda c: int(c[0]))
                ),
            },
        }


def choose(
    candidates: pa.Table,
    judged: pa.Table,
    entry: Dataset,
    settings: Materialize,
    contaminated: Contaminated,
    own: Mapping[str, str],
) -> Chosen:
    """Choose the rows of one dataset.

    Args:
        candidates: table `candidates` of the judge stage.
        judged: table `judged` of the mine stage.
        entry: the dataset's entry.
        settings: how many negatives, drawn how, and what becomes of short queries.
        contaminated: training queries and passages that are near copies of dev texts.
        own: the passage that says what a query says, by query: as its positive it would teach nothing.
    """
    kept = np.asarray(pc.equal(candidates["verdict"], "keep").to_numpy())
    refused = candidates["refused_by"].to_numpy()
    close = too_close(refused) & ((refused & BIT["is_positive"]) == 0)
    is_negative, is_neither = _graded(candidates, entry)
    close |= is_neither
    passage_ids = candidates["passage_id"].to_pylist()
    positive_ids = judged["passage_id"].to_pylist()
    chosen = Chosen()
    for query in _queries(candidates, judged, entry.positive_at):
        chosen.mined += 1
        if query.query_id in contaminated.queries:
            chosen.dropped.append((query.query_id, "", "query_near_dev"))
            continue
        positives = _other(chosen, query, positive_ids, own.get(query.query_id))
        positives = _clean(chosen, query.query_id, positives, positive_ids, contaminated, "positive_near_dev")
        if not len(positives):
            chosen.dropped.append((query.query_id, "", "no_positive_left"))
            continue
        rows = query.candidates[kept[query.candidates]]
        neither = rows[is_neither[rows]]
        chosen.dropped += [(query.query_id, passage_ids[row], "neither_relevant_nor_not") for row in neither.tolist()]
        rows = rows[~is_neither[rows]]
        rows = _clean(chosen, query.query_id, rows, passage_ids, contaminated, "negative_near_dev")
        if len(rows) < settings.min_negatives and not entry.labelled:
            chosen.short += 1
            if settings.on_shortage == "drop":
                chosen.dropped.append((query.query_id, "", "too_few_negatives"))
                continue
        negatives = rows[
            draw(is_negative[rows], settings.num_negatives, settings.sampling, settings.seed, query.query_id)
        ]
        masked = query.candidates[close[query.candidates]]
        for positive in _capped(chosen, query.query_id, positives, positive_ids, settings):
            chosen.rows.append(Row(query.query_id, positive, query.positives, masked, negatives))
    return chosen


def check_losses(dataset: str, chosen: Chosen, most: float) -> None:
    """Refuse a dataset to train on that has no query, loses more than a share `most` of them, or all.

    Raises:
        TableError: names the reason that dominates.
    """
    if not chosen.mined:
        raise TableError(
            f"dataset {dataset}: no query of its train split has a positive; correct its source or positive_at, "
            f"or set datasets.{dataset}.weight: 0 to evaluate it only"
        )
    reasons = Counter(reason for _, passage_id, reason in chosen.dropped if not passage_id)
    lost = sum(reasons.values())
    if not reasons or (lost <= most * chosen.mined and chosen.rows):
        return
    reason, count = reasons.most_common(1)[0]
    allowed = f"materialize.max_dropped_share {most} allows" if chosen.rows else "a dataset can do without"
    raise TableError(
        f"dataset {dataset}: {lost} of {chosen.mined} queries are lost, {count} of them for {reason}; more than "
        f"{allowed}; {_REMEDIES[reason]}"
    )


_NEAR_DEV = "raise materialize.decontaminate_jaccard, or take near copies out of the source's dev split"
_REMEDIES = {
    "query_near_dev": _NEAR_DEV,
    "no_positive_left": f"its positives are near copies of dev texts, or the queries themselves; {_NEAR_DEV}",
    "too_few_negatives": "widen the window (filter.min_rank, filter.max_rank), lower materialize.min_negatives, or set on_shortage: keep",
}


def _queries(candidates: pa.Table, judged: pa.Table, positive_at: float) -> Iterator[Query]:
    relevant = np.flatnonzero(judged["relevance"].to_numpy() >= positive_at)
    query_ids = pc.unique(judged["query_id"])
    of_candidates = np.asarray(pc.index_in(candidates["query_id"], query_ids).to_numpy(), dtype=np.int64)
    of_positives = np.asarray(pc.index_in(judged["query_id"], query_ids).to_numpy(), dtype=np.int64)[relevant]
    everyone = np.arange(len(query_ids) + 1)
    starts, firsts = np.searchsorted(of_candidates, everyone), np.searchsorted(of_positives, everyone)
    for i, query_id in enumerate(query_ids.to_pylist()):
        yield Query(query_id, relevant[firsts[i] : firsts[i + 1]], np.arange(starts[i], starts[i + 1]))


def _graded(candidates: pa.Table, entry: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which candidates are judged negatives, and which are graded between a negative and a positive: neither."""
    relevance = pc.fill_null(candidates["relevance"], np.nan).to_numpy()
    below = relevance < np.float32(entry.positive_at)
    if entry.negative_at is None:
        return np.zeros(len(relevance), dtype=bool), below
    is_negative = relevance <= np.float32(entry.negative_at)
    return is_negative, below & ~is_negative


def _other(chosen: Chosen, query: Query, ids: list[str], own: str | None) -> Ints:
    """Return the positives but the one that is the query itself; record that one."""
    same = np.array([ids[row] == own for row in query.positives.tolist()], dtype=bool)
    if same.any():
        chosen.dropped.append((query.query_id, str(own), "positive_is_query"))
    return np.asarray(query.positives[~same])


def _clean(
    chosen: Chosen, query_id: str, rows: Ints, passage_ids: list[str], contaminated: Contaminated, reason: str
) -> Ints:
    """Return the rows whose passage is no near copy of a dev text; record the others."""
    lost = [passage_ids[row] in contaminated.passages for row in rows.tolist()]
    chosen.dropped += [
        (query_id, passage_ids[row], reason) for row, bad in zip(rows.tolist(), lost, strict=True) if bad
    ]
    return np.asarray(rows[~np.array(lost, dtype=bool)])


def _capped(chosen: Chosen, query_id: str, positives: Ints, ids: list[str], settings: Materialize) -> list[int]:
    """Draw at most `positives_per_query` positives; record the others."""
    most = settings.positives_per_query
    if len(positives) <= most:
        return [int(row) for row in positives]
    drawn = set(rng(settings.seed, query_id, "positives").choice(len(positives), most, replace=False).tolist())
    reason = "over_positives_per_query"
    chosen.dropped += [(query_id, ids[row], reason) for i, row in enumerate(positives.tolist()) if i not in drawn]
    return [int(row) for i, row in enumerate(positives) if i in drawn]
