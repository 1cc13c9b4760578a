"""Exact search on CPUs that multiply bfloat16: tiles of a rough product, and single scores for what may be among the best.

A product in bfloat16 takes a half (AVX-512) to a sixth (AMX) of the time of float32, and lies within a bound of the true
one that is known for every query. What lies below the k-th best score so far by more than the bound is not among the
best; the rest, little more than k passages a query, is scored one pair at a time. So the result is exact search's, in
the same bits.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.search.pairs import Ints, Shard, Vectors, pair_scores
from embedder.search.streamed import Keys, Merge, keys_of, largest, scores_of

if TYPE_CHECKING:
    import torch

_QUERIES = 1_024
_PASSAGES = 8_192
# Before the first tile each query needs k scores to compare with; the more, the fewer passages pass the first tiles.
_SEED = 4
# A single score costs what some 60 products in a tile do.
_TOO_MANY = 64
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
        import torch

        (places, vectors), best = shard, best.copy()
        start = 0 if best.all() else min(len(vectors), max(_PASSAGES, _SEED * best.shape[1]))
        if start:
            best = self._plain(best, queries, (places[:start], vectors[:start]))
        rough = torch.from_numpy(np.ascontiguousarray(queries)).bfloat16()
        center, products = vectors.mean(axis=0), torch.empty(_QUERIES * _PASSAGES, dtype=torch.bfloat16)
        for first in range(start, len(vectors), _PASSAGES):
            part = slice(first, first + _PASSAGES)
            tile = _Tile(places[part], vectors[part], center, products)
            for row in range(0, len(queries), _QUERIES):
                rows = slice(row, row + _QUERIES)
                best[rows] = self._merge(best[rows], queries[rows], rough[rows], tile)
        return best

    def _merge(self, best: Keys, queries: Vectors, rough: "torch.Tensor", tile: "_Tile") -> Keys:
        if tile.longest * float(np.linalg.norm(queries, axis=1).min()) < _TINY:
            return self._plain(best, queries, (tile.places, tile.vectors))
        row, column = tile.candidates(queries, rough, scores_of(best.min(axis=1)))
        if len(row) * _TOO_MANY > len(queries) * len(tile.places):
            return self._plain(best, queries, (tile.places, tile.vectors))
        return add(best, row, keys_of(pair_scores(queries, tile.vectors, row, column), tile.places[column]))


class _Tile:
    """A part of a shard, whose vectors less their `center` are rounded to bfloat16; `products` is room that is reused."""

    def __init__(self, places: Ints, vectors: Vectors, center: Vectors, products: "torch.Tensor") -> None:
        import torch

        self.places, self.vectors, self._center, self._products = places, vectors, center, products
        # Vectors of one model lie close together; what they have in common ranks nothing and would widen the bound.
        offsets = torch.from_numpy(vectors - center)
        self._rough = offsets.bfloat16()
        self.longest = float(offsets.norm(dim=1).max())
        self._error = float((offsets - self._rough.float()).norm(dim=1).max())

    def candidates(self, queries: Vectors, rough: "torch.Tensor", lowest: Vectors) -> tuple[Ints, Ints]:
        """Return rows and columns of all pairs that may score at least `lowest` [q]."""
        import torch

        bound = self._bound(queries, rough)
        least = lowest.astype(np.float64) - (queries @ self._center) - bound
        # Rounding keeps the order, so what is compared with could be rounded like the products; a step lower is sure.
        floor = torch.from_numpy(least - _ROUNDED * np.abs(least)).to(torch.bfloat16)
        # Memory that is new each time would cost as much as the product.
        products = self._products[: len(queries) * len(self.places)].view(len(queries), len(self.places))
        passing = (torch.mm(rough, self._rough.T, out=products) >= floor[:, None]).numpy()
        return np.divmod(_true(passing), passing.shape[1])

    def _bound(self, queries: Vectors, rough: "torch.Tensor") -> NDArray[np.float64]:
        """How far a float32 sum of rounded products may lie from the exact score: Cauchy-Schwarz on what was rounded off."""
        rounded = rough.float().numpy()
        errors = np.linalg.norm(queries - rounded, axis=1).astype(np.float64)
        norms = np.linalg.norm(rounded, axis=1) + errors
        length = float(np.linalg.norm(self._center)) + self.longest + self._error
        sums = 2 * queries.shape[1] * np.finfo(np.float32).eps * norms * length
        return np.asarray(errors * self.longest + norms * self._error + sums, dtype=np.float64)


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
