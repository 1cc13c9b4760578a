"""From candidates to training rows: one row for each query and positive, with the negatives drawn for it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder.decontamination import Contaminated
from embedder.errors import TableError
from embedder.negatives import OwnMargin, Reuse, pool
from embedder.params.models import Dataset, Filter, Materialize
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
    """The rows of a dataset, what was dropped and why, and counts.

    Attributes:
        rows: the training rows.
        dropped: query_id, passage_id or "" for a whole query, reason.
        mined: queries there were.
        short: queries none of whose rows has min_negatives.
        relabelled: rows whose positive the judge made one.
        too_close: pairs of a possible row and a candidate that the margin to the row's own positive refused.
        passed_over: pairs of a query and a candidate that was a negative of max_reuse others.
    """

    rows: list[Row] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)
    mined: int = 0
    short: int = 0
    relabelled: int = 0
    too_close: int = 0
    passed_over: int = 0

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
            "rows_with_relabelled_positive": self.relabelled,
            "passages_dropped": dict(sorted(passages.items())),
            "candidates_passed_over": {
                "margin_too_small_for_row": self.too_close,
                "over_max_reuse": self.passed_over,
            },
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
    rules: Filter,
    settings: Materialize,
    contaminated: Contaminated,
    own: Mapping[str, str],
) -> Chosen:
    """Choose the rows of one dataset.

    Args:
        candidates: table `candidates` of the judge stage.
        judged: table `judged` of the judge stage, what it relabelled included.
        entry: the dataset's entry.
        rules: the rules that made the candidates; margins to a row's own positive are asked here.
        settings: how many negatives, drawn how, and what becomes of short queries.
        contaminated: training queries and passages that are near copies of dev texts.
        own: the passage that says what a query says, by query: as its positive it would teach nothing.
    """
    choosing = _Choosing(candidates, judged, entry, rules, settings, contaminated, own)
    for query in choosing.queries():
        choosing.take(query)
    return choosing.chosen


def unchosen(judged: pa.Table) -> Chosen:
    """Drop every query of a dataset without weight: it is evaluated only, and no training may depend on it."""
    query_ids = pc.unique(judged["query_id"]).to_pylist()
    return Chosen(dropped=[(query_id, "", "no_weight") for query_id in query_ids], mined=len(query_ids))


class _Choosing:
    """A dataset's queries on their way to rows, one after the other: a passage may only be used so often."""

    def __init__(
        self,
        candidates: pa.Table,
        judged: pa.Table,
        entry: Dataset,
        rules: Filter,
        settings: Materialize,
        contaminated: Contaminated,
        own: Mapping[str, str],
    ) -> None:
        self.chosen = Chosen()
        self._pool = pool(candidates, judged, entry, contaminated)
        self._margin = OwnMargin(rules, judged, entry)
        # A label task has few passages, and each is a negative of most queries.
        self._reuse = Reuse(None if entry.labelled else settings.max_reuse, len(self._pool.passage_ids))
        self._settings, self._contaminated, self._own = settings, contaminated, own
        self._least = 0 if entry.labelled else settings.min_negatives
        self._positive_ids = judged["passage_id"].combine_chunks()
        self._relabelled = judged["relabelled"].to_numpy()
        near_dev = pc.is_in(judged["passage_id"], pa.array(sorted(contaminated.passages), pa.string()))
        self._positive_near_dev = near_dev.to_numpy()
        self._queries = list(_queries(candidates, judged, entry.positive_at))

    def queries(self) -> list[Query]:
        """Return the queries; where passages may be used up, in an order that a seed and their names fix."""
        if self._settings.max_reuse is None:
            return self._queries
        seed = self._settings.seed
        return sorted(self._queries, key=lambda query: (rng(seed, query.query_id, "turn").random(), query.query_id))

    def take(self, query: Query) -> None:
        """Make the rows of one query."""
        self.chosen.mined += 1
        if query.query_id in self._contaminated.queries:
            self._drop(query, "query_near_dev")
            return
        positives = self._positives(query)
        if not len(positives):
            self._drop(query, "no_positive_left")
            return
        allowed = self._allowed(positives, self._usable(query))
        short = [positive for positive, rows in allowed.items() if len(rows) < self._least]
        self.chosen.short += len(short) == len(allowed)
        if self._settings.on_shortage == "drop":
            if len(short) == len(allowed):
                self._drop(query, "too_few_negatives")
                return
            self._drop(query, "too_few_negatives_for_row", short)
            allowed = {positive: rows for positive, rows in allowed.items() if positive not in set(short)}
        self._add(query, allowed)

    def _positives(self, query: Query) -> Ints:
        """Return the positives that may be learnt from; record the others."""
        positives, own = query.positives, self._own.get(query.query_id)
        if own is not None:
            same = np.array([name == own for name in self._ids(positives)], dtype=bool)
            self._drop(query, "positive_is_query", positives[same])
            positives = positives[~same]
        near = self._positive_near_dev[positives]
        self._drop(query, "positive_near_dev", positives[near])
        return np.asarray(positives[~near])

    def _usable(self, query: Query) -> Ints:
        """Return the candidates that may be negatives of the query; record those that only the split forbids."""
        found, rows = self._pool, query.candidates
        rows = rows[found.kept[rows]]
        for forbidden, reason in ((found.neither, "neither_relevant_nor_not"), (found.near_dev, "negative_near_dev")):
            lost = rows[forbidden[rows]]
            self.chosen.dropped += [(query.query_id, name, reason) for name in found.ids(lost)]
            rows = rows[~forbidden[rows]]
        used_up = self._reuse.used_up(found.passage[rows])
        self.chosen.passed_over += int(used_up.sum())
        return np.asarray(rows[~used_up])

    def _allowed(self, positives: Ints, usable: Ints) -> dict[int, Ints]:
        """Return the candidates that may be negatives of the row of each positive."""
        allowed = {}
        for positive in positives.tolist():
            refused = self._margin.refuses(self._pool, usable, positive)
            self.chosen.too_close += int(refused.sum())
            allowed[positive] = usable[~refused]
        return allowed

    def _add(self, query: Query, allowed: Mapping[int, Ints]) -> None:
        """Add the rows of at most `positives_per_query` positives, with the negatives drawn for each."""
        masked = query.candidates[self._pool.masked[query.candidates]]
        used = []
        for positive in self._capped(query, list(allowed)):
            # One draw a query, unless its rows differ in what they may have.
            names = [query.query_id, *(self._ids([positive]) if self._margin.applies else ())]
            negatives = self._drawn(allowed[positive], names)
            self.chosen.rows.append(Row(query.query_id, positive, query.positives, masked, negatives))
            self.chosen.relabelled += int(self._relabelled[positive])
            used.append(self._pool.passage[negatives])
        self._reuse.use(np.concatenate(used))

    def _drawn(self, rows: Ints, names: list[str]) -> Ints:
        settings, found = self._settings, self._pool
        scores = found.score[rows].astype(np.float64)
        drawn = draw(found.judged[rows], scores, settings.num_negatives, settings.sampling, settings.seed, *names)
        return np.asarray(rows[drawn])

    def _capped(self, query: Query, positives: list[int]) -> list[int]:
        """Draw at most `positives_per_query` positives; record the others."""
        most = self._settings.positives_per_query
        if len(positives) <= most:
            return positives
        random = rng(self._settings.seed, query.query_id, "positives")
        drawn = set(random.choice(len(positives), most, replace=False).tolist())
        self._drop(
            query, "over_positives_per_query", [row for place, row in enumerate(positives) if place not in drawn]
        )
        return [row for place, row in enumerate(positives) if place in drawn]

    def _drop(self, query: Query, reason: str, positives: Ints | list[int] | None = None) -> None:
        """Record that some positives of a query are dropped, or that all of it is."""
        names = [""] if positives is None else self._ids(positives)
        self.chosen.dropped += [(query.query_id, name, reason) for name in names]

    def _ids(self, positives: Ints | list[int]) -> list[str]:
        if not len(positives):
            return []
        names: list[str] = self._positive_ids.take(pa.array(positives, pa.int64())).to_pylist()
        return names


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
    "too_few_negatives": "widen the window or the margin (section filter), raise or unset materialize.max_reuse, "
    "lower materialize.min_negatives, or set on_shortage: keep",
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
