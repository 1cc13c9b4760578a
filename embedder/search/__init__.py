"""Exact search by inner product, with an order of equal scores that no shard, block, thread or library decides."""

from embedder.search.engines import faiss_cpu
from embedder.search.pairs import Ints, Vectors, pair_scores
from embedder.search.streamed import proposing, top_k


def exact_top_k(queries: Vectors, corpus: Vectors, k: int) -> tuple[Ints, Vectors]:
    """Find the `k` passages with the largest inner product for every query, ties by index.

    Args:
        queries: [q, d] float32.
        corpus: [n, d] float32, in the order that decides ties.
        k: how many passages; at most n are returned.

    Returns:
        [q, min(k, n)] indices into `corpus`, best first, and their scores.

    Raises:
        EmbedderError: FAISS is not installed.
    """
    import numpy as np

    return top_k(queries, [(np.arange(len(corpus)), corpus)], min(k, len(corpus)), proposing(faiss_cpu))


__all__ = ["exact_top_k", "pair_scores"]
