"""Positives left out: each as the candidate that it would be, had nobody judged it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.filters import Candidates

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """Positives of some queries, all of each, queries in ascending order.

    Attributes:
        query: [n] the query, as an index.
        rank: [n] in the run, positives included; 0 beyond its depth.
        score: [n] NaN where the teacher gave none.
        lowest_other: [n] the lowest score of the query's other positives; NaN without any, or where one has none.
        highest_other: [n] the highest, likewise.
        others: [n] how many other positives the query has: its twins.
        others_above: [n] how many of them rank above.
        refused_by: [n] the bits of the rules that refuse it whatever the window, the scores and the margins are.
    """

    query: Ints
    rank: Ints
    score: Floats
    lowest_other: Floats
    highest_other: Floats
    others: Ints
    others_above: Ints
    refused_by: NDArray[np.int32]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "LeftOut":
        """Return some of the rows."""
        return LeftOut(**{name: values[rows] for name, values in vars(self).items()})

    def candidates(self, scale: Floats) -> Candidates:
        """Return them as what the window, the scores and the margins ask of a candidate that nobody judged."""
        no = np.zeros(len(self.query), dtype=bool)
        return Candidates(
            rank=self.rank,
            score=self.score,
            positive_score=self.lowest_other,
            highest_score=self.highest_other,
            positives_above=self.others_above,
            is_positive=no,
            is_negative=no,
            same_text=no,
            held_out=no,
            near_copy=no,
            scale=scale,
        )

    def table(self, query_ids: pa.Array, passage_ids: pa.Array) -> pa.Table:
        """Return table `left_out`, rows as they are; `query_ids` and `passage_ids` have an id for each."""
        columns = {
            "query_id": query_ids,
            "passage_id": passage_ids,
            "rank": pa.array(self.rank, pa.int32(), mask=self.rank == 0),
            **{name: _known(getattr(self, name)) for name in ("score", "lowest_other", "highest_other")},
            **{name: pa.array(getattr(self, name), pa.int32()) for name in ("others", "others_above", "refused_by")},
        }
        return schemas.conform(schemas.LEFT_OUT, columns)


def left_out(query: Ints, rank: Ints, score: Floats, refused_by: NDArray[np.int32]) -> LeftOut:
    """Reckon for each positive what the query's other positives say of it.

    Args:
        query: [n] the query of each positive, ascending; all positives of a query are there.
        rank: [n] in the run, no two alike in a query; 0 beyond its depth.
        score: [n] NaN where the teacher gave none.
        refused_by: [n] the bits of the rules that refuse it whatever the window, the scores and the margins are, asked
            of it as a candidate beside the query's other positives.
    """
    first, last, others = _parts(query)
    # A score that is not known sorts last; with it, a query's lowest and highest are known to its owner alone.
    order = np.lexsort((score, query))
    place = np.empty(len(query), dtype=np.int64)
    place[order] = np.arange(len(query))
    ascending = score[order]
    unknown = np.isnan(score)
    hidden = (others == 0) | (_summed(unknown, first, last) - unknown > 0)
    lowest = ascending[np.where(place == first, np.minimum(first + 1, last), first)]
    highest = ascending[np.where(place == last, np.maximum(last - 1, first), last)]
    return LeftOut(
        query,
        rank,
        score,
        np.where(hidden, np.nan, lowest),
        np.where(hidden, np.nan, highest),
        others,
        _above(query, rank, first, last),
        refused_by,
    )


def read(data: pa.Table, query_ids: pa.Array) -> LeftOut:
    """Return table `left_out` as arrays; queries are indices into `query_ids`, which has all of them, sorted."""
    floats = {
        name: pc.fill_null(data[name], np.nan).to_numpy().astype(np.float64)
        for name in ("score", "lowest_other", "highest_other")
    }
    ints = {
        name: pc.fill_null(data[name], 0).to_numpy().astype(np.int64) for name in ("rank", "others", "others_above")
    }
    query = pc.index_in(data["query_id"], query_ids).to_numpy().astype(np.int64)
    return LeftOut(query=query, refused_by=data["refused_by"].to_numpy(), **floats, **ints)


def _parts(query: Ints) -> tuple[Ints, Ints, Ints]:
    """Return of each row's query the first row, the last row, and how many others there are."""
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    counts = np.diff(np.append(starts, len(query)))
    first = np.repeat(starts, counts)
    return first, first + np.repeat(counts, counts) - 1, np.repeat(counts - 1, counts)


def _summed(values: NDArray[np.bool_], first: Ints, last: Ints) -> Ints:
    total = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(total[last + 1] - total[first])


def _above(query: Ints, rank: Ints, first: Ints, last: Ints) -> Ints:
    """Count the query's positives above each; all that have a rank are above one that has none."""
    order = np.lexsort((np.where(rank == 0, np.iinfo(np.int64).max, rank), query))
    place = np.empty(len(query), dtype=np.int64)
    place[order] = np.arange(len(query))
    return np.where(rank == 0, _summed(rank > 0, first, last), place - first)


def _known(values: Floats) -> pa.Array:
    return pa.array(values, pa.float32(), mask=np.isnan(values))
