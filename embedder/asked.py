"""Which pairs a judge is asked about, and the rows that they stand in."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import layout, schemas
from embedder.filters import KEEP

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

IDS = ["query_id", "passage_id"]


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

    @property
    def kept(self) -> Bools:
        """Which candidates the filter kept."""
        return np.asarray(pc.equal(self.candidates["verdict"], KEEP).to_numpy())

    @property
    def negative(self) -> Bools:
        """Which candidates are judged negatives."""
        bound = -np.inf if self.negative_at is None else self.negative_at
        return np.asarray(self.candidates["relevance"].to_numpy() <= np.float32(bound))

    @property
    def positive(self) -> Bools:
        """Which judgements make a positive."""
        return np.asarray(self.judged["relevance"].to_numpy() >= np.float32(self.positive_at))


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


def read(dataset: str, positive_at: float, negative_at: float | None) -> Tables:
    """Read what of a dataset is judged.

    Raises:
        TableError: a table of mine or filter is missing.
    """
    return Tables(
        schemas.read(layout.table("filter", dataset, "candidates"), schemas.CANDIDATES),
        schemas.read(layout.table("mine", dataset, "judged"), schemas.JUDGED),
        schemas.read(layout.table("filter", dataset, "sample"), schemas.SAMPLE),
        positive_at,
        negative_at,
    )


def nothing(tables: Tables) -> Asked:
    """Ask about nothing."""
    return _asked(tables, *(np.zeros(len(one), bool) for one in (tables.candidates, tables.judged, tables.sample)))


def select(tables: Tables, top: int | None, known: Collection[tuple[str, str]] = ()) -> Asked:
    """Choose the pairs to ask about: kept candidates, the positives of their queries, and the sample.

    Judged negatives are not asked about: somebody has looked at them already.

    Args:
        tables: what there is.
        top: of each query, how many kept candidates, best ranks first; None for all.
        known: query_id and passage_id of pairs that are asked about wherever they are kept candidates: without the
            positives of their queries, which there is no need to compare with.
    """
    rows, open_ones = tables.candidates, tables.kept & ~tables.negative
    chosen = _best(_numbers(rows["query_id"], pc.unique(rows["query_id"])), rows["rank"].to_numpy(), open_ones, top)
    of_chosen = pc.is_in(tables.judged["query_id"], pc.unique(rows["query_id"].filter(pa.array(chosen))))
    positives = tables.positive & of_chosen.to_numpy()
    return _asked(tables, chosen | open_ones & _among(rows, known), positives, np.ones(len(tables.sample), bool))


def take(scores: Floats, places: Ints) -> Floats:
    """Return the scores at places, NaN at -1."""
    return np.append(scores, np.float32(np.nan))[places]


def of_positives(tables: Tables, asked: Asked, scores: Floats) -> Floats:
    """Return the scores of the known positives that were asked about and have one."""
    found = take(scores, asked.judged[tables.positive])
    return found[~np.isnan(found)]


def _asked(tables: Tables, candidates: Bools, judged: Bools, sample: Bools) -> Asked:
    """Gather the pairs of the chosen rows, and find each in every row that it stands in."""
    every = (tables.candidates, tables.judged, tables.sample)
    queries, passages = (_distinct(every, name) for name in IDS)
    keys = [_numbers(one["query_id"], queries) * len(passages) + _numbers(one["passage_id"], passages) for one in every]
    chosen = [its[rows] for its, rows in zip(keys, (candidates, judged, sample), strict=True)]
    wanted = np.unique(np.concatenate(chosen))
    query, passage = np.divmod(wanted, max(len(passages), 1))
    pairs = pa.table({"query_id": queries.take(pa.array(query)), "passage_id": passages.take(pa.array(passage))})
    return Asked(pairs, *(_places(its, wanted) for its in keys))


def _among(rows: pa.Table, pairs: Collection[tuple[str, str]]) -> Bools:
    """Say which rows are of some pairs."""
    out = np.zeros(len(rows), bool)
    if pairs:
        wanted = pa.table([pa.array(column, pa.string()) for column in zip(*pairs, strict=True)], IDS)
        numbered = rows.select(IDS).append_column("row", pa.array(np.arange(len(rows))))
        out[numbered.join(wanted, IDS, join_type="left semi")["row"].to_numpy()] = True
    return out


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
