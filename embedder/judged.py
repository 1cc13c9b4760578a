"""The judged pairs of a run, as indices: grades looked up, and positives with their scores and ranks."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Judged:
    """Table `judged`, sorted by query and passage.

    Args:
        judged: the table.
        query_ids: the mined queries, sorted.
        passage_ids: of the corpus.
        positive_at: the relevance from which a passage is a positive.

    Attributes:
        query: [pairs] ascending indices into `query_ids`.
        passage: [pairs] indices into `passage_ids`.
        score: [pairs] -inf where the teacher gave none.
        rank: [pairs] 0 beyond the run's depth.
        lowest: [queries] the lowest score of the positives; NaN without any, or where one has none.
        highest: [queries] the highest, likewise.
        scale: the known scores of all positives, ascending.
    """

    def __init__(self, judged: pa.Table, query_ids: pa.Array, passage_ids: pa.Array, positive_at: float) -> None:
        self.query = index(judged["query_id"], query_ids)
        self.passage = index(judged["passage_id"], passage_ids)
        # float32 as it is stored, so that a bound of 0.7 and a grade of 0.7 compare as equal.
        self._grade = judged["relevance"].to_numpy()
        # A score that nobody knows may be the lowest of all.
        self.score = pc.fill_null(judged["score"], -np.inf).to_numpy().astype(np.float64)
        self.rank = pc.fill_null(judged["rank"], 0).to_numpy().astype(np.int64)
        self._corpus = len(passage_ids)
        keys = self.query * self._corpus + self.passage
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self._positive = np.flatnonzero(self._grade >= np.float32(positive_at))
        scores, owners = self.score[self._positive], self.query[self._positive]
        self.lowest = np.full(len(query_ids), np.inf)
        np.minimum.at(self.lowest, owners, scores)
        self.lowest[np.isinf(self.lowest)] = np.nan
        self.highest = np.full(len(query_ids), -np.inf)
        np.maximum.at(self.highest, owners, scores)
        self.highest[np.isnan(self.lowest)] = np.nan
        self.scale = np.sort(scores[np.isfinite(scores)])

    def relevance(self, query: Ints, passage: Ints) -> NDArray[np.float32]:
        """Return the relevance of each (query, passage), NaN where nobody judged it."""
        if not len(self._keys):
            return np.full(len(query), np.nan, np.float32)
        wanted = query * self._corpus + passage
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        grades = self._grade[self._order[at]]
        return np.where(self._keys[at] == wanted, grades, np.float32(np.nan))

    def positives_of(self, first: int, last: int) -> Ints:
        """Return the rows of the positives of the queries from `first` to before `last`."""
        owners = self.query[self._positive]
        start, end = np.searchsorted(owners, [first, last])
        return np.asarray(self._positive[start:end])

    def beside_positives(self, query: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Pair each of some rows with every positive of its query; `query` has the query of every row.

        Returns:
            The row and the passage of each pair.
        """
        owners = self.query[self._positive]
        first = np.searchsorted(owners, query[rows], "left")
        counts = np.searchsorted(owners, query[rows], "right") - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(rows, counts), self.passage[self._positive[np.repeat(first, counts) + within]]


def index(values: pa.ChunkedArray, of: pa.Array) -> Ints:
    """Return where each value stands in `of`, which has all of them."""
    return np.asarray(pc.index_in(values, of).to_numpy(), dtype=np.int64)


def positives_above(query: Ints, is_positive: NDArray[np.bool_]) -> Ints:
    """Count the positives above each row; rows of a query are consecutive and ranks ascend."""
    before: Ints = np.cumsum(is_positive) - is_positive
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    counts = np.diff(np.append(starts, len(query)))
    return (before - np.repeat(before[starts], counts)).astype(np.int64)
