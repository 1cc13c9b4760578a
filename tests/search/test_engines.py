"""Facts about the engines of search."""

import sys

import numpy as np
import pytest

from embedder.errors import EmbedderError
from embedder.search import engines, exact_top_k
from embedder.search.streamed import top_k
from embedder.search.tiles import Tiles
from tests.search.vectors import unit


def test_without_faiss_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where FAISS is missing, one line names the extra to install."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(EmbedderError, match=r"pip install '\.\[cpu\]'"):
        exact_top_k(unit(1, 4, 1), unit(3, 4, 2), 1)


def test_torch_proposes_the_same_whatever_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two queries give what one block gives."""
    queries, corpus = unit(9, 8, 1), unit(30, 8, 2)
    found, products = engines.by_torch(queries, corpus, 5, "cpu")
    monkeypatch.setattr(engines, "_PRODUCTS", 60)
    blocks = engines.by_torch(queries, corpus, 5, "cpu")
    np.testing.assert_array_equal(found, blocks[0])
    np.testing.assert_allclose(products, blocks[1], atol=1e-6)


def test_a_gpu_without_faiss_gpu_is_served_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch proposes on a GPU where the installed FAISS has no GPU code, and where k is beyond its kernels."""
    none, asked = np.empty((0, 4), np.float32), list[object]()
    monkeypatch.setattr(engines, "by_torch", lambda *found: asked.append(found[3]))
    monkeypatch.setattr(engines, "_faiss_gpu", lambda *found: asked.append(found[4]))
    for resources, device, width in ((None, "cuda", 10), (object(), "cuda:1", 2048), (object(), "cuda:1", 2049)):
        engines._on_gpu(resources, device, none, none, width)
    assert asked == ["cuda", 1, "cuda:1"]
    assert engines._gpu_resources() is None


def test_a_cpu_that_multiplies_bfloat16_searches_by_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles where the CPU has the instructions, FAISS alone elsewhere; both find the same."""
    queries, corpus, found = unit(9, 8, 1), unit(30, 8, 2), []
    for flag in ("avx512_bf16", None):
        monkeypatch.setattr(engines, "bfloat16_flag", lambda flag=flag: flag)
        made = engines.engine("cpu")
        assert isinstance(made, Tiles) == (flag is not None)
        found.append(top_k(queries, [(np.arange(30), corpus)], 5, made))
    np.testing.assert_array_equal(found[0], found[1])
