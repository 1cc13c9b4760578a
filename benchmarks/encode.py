"""Encoding on a CPU: this project's way and SentenceTransformer.encode, as shares of the machine's own peak."""

from argparse import Namespace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import arms
import made_up
import numpy as np
from numpy.typing import NDArray

from embedder.devices import bfloat16_flag

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_HIDDEN = 768
_MEAN_TOKENS = 100
_BATCHES = (8, 16, 32, 64)
_PRODUCTS = 5
_FAST = "bfloat16" if bfloat16_flag() else "float32"


def model(asked: Namespace) -> arms.Result:
    """Write the model that all arms load."""
    with arms.measured() as found:
        made_up.bert(asked.folder / "model", asked.layers, _HIDDEN)
    return found


def ours_fast(asked: Namespace) -> arms.Result:
    """Encode as a teacher does, in bfloat16 where the CPU multiplies it."""
    return _ours(asked, f"ours, {_FAST}", _FAST)


def ours_float32(asked: Namespace) -> arms.Result:
    """Encode as a teacher does, in float32."""
    return _ours(asked, "ours, float32", "float32")


def theirs(asked: Namespace) -> arms.Result:
    """Encode as SentenceTransformer.encode does when nothing is said: float32, batches of 32."""
    return _theirs(asked, "default", "float32", 32)


def theirs_tuned(asked: Namespace) -> arms.Result:
    """Encode by SentenceTransformer.encode in the machine's fastest dtype and the best size of batches."""
    return _theirs(asked, "tuned", _FAST, asked.batch)


def tune(asked: Namespace) -> arms.Result:
    """Find the size of batches that suits the library best here, on a quarter of the texts."""
    loaded, texts = _library_model(asked.folder, _FAST), _texts(asked)[::4]
    loaded.encode(texts[:8])
    took = {}
    for size in _BATCHES:
        with arms.measured() as found:
            loaded.encode(texts, batch_size=size)
        took[size] = found["seconds"]
    return found | {"batch": min(took, key=lambda size: took[size])}


def peak_fast(asked: Namespace) -> arms.Result:
    """Measure the machine's rate of matrix products in its fastest dtype."""
    return _peak(asked.square, _FAST)


def peak_float32(asked: Namespace) -> arms.Result:
    """Measure the machine's rate of matrix products in float32."""
    return _peak(asked.square, "float32")


def compare(asked: Namespace) -> None:
    """Print the table."""
    arms.once(ARMS, "model", asked)
    asked.batch = asked.batch or arms.once(ARMS, "tune", asked)["batch"]
    results = arms.in_turn(ARMS, _COMPARED, asked.rounds, asked)
    peaks = {name.removeprefix("peak, "): results.pop(name) for name in _PEAKS}
    for name, ran in results.items():
        dtype = "float32" if name in ("ours, float32", "SentenceTransformer, default") else _FAST
        for one, peak in zip(ran, peaks[dtype], strict=True):
            one["share"] = 100 * one["gflops"] / peak["gflops"]
    print(arms.heading(f"Encoding: {asked.texts:,} texts, BERT of {asked.layers} layers x {_HIDDEN}", asked))
    measured = ", ".join(f"{median(one['gflops'] for one in ran):.0f} in {dtype}" for dtype, ran in peaks.items())
    print(
        f"Log-normal lengths, {_MEAN_TOKENS} tokens on average; random weights. The machine's peak: {measured} ", end=""
    )
    print(
        f"GFLOP/s (products of {asked.square} x {asked.square}). A token is 2 FLOP a weight, embeddings, attention ",
        end="",
    )
    print(f"and padding not counted. Tuned: {_FAST}, batches of {asked.batch}, the best of {_BATCHES}.\n")
    more = {"texts_s": "texts/s", "tokens_s": "tokens/s", "share": "% of its dtype's peak"}
    print(arms.table(results, f"ours, {_FAST}", **more), end="\n\n")
    _agreement(asked)


def _ours(asked: Namespace, name: str, dtype: str) -> arms.Result:
    from embedder import encoding
    from embedder.pretrained import Pretrained
    from embedder.pretrained.loading import load
    from embedder.revisions import content_hash, file_hashes

    folder, texts = asked.folder / "model", _texts(asked)
    written = {
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "licence": "none",
        "pooling": "mean",
        "query_prompt": "",
        "passage_prompt": "",
        "dtype": dtype,
        "normalise": True,
        "add_eos": False,
        "adapter": None,
    }
    loaded = load(Pretrained.model_validate(written), None, "cpu", "benchmark")
    encoding.encode(loaded, texts[:8])
    with arms.measured() as found:
        vectors = encoding.encode(loaded, texts)
    return _done(asked, name, found, vectors)


def _theirs(asked: Namespace, name: str, dtype: str, batch: int) -> arms.Result:
    loaded, texts = _library_model(asked.folder, dtype), _texts(asked)
    loaded.encode(texts[:8])
    with arms.measured() as found:
        vectors = loaded.encode(texts, batch_size=batch, normalize_embeddings=True)
    return _done(asked, name, found, vectors)


def _library_model(folder: Path, dtype: str) -> "SentenceTransformer":
    import torch
    from sentence_transformers import SentenceTransformer

    weights = {"dtype": getattr(torch, dtype)} if dtype != "float32" else None
    return SentenceTransformer(str(folder / "model"), device="cpu", model_kwargs=weights)


def _done(asked: Namespace, name: str, found: arms.Result, vectors: NDArray[np.float32]) -> arms.Result:
    np.save(asked.folder / f"{name}.npy", vectors)
    # One token a word, and the two at the ends; the model reads 512.
    tokens = sum(min(512, text.count(" ") + 3) for text in _texts(asked))
    weights = asked.layers * (12 * _HIDDEN**2 + 13 * _HIDDEN)
    rates = {"texts_s": asked.texts, "tokens_s": tokens, "gflops": 2e-9 * weights * tokens}
    return found | {key: value / found["seconds"] for key, value in rates.items()}


def _peak(square: int, dtype: str) -> arms.Result:
    import torch

    made = torch.Generator().manual_seed(made_up.SEED)
    left, right = (torch.randn(square, square, generator=made).to(getattr(torch, dtype)) for _ in range(2))
    out, times = left @ right, []
    for _ in range(_PRODUCTS):
        with arms.measured() as found:
            torch.mm(left, right, out=out)
        times.append(found["seconds"])
    return found | {"seconds": median(times), "gflops": 2e-9 * square**3 / median(times)}


def _agreement(asked: Namespace) -> None:
    """Say how far the arms' vectors lie from ours in float32."""
    reference = np.load(asked.folder / "ours, float32.npy")
    for name in (f"ours, {_FAST}", "default", "tuned"):
        vectors = np.load(asked.folder / f"{name}.npy")
        # The library scales to length 1 in the model's dtype.
        cosines = (vectors * reference).sum(axis=1) / np.linalg.norm(vectors, axis=1)
        print(f"Cosine of {name} to ours in float32: mean {cosines.mean():.6f}, least {cosines.min():.6f}.", end=" ")
    print("\n")


def _texts(asked: Namespace) -> list[str]:
    # One token a word, and two more.
    return made_up.texts(asked.texts, _MEAN_TOKENS - 2, 4)


_PEAKS = tuple(dict.fromkeys([f"peak, {_FAST}", "peak, float32"]))
_COMPARED = tuple(
    dict.fromkeys(
        [f"ours, {_FAST}", "ours, float32", "SentenceTransformer, default", "SentenceTransformer, tuned", *_PEAKS]
    )
)
ARMS: dict[str, arms.Arm] = {
    "model": model,
    "tune": tune,
    "ours, float32": ours_float32,
    f"ours, {_FAST}": ours_fast,
    "SentenceTransformer, default": theirs,
    "SentenceTransformer, tuned": theirs_tuned,
    "peak, float32": peak_float32,
    f"peak, {_FAST}": peak_fast,
}

if __name__ == "__main__":
    numbers = {"texts": 300, "layers": 4, "rounds": 3, "batch": 0, "square": 4_096}
    arms.main(ARMS, arms.parser(__doc__, **numbers).parse_args(), compare)
