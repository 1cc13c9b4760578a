"""Exact search on CPUs that multiply bfloat16: tiles of a rough product, and single scores for what may be among the best.

A product in bfloat16 takes a half (AVX-512) to a sixth (AMX) of the time of float32, and lies within a bound of the true
one that is known for every query. What lies below the k-th best score so far by more than the bound is not among the
best; the rest, little more than k passages a query, is scored one pair at a time. So the result is exact search's, in
the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from embedder.search.pairs import Ints, Shard, Vectors, pair_scores
from embedder.search.streamed import Keys, Merge, keys_of, largest, scores_of

_QUERIES = 1_024
_PASSAGES = 8_192
# Before the first tile each query needs k scores to compare with; the more, the fewer passages pass the first tiles.
_SEED = 4
# Where more than an eighth of a tile passes, or a 64th of all tiles at the end, the bound tells too little.
_PASSING = 8
_SCORED = 64
# The most by which a number is rounded to bfloat16, as a share of it.
_ROUNDED = 2.0**-8
# Instructions for bfloat16 take numbers below 1e-38 for 0, which no share of a score bounds.
_TINY = 1e-30


class Tiles:
    """Merges a shard by tiles; where too much passes the bound, by `plain`."""

    def __init__(self, plain: Merge) -> None:
        self._plain = plain

    def __call__(self, best: Keys, queries: Vectors, shard: Shard) -> Keys:
        """Return the best [q, k] of what was found before and of one shard, in no order."""
        (places, vectors), best = shard, best.copy()
        start = 0 if best.all() else min(len(vectors), max(_PASSAGES, _SEED * best.shape[1]))
        if start:
            best = self._plain(best, queries, (places[:start], vectors[:start]))
        center = vectors.mean(axis=0)
        tiles = [_Tile(vectors, first, center) for first in range(start, len(vectors), _PASSAGES)]
        for row in range(0, len(queries) if tiles else 0, _QUERIES):
            rows = slice(row, row + _QUERIES)
            best[rows] = self._merge(best[rows], _Asked(queries[rows], center), tiles, (places, vectors), start)
        return best

    def _merge(self, best: Keys, asked: "_Asked", tiles: "list[_Tile]", shard: Shard, start: int) -> Keys:
        """Return the best of `best` and of what lies from `start` on, which the tiles hold."""
        (places, vectors), found = shard, _candidates(best, asked, tiles)
        if found is None:
            return self._plain(best, asked.queries, (places[start:], vectors[start:]))
        rows, columns = found
        return add(best, rows, keys_of(pair_scores(asked.queries, vectors, rows, columns), places[columns]))


def _candidates(best: Keys, asked: "_Asked", tiles: "list[_Tile]") -> tuple[Ints, Ints] | None:
    """Return rows and columns of all pairs that may be among the best, rows ascending; None where these are too many."""
    least, found = best, []
    for tile in tiles:
        rows, columns, rough = tile.above(asked, scores_of(least.min(axis=1)))
        if len(rows) * _PASSING > len(best) * tile.size or tile.longest * float(asked.norms.min()) < _TINY:
            return None
        # What a pair scores at least; columns make keys that are not 0, and settle nothing.
        bound = tile.bound(asked)[rows]
        lower = np.nextafter((rough - bound).astype(np.float32), np.float32(-np.inf))
        least = add(least, rows, keys_of(lower, columns))
        found.append((rows, columns, rough + bound))
    rows, columns, upper = (np.concatenate(column) for column in zip(*found, strict=True))
    chosen = np.flatnonzero(upper >= scores_of(least.min(axis=1))[rows])
    if len(chosen) * _SCORED > len(best) * sum(tile.size for tile in tiles):
        return None
    chosen = chosen[np.argsort(rows[chosen], kind="stable")]
    return rows[chosen], columns[chosen]


class _Asked:
    """Some queries, rounded to bfloat16, and what the bound needs of them.

    All by torch: numpy's threads wait by spinning, which takes the processor from torch's.
    """

    def __init__(self, queries: Vectors, center: Vectors) -> None:
        import torch

        exact, middle = torch.from_numpy(np.ascontiguousarray(queries)), torch.from_numpy(center)
        self.queries, self.rough = queries, exact.bfloat16()
        rounded = self.rough.float()
        self.errors = (exact - rounded).norm(dim=1).double().numpy()
        self.norms = rounded.norm(dim=1).double().numpy() + self.errors
        self.at_center = (exact @ middle).double().numpy()
        # Memory that is new for each tile would cost as much as the product.
        self.room = torch.empty(len(queries) * _PASSAGES, dtype=torch.bfloat16)


class _Tile:
    """A part of a shard from `first` on, whose vectors less their `center` are rounded to bfloat16."""

    def __init__(self, vectors: Vectors, first: int, center: Vectors) -> None:
        import torch

        # Vectors of one model lie close together; what they have in common ranks nothing and would widen the bound.
        offsets = torch.from_numpy(vectors[first : first + _PASSAGES] - center)
        self.size, self._first, self._rough = len(offsets), first, offsets.bfloat16()
        self.longest = float(offsets.norm(dim=1).max())
        self._error = float((offsets - self._rough.float()).norm(dim=1).max())
        self._lengths = float(np.linalg.norm(center)) + self.longest + self._error

    def above(self, asked: "_Asked", lowest: Vectors) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Return rows, columns of the shard and rough scores of all pairs that may score at least `lowest` [q]."""
        import torch

        least = lowest.astype(np.float64) - asked.at_center - self.bound(asked)
        floor = torch.from_numpy(least - _ROUNDED * np.abs(least)).to(torch.bfloat16)
        products = asked.room[: len(floor) * self.size].view(len(floor), self.size)
        passing = (torch.mm(asked.rough, self._rough.T, out=products) >= floor[:, None]).numpy()
        flat = _true(passing)
        rows, columns = np.divmod(flat, self.size)
        rough = products.view(-1)[torch.from_numpy(flat)].double().numpy() + asked.at_center[rows]
        return rows, columns + self._first, rough

    def bound(self, asked: "_Asked") -> NDArray[np.float64]:
        """How far a rough score may lie from the exact one: Cauchy-Schwarz on what was rounded off, and on the product."""
        sums = 2 * asked.queries.shape[1] * np.finfo(np.float32).eps * asked.norms * self._lengths
        product = _ROUNDED * asked.norms * (self.longest + self._error)
        return np.asarray(asked.errors * self.longest + asked.norms * self._error + sums + product, dtype=np.float64)


def add(best: Keys, rows: Ints, keys: Keys) -> Keys:
    """Return the largest [q, k] of `best` and of more keys of some rows, rows ascending."""
    better = keys > best.min(axis=1)[rows]
    rows, keys = rows[better], keys[better]
    changed, at, counts = np.unique(rows, return_inverse=True, return_counts=True)
    if not len(changed):
        return best
    wide = np.zeros((len(changed), int(counts.max())), np.uint64)
    wide[at, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)] = keys
    out = best.copy()
    out[changed] = largest(np.concatenate([best[changed], wide], axis=1), best.shape[1])
    return out


def _true(mask: NDArray[np.bool_]) -> Ints:
    """Return the flat indices of what is true: few, so eight at a time are looked at."""
    flat = mask.reshape(-1)
    if len(flat) % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64))
    word, byte = np.nonzero(flat.reshape(-1, 8)[words])
    return words[word] * 8 + byte
