"""Near copies: texts whose sets of shingles overlap (Broder 1997, "On the resemblance of documents")."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from embedder.texts import normalise

_HASHES = 2**31 - 1
_PAIRS = 200_000


@dataclass(frozen=True)
class Shingles:
    """The distinct runs of `size` words or characters of each text, hashed; a shorter text is one shingle.

    Attributes:
        matrix: [texts, hashes] CSR of ones.
        sizes: [texts] how many shingles each has.
    """

    matrix: sparse.csr_matrix
    sizes: NDArray[np.int64]


def shingle(texts: Sequence[str], unit: Literal["word", "character"] = "word", size: int = 5) -> Shingles:
    """Cut normalised `texts` into shingles of `size` units; use characters where words have no blanks between them."""
    from sklearn.feature_extraction.text import HashingVectorizer

    def cut(text: str) -> list[str]:
        units = normalise(text).split() if unit == "word" else list(normalise(text))
        joint = " " if unit == "word" else ""
        return [joint.join(units[i : i + size]) for i in range(max(1, len(units) - size + 1))]

    hasher = HashingVectorizer(
        analyzer=cut, n_features=_HASHES, binary=True, norm=None, alternate_sign=False, dtype=np.int32
    )
    matrix = hasher.transform(texts).tocsr() if len(texts) else sparse.csr_matrix((0, _HASHES), dtype=np.int32)
    matrix.sum_duplicates()
    return Shingles(matrix, np.diff(matrix.indptr).astype(np.int64))


def jaccard(
    left: Shingles, right: Shingles, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the Jaccard similarity of the pairs (left[rows[i]], right[columns[i]]); bounded memory."""
    out = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        part = slice(start, start + _PAIRS)
        shared = left.matrix[rows[part]].multiply(right.matrix[columns[part]]).sum(axis=1)
        both = np.asarray(shared, dtype=np.float64).ravel()
        out[part] = both / (left.sizes[rows[part]] + right.sizes[columns[part]] - both)
    return out


def similar_pairs(
    left: Shingles, right: Shingles, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find every pair with a Jaccard similarity of at least `threshold`; exact, no sampling.

    Two sets that similar share a shingle among the rarest of each (prefix filter: Chaudhuri et al. 2006, Bayardo et
    al. 2007), so only pairs that do are compared.

    Returns:
        Indices into `left`, indices into `right`, similarities; sorted by the indices.
    """
    if not len(left.sizes) or not len(right.sizes):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    used, compact = np.unique(np.concatenate([left.matrix.indices, right.matrix.indices]), return_inverse=True)
    counts = np.bincount(compact, minlength=len(used))
    rarity = np.empty(len(used), dtype=np.int64)
    rarity[np.lexsort((used, counts))] = np.arange(len(used))
    split = len(left.matrix.indices)
    prefixes = (
        _prefix(left, rarity[compact[:split]], threshold, len(used)),
        _prefix(right, rarity[compact[split:]], threshold, len(used)),
    )
    found = (prefixes[0] @ prefixes[1].T).tocoo()
    rows, columns = found.row.astype(np.int64), found.col.astype(np.int64)
    sizes = np.minimum(left.sizes[rows], right.sizes[columns]), np.maximum(left.sizes[rows], right.sizes[columns])
    possible = sizes[0] / sizes[1] >= threshold
    rows, columns = rows[possible], columns[possible]
    similarity = jaccard(left, right, rows, columns)
    kept = similarity >= threshold
    rows, columns, similarity = rows[kept], columns[kept], similarity[kept]
    order = np.lexsort((columns, rows))
    return rows[order], columns[order], similarity[order]


def _prefix(shingles: Shingles, rarity: NDArray[np.int64], threshold: float, width: int) -> sparse.csr_matrix:
    """Keep of each text the `size - ceil(threshold * size) + 1` rarest shingles."""
    texts = np.repeat(np.arange(len(shingles.sizes)), shingles.sizes)
    order = np.lexsort((rarity, texts))
    position = np.arange(len(order)) - np.repeat(shingles.matrix.indptr[:-1], shingles.sizes)
    kept = shingles.sizes - np.ceil(threshold * shingles.sizes - 1e-9).astype(np.int64) + 1
    chosen = order[position < np.repeat(kept, shingles.sizes)]
    ones = np.ones(len(chosen), dtype=np.int32)
    return sparse.csr_matrix((ones, (texts[chosen], rarity[chosen])), shape=(len(shingles.sizes), width))


def are_similar(
    shingles: Shingles, rows: NDArray[np.int64], columns: NDArray[np.int64], threshold: float
) -> NDArray[np.bool_]:
    """Say for each pair of texts of one set whether their Jaccard similarity reaches `threshold`."""
    small = np.minimum(shingles.sizes[rows], shingles.sizes[columns])
    large = np.maximum(shingles.sizes[rows], shingles.sizes[columns])
    # Jaccard is at most small / large: most pairs need no comparison.
    possible = np.flatnonzero(small / large >= threshold)
    out = np.zeros(len(rows), dtype=bool)
    out[possible] = jaccard(shingles, shingles, rows[possible], columns[possible]) >= threshold
    return out
