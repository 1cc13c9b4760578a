"""What says, without a judge, that a kept candidate is relevant: a lower bound of contamination."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder.near_copies import Shingles, jaccard, shingle, similar_pairs

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

KINDS = ("copy", "contains_positive", "same_query")
NEAR_COPY = 0.8

_SIMILAR = 0.5
_CONTAINED = 0.9
# Shorter passages are phrases that a passage may hold by chance.
_FEWEST_SHINGLES = 8
_MOST_BUCKETS = 2**25
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Pairs:
    """Pairs of a query and a passage, as indices into queries and corpus; [n] each."""

    query: Ints
    passage: Ints

    def keys(self, passages: int) -> Ints:
        """One number a pair, of a corpus of so many passages."""
        return self.query * passages + self.passage


@dataclass(frozen=True)
class Found:
    """What was found of each candidate of a block; [rows] each.

    Attributes:
        kinds: of each of `KINDS`, whether it holds.
        similar: whether a positive of the query shares half of the shingles: no evidence, but a reason to look.
        twin: whether a dense teacher cannot tell it from a positive: a hint, and a reason to look.
    """

    kinds: dict[str, Bools]
    similar: Bools
    twin: Bools

    @property
    def any(self) -> Bools:
        """Whether there is evidence of any kind."""
        return np.asarray(np.logical_or.reduce(list(self.kinds.values())))

    @property
    def suspicious(self) -> Bools:
        """Whether there is evidence, or a reason to look."""
        return self.any | self.similar | self.twin


class Evidence:
    """What the texts and judgements of a dataset say of its candidates; built once, asked block by block."""

    def __init__(
        self,
        query_texts: Sequence[str],
        positives: Pairs,
        shingles: Shingles,
        unit: Literal["word", "character"],
        size: int,
        near_copy: float | None,
        twins: Pairs | None = None,
    ) -> None:
        """Read what is the same for all blocks.

        Args:
            query_texts: of all queries, of both splits.
            positives: of all queries.
            shingles: of all passages.
            unit: what shingles are made of.
            size: how many units a shingle.
            near_copy: the rule's Jaccard similarity; None where the rule is off.
            twins: pairs whose passage a dense teacher cannot tell from a positive, as `twins.read` finds them; None
                where nobody wrote cosines.
        """
        self._shingles = shingles
        self._passages = len(shingles.sizes)
        self._near_copy = NEAR_COPY if near_copy is None else near_copy
        order = np.argsort(positives.query, kind="stable")
        self._positives = Pairs(positives.query[order], positives.passage[order])
        self._common = _common(shingles)
        self._of_same_query = self._answers_of_near_copies(shingle(query_texts, unit, size))
        self._twins = np.unique(twins.keys(self._passages)) if twins else np.empty(0, np.int64)

    def of(self, query: Ints, passage: Ints) -> Found:
        """Return the evidence on candidates that are no positives of their query.

        Args:
            query: [rows] indices into the queries.
            passage: [rows] indices into the corpus.
        """
        keys = Pairs(query, passage).keys(self._passages)
        row, positive = _joined(self._positives, query)
        similarity, contained = self._compared(positive, passage[row])
        found = {
            "copy": _any_of(row, similarity >= self._near_copy, len(query)),
            "contains_positive": _any_of(row, contained >= _CONTAINED, len(query)),
            "same_query": is_in(keys, self._of_same_query),
        }
        return Found(found, _any_of(row, similarity >= _SIMILAR, len(query)), is_in(keys, self._twins))

    def _compared(self, positive: Ints, passage: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the Jaccard similarity of each pair, and the share of the positive's shingles that the passage has.

        Both are 0 where they cannot reach what counts: two texts share no more shingles than either has in common
        with any other text at all. Most pairs need no comparison.
        """
        sizes = self._shingles.sizes[positive], self._shingles.sizes[passage]
        most = np.minimum(self._common[positive], self._common[passage])
        least = min(_SIMILAR, self._near_copy)
        similar = most >= least * (sizes[0] + sizes[1] - most) - _ROUNDING
        holds = (sizes[0] >= _FEWEST_SHINGLES) & (most >= _CONTAINED * sizes[0] - _ROUNDING)
        possible = np.flatnonzero(similar | holds)
        similarity = np.zeros(len(positive))
        similarity[possible] = jaccard(self._shingles, self._shingles, positive[possible], passage[possible])
        shared = similarity * (sizes[0] + sizes[1]) / (1 + similarity)
        # Counts of shingles: a float above or below a whole number is that number.
        contained = np.where(holds, np.round(shared) / sizes[0], 0.0)
        return similarity, contained

    def _answers_of_near_copies(self, queries: Shingles) -> Ints:
        """Return the keys of all pairs of a query and a positive of another query with the same text, nearly."""
        left, right, _ = similar_pairs(queries, queries, NEAR_COPY)
        others = left != right
        row, passage = _joined(self._positives, right[others])
        return np.unique(Pairs(left[others][row], passage).keys(self._passages))


def _common(shingles: Shingles) -> Ints:
    """Count of each text the shingles that some other text has; a few too many where two share a bucket."""
    hashes = shingles.matrix.indices
    buckets = min(_MOST_BUCKETS, 1 << max(10, int(4 * len(hashes)).bit_length()))
    place = hashes % buckets
    repeated = np.bincount(place, minlength=buckets)[place] > 1
    before = np.append(0, np.cumsum(repeated))
    return np.asarray(np.diff(before[shingles.matrix.indptr]), dtype=np.int64)


def _joined(positives: Pairs, query: Ints) -> tuple[Ints, Ints]:
    """Return for each entry of `query` and each positive of it the entry's place and the positive."""
    first = np.searchsorted(positives.query, query, "left")
    counts = np.searchsorted(positives.query, query, "right") - first
    place = np.repeat(np.arange(len(query)), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, positives.passage[np.repeat(first, counts) + within]


def _any_of(row: Ints, holds: Bools, rows: int) -> Bools:
    out = np.zeros(rows, dtype=bool)
    out[row[holds]] = True
    return out


def is_in(keys: Ints, known: Ints) -> Bools:
    """Say which keys are among the ascending `known`."""
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.asarray(known[at] == keys)
