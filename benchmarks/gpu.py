"""Encoding and exact search on a GPU: `python benchmarks/gpu.py` prints shares of the peak in Markdown.

Models have random weights of the shapes of BGE-base and Mistral-7B and are made on the device; nothing is downloaded.
`--tiny --device cpu` runs all of it in seconds, to see that it runs.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import arms
import made_up
import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.search.streamed import Merge

_PRODUCTS = 20
_LENGTH = 512
_AGREE_ON = 100
_SHAPES = {
    "bert": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3_072},
    "mistral": {
        "hidden_size": 4_096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14_336,
    },
}
_SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
_TINY = {"bert": _SMALL, "mistral": _SMALL | {"num_key_value_heads": 2}}
_TINY_SIZES = {"bert_texts": 40, "mistral_texts": 12, "passages": 3_000, "queries": 40, "k": 20, "square": 256}


def main(asked: Namespace) -> None:
    """Measure all and print it, step by step."""
    if asked.tiny:
        vars(asked).update(_TINY_SIZES)
    print(f"## GPU: {_device(asked.device)}\n\n{arms.machine()}\n")
    peak = _peak(asked)
    sheet = f", {100 * peak / asked.peak:.0f} % of the data sheet's {asked.peak:g}" if asked.peak else ""
    print(f"bfloat16 products of {asked.square} x {asked.square}: {peak:,.1f} TFLOP/s{sheet}.\n")
    for name, kind, texts in (("BGE-base", "bert", asked.bert_texts), ("Mistral-7B", "mistral", asked.mistral_texts)):
        with TemporaryDirectory(prefix="bench-") as folder:
            _encoding(asked, name, kind, texts, Path(folder), peak)
    _searching(asked)


def _encoding(asked: Namespace, name: str, kind: str, count: int, folder: Path, peak: float) -> None:
    """Print the rates of one shape, by this project and by the library, and for the small one the agreement."""
    from embedder import encoding

    model = _model(asked, kind, folder)
    texts = _texts(kind, count, asked.tokens, 1)
    tokens = sum(len(ids) for ids in encoding.tokenize(model, texts, "", _LENGTH))
    weights = sum(part.numel() for key, part in model.named_parameters() if "embed" not in key)
    ways: dict[str, Callable[[list[str]], Any]] = {"ours": partial(encoding.encode, model)}
    for batch in (32, asked.batch):
        theirs = partial(model.encode, batch_size=batch, normalize_embeddings=True)
        ways[f"SentenceTransformer, batches of {batch}"] = theirs
    print(
        f"{name}: {weights / 1e6:,.0f} M weights without embeddings, bfloat16, attention {_attention(model)}; ", end=""
    )
    print(f"{count:,} texts of {tokens / count:.0f} tokens on average, at most {_LENGTH}.\n")
    columns = ["arm", "tokens/s", "TFLOP/s", "% of the measured peak", "% of the data sheet's", "peak GB"]
    print(_row(columns) + "\n" + _row(["---", *["---:"] * 5]))
    for arm, run in ways.items():
        seconds, memory, _ = _timed(asked, partial(run, texts), partial(run, texts[::8]))
        flops = 2e-12 * weights * tokens / seconds
        sheet = f"{100 * flops / asked.peak:.1f}" if asked.peak else ""
        shown = [f"{tokens / seconds:,.0f}", f"{flops:,.2f}", f"{100 * flops / peak:.1f}", sheet, _gigabytes(memory)]
        print(_row([arm, *shown]), flush=True)
    print()
    if kind == "bert":
        _agreement(asked, model)


def _agreement(asked: Namespace, model: "SentenceTransformer") -> None:
    """Print how many of the best passages bfloat16 and float32 have in common; the model is float32 afterwards."""
    from embedder import encoding
    from embedder.search.engines import engine
    from embedder.search.ivf import recall
    from embedder.search.streamed import top_k

    passages, queries = _texts("bert", 20 * _AGREE_ON, asked.tokens, 2), _texts("bert", _AGREE_ON, asked.tokens, 3)
    k, found = _AGREE_ON, []
    if asked.tiny:
        passages, queries, k = passages[:60], queries[:5], 10
    # Flash attention knows no float32.
    transformer: Any = model[0]
    transformer.model.set_attn_implementation("sdpa")
    transformer.unpad_inputs = False
    for _ in range(2):
        vectors, asking = encoding.encode(model, passages), encoding.encode(model, queries)
        found.append(top_k(asking, [(np.arange(len(passages)), vectors)], k, engine(asked.device))[0])
        model.float()
    print(f"Of the best {k} of {len(passages):,} passages, bfloat16 and float32 share {recall(*found):.2%}.\n")


def _searching(asked: Namespace) -> None:
    """Print the rate of exact search as a teacher does it, vectors coming from the host's memory in shards."""
    from embedder.search.engines import by_torch, engine
    from embedder.search.streamed import proposing, top_k

    passages = made_up.vectors(asked.passages, asked.dimensions, 1, 200)
    queries = made_up.vectors(asked.queries, asked.dimensions, 2, 200)
    rows = max(1, 2**28 // (4 * asked.dimensions))
    parts = [slice(start, start + rows) for start in range(0, len(passages), rows)]
    places = np.arange(len(passages))
    engines = {
        f"ours ({_proposer(asked.device)})": engine(asked.device),
        "ours (torch)": proposing(lambda some, shard, width: by_torch(some, shard, width, asked.device)),
    }
    print(
        f"Exact search: best {asked.k}, {asked.queries:,} queries, {asked.passages:,} x {asked.dimensions} float32.\n"
    )
    print(_row(["arm", "seconds", "TFLOP/s", "peak GB"]) + "\n" + _row(["---", *["---:"] * 3]))
    found = []

    def search(merge: "Merge", asking: Any) -> Any:  # noqa: ANN401 - arrays
        return top_k(asking, ((places[part], passages[part]) for part in parts), asked.k, merge)

    for name, merge in engines.items():
        seconds, memory, best = _timed(asked, partial(search, merge, queries), partial(search, merge, queries[:8]))
        found.append(best)
        flops = 2e-12 * asked.queries * asked.passages * asked.dimensions / seconds
        print(_row([name, f"{seconds:.2f}", f"{flops:,.2f}", _gigabytes(memory)]), flush=True)
    same = all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
    print(f"\nBoth give {'the same' if same else 'OTHER'} places and bits of scores.\n")


def _model(asked: Namespace, kind: str, folder: Path) -> "SentenceTransformer":
    """Make a model on the device: the library's modules are loaded from a tiny one, whose weights are then replaced."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoModel

    from embedder.pretrained.loading import attention

    # Without types.
    from_config: Any = AutoModel.from_config
    tokens = made_up.byte_tokenizer(folder) if kind == "mistral" else made_up.word_tokenizer(folder)
    from_config(_config(kind, _TINY[kind], tokens)).save_pretrained(folder)
    named = {"attn_implementation": attention(asked.device, "bfloat16"), "dtype": torch.bfloat16}
    transformer = Transformer(str(folder), model_kwargs=named, processor_kwargs={"model_max_length": _LENGTH})
    torch.manual_seed(made_up.SEED)
    with torch.device(asked.device):
        shape = (_TINY if asked.tiny else _SHAPES)[kind]
        transformer.model = from_config(_config(kind, shape, tokens), **named).eval()
    made_up.spread(transformer.model)
    # BGE reads its vector off the first token, which a random model fills with nearly the same for all texts.
    pooling = Pooling(transformer.get_embedding_dimension(), "lasttoken" if kind == "mistral" else "mean")
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device=asked.device)


def _config(kind: str, shape: dict[str, int], tokens: int) -> Any:  # noqa: ANN401 - the library's
    from transformers import AutoConfig

    special = {"pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2} if kind == "mistral" else {}
    return AutoConfig.for_model(kind, vocab_size=tokens, max_position_embeddings=_LENGTH, **special, **shape)


def _peak(asked: Namespace) -> float:
    """Measure the device's rate of bfloat16 products in TFLOP/s."""
    import torch

    left, right = (torch.randn(asked.square, asked.square, device=asked.device).bfloat16() for _ in range(2))
    out = left @ right
    times = []
    for _ in range(_PRODUCTS):
        _wait(asked.device)
        start = time.perf_counter()
        torch.mm(left, right, out=out)
        _wait(asked.device)
        times.append(time.perf_counter() - start)
    return 2e-12 * float(asked.square) ** 3 / median(times)


def _timed(asked: Namespace, run: Callable[[], Any], warm: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the median seconds of `run` after `warm`, the most GB that torch held on the GPU, and what `run` returns."""
    import torch

    on_gpu, times, result = asked.device.startswith("cuda"), [], None
    warm()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(asked.device)
    for _ in range(asked.rounds):
        _wait(asked.device)
        start = time.perf_counter()
        result = run()
        _wait(asked.device)
        times.append(time.perf_counter() - start)
    return median(times), torch.cuda.max_memory_allocated(asked.device) / 1e9 if on_gpu else 0.0, result


def _wait(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _texts(kind: str, count: int, mean: float, seed: int) -> list[str]:
    """Draw texts of so many tokens on average: words, or bytes, of which a word and its blank have seven."""
    return made_up.texts(count, mean / (7 if kind == "mistral" else 1), seed)


def _attention(model: Any) -> str:  # noqa: ANN401 - the library's
    return f"{model[0].model.config._attn_implementation}{', no padding' if model[0].can_flatten_inputs else ''}"  # noqa: SLF001


def _proposer(device: str) -> str:
    if device == "cpu":
        return "faiss, tiles of bfloat16 where the CPU has it"
    if not find_spec("faiss"):
        return "torch"
    import faiss

    return "faiss-gpu" if hasattr(faiss, "StandardGpuResources") else "torch"


def _device(device: str) -> str:
    import torch

    if not device.startswith("cuda"):
        return device
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def _gigabytes(memory: float) -> str:
    return f"{memory:.1f}" if memory else "not measured"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--peak", type=float, default=989.0, help="TFLOP/s of bfloat16 by the data sheet; 0: unknown")
    parser.add_argument("--tiny", action="store_true", help="sizes of a trial")
    sizes = {"bert_texts": 40_000, "mistral_texts": 2_000, "tokens": 200, "batch": 256, "rounds": 3}
    sizes |= {"passages": 1_000_000, "queries": 10_000, "dimensions": 768, "k": 128, "square": 8_192}
    for option, default in sizes.items():
        parser.add_argument(f"--{option.replace('_', '-')}", type=int, default=default, help=f"default {default:,}")
    main(parser.parse_args())
