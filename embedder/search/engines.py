"""What proposes the passages of a shard: FAISS on a CPU, FAISS or torch on a GPU."""

import importlib.util
from functools import partial
from typing import Any

import numpy as np

from embedder.devices import bfloat16_flag
from embedder.errors import EmbedderError
from embedder.search.pairs import Ints, Vectors
from embedder.search.streamed import Merge, proposing
from embedder.search.tiles import Tiles

# What FAISS's GPU kernels select at most.
_MOST_ON_GPU = 2_048
_PRODUCTS = 256_000_000


def engine(device: str, threads: int | None = None) -> Merge:
    """Return the fastest engine of a torch device; all give the same places and scores.

    Args:
        device: "cpu", "cuda", "cuda:1".
        threads: of FAISS on a CPU; None for what it chooses. Torch's are set by `devices.configure`.
    """
    if threads and importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(threads)
    if device == "cpu":
        plain = proposing(faiss_cpu)
        return Tiles(plain) if bfloat16_flag() else plain
    return proposing(partial(_on_gpu, _gpu_resources(), device))


def faiss_cpu(queries: Vectors, vectors: Vectors, width: int) -> tuple[Ints, Vectors]:
    """Propose by FAISS's exhaustive search, which runs at the CPU's peak for float32.

    Raises:
        EmbedderError: FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise EmbedderError("search: FAISS is not installed; pip install '.[cpu]' (or '.[gpu]')") from error
    products, found = faiss.knn(queries, vectors, width, metric=faiss.METRIC_INNER_PRODUCT)
    return found, products


def by_torch(queries: Vectors, vectors: Vectors, width: int, device: str) -> tuple[Ints, Vectors]:
    """Propose by torch's matrix product and top k, in blocks of queries."""
    import torch

    corpus = torch.from_numpy(np.ascontiguousarray(vectors)).to(device)
    step = max(1, _PRODUCTS // max(1, len(vectors)))
    parts = []
    for start in range(0, len(queries), step):
        block = torch.from_numpy(np.ascontiguousarray(queries[start : start + step])).to(device)
        products, found = (block @ corpus.T).topk(width, dim=1)
        parts.append((found.cpu().numpy(), products.cpu().numpy()))
    return np.concatenate([found for found, _ in parts]), np.concatenate([products for _, products in parts])


def _on_gpu(resources: Any, device: str, queries: Vectors, vectors: Vectors, width: int) -> tuple[Ints, Vectors]:  # noqa: ANN401 - faiss ships no types
    """Propose by FAISS where it has GPU code and selects so many, else by torch."""
    if resources is None or width > _MOST_ON_GPU:
        return by_torch(queries, vectors, width, device)
    return _faiss_gpu(resources, queries, vectors, width, int(device.partition(":")[2] or 0))


def _gpu_resources() -> Any:  # noqa: ANN401 - faiss ships no types
    """FAISS's resources on a GPU; None where the installed FAISS has none."""
    try:
        import faiss
    except ImportError:
        return None
    return faiss.StandardGpuResources() if hasattr(faiss, "StandardGpuResources") else None


def _faiss_gpu(resources: Any, queries: Vectors, vectors: Vectors, width: int, number: int) -> tuple[Ints, Vectors]:  # noqa: ANN401 - as above
    import faiss

    products, found = faiss.knn_gpu(
        resources, queries, vectors, width, metric=faiss.METRIC_INNER_PRODUCT, device=number
    )
    return found, products
