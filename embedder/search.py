"""Exact search by inner product, with an order of equal scores that no block size, thread or library decides."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.errors import EmbedderError

Vectors = NDArray[np.float32]
_OVERFETCH = 8
_PRODUCTS = 16_000_000


def exact_top_k(queries: Vectors, corpus: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the `k` passages with the largest inner product for every query.

    FAISS proposes more passages than asked for. They are scored again one pair at a time, because a matrix product
    rounds by a pair's place in its block, and sorted by score, then index. Where a passage that was not proposed could
    still belong to the first `k`, that query is searched again wider.

    Args:
        queries: [q, d] float32.
        corpus: [n, d] float32, in the order that decides ties.
        k: how many passages; at most n are returned.

    Returns:
        [q, min(k, n)] indices into `corpus`, best first, and their scores.

    Raises:
        EmbedderError: FAISS is not installed.
    """
    k = min(k, len(corpus))
    ids, scores = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    if not k or not len(queries):
        return ids, scores
    index = _flat_index(corpus)
    slack = _rounding(queries, corpus)
    open_rows, width = np.arange(len(queries)), min(k + _OVERFETCH, len(corpus))
    while len(open_rows):
        proposed, found = index.search(np.ascontiguousarray(queries[open_rows]), width)
        exact = pair_scores(queries, corpus, np.repeat(open_rows, width), found.ravel()).reshape(found.shape)
        order = np.lexsort((found, -exact), axis=-1)[:, :k]
        ids[open_rows], scores[open_rows] = np.take_along_axis(found, order, 1), np.take_along_axis(exact, order, 1)
        unsure = scores[open_rows, -1] <= proposed[:, -1] + slack[open_rows]
        open_rows = open_rows[unsure] if width < len(corpus) else open_rows[:0]
        width = min(2 * width, len(corpus))
    return ids, scores


def pair_scores(
    left: Vectors, right: Vectors, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the inner products of the pairs (left[rows[i]], right[columns[i]]); equal pairs get equal bits."""
    out = np.empty(len(rows), np.float32)
    step = max(1, _PRODUCTS // max(1, left.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        out[part] = np.einsum("nd,nd->n", left[rows[part]], right[columns[part]], dtype=np.float64)
    return out


def _flat_index(corpus: Vectors) -> Any:  # noqa: ANN401 - faiss ships no types
    try:
        import faiss
    except ImportError as error:
        raise EmbedderError("search: FAISS is not installed; pip install '.[cpu]' (or '.[gpu]')") from error
    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(np.ascontiguousarray(corpus))
    return index


def _rounding(queries: Vectors, corpus: Vectors) -> NDArray[np.float64]:
    """How far a float32 product may lie from the exact one, for every query: about sqrt(d) roundings, four times over."""
    longest = float(np.linalg.norm(corpus, axis=1).max())
    norms = np.linalg.norm(queries, axis=1).astype(np.float64)
    return np.asarray(4 * np.sqrt(queries.shape[1]) * np.finfo(np.float32).eps * norms * longest, dtype=np.float64)
