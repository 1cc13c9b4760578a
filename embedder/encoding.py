"""Texts to vectors: token ids, batches, forward passes, the check of a last-token model's ends."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedder import padding
from embedder.ahead import ahead
from embedder.errors import ModelError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# Few enough for the activations to stay in a CPU's cache, which takes a third off; a GPU wants many.
_CPU_TOKENS = 2_048
_GPU_TOKENS = 32_768
_TOKENIZED_AT_ONCE = 1_024
# A tokenizer keeps the limit of its last call: two threads would cut each other's texts.
_TOKENIZING = Lock()


def encode(
    model: "SentenceTransformer",
    texts: Sequence[str],
    prompt: str = "",
    max_length: int | None = None,
    *,
    batch_tokens: int | None = None,
    normalise: bool = True,
    done: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Encode `texts` without gradients; equal texts are encoded once.

    On a CPU a text's vector is the same bit for bit, whatever other texts, order, batches and threads there are.
    While the model computes, the next texts are tokenized.

    Args:
        model: any SentenceTransformer whose first module is a Transformer.
        texts: what to encode, in any order.
        prompt: put before every text, and counted against `max_length`.
        max_length: in tokens, special ones included; None for the model's own.
        batch_tokens: the most tokens of a batch, padding included; None for what suits the device.
        normalise: whether every vector is scaled to length 1; else it is as the model's modules leave it.
        done: is told how many more distinct texts are encoded.

    Returns:
        [texts, dimensions] float32 vectors in the order of `texts`; [0, 0] without texts.

    Raises:
        ModelError: a last-token model's tokenizer does not put its end token at the end.
    """
    import torch

    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    model.eval()
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    read = partial(tokenize, model, prompt=prompt, max_length=max_length)
    ids = chain.from_iterable(ahead(read, _cut(list(rows), _TOKENIZED_AT_ONCE)))
    layout = padding.of(model)
    vectors = np.empty((len(rows), 0), dtype=np.float32)
    with torch.inference_mode():
        for places, part in layout.batches(ids, batch_tokens or _budget(model)):
            found = forward(model, layout.features(part), normalise=normalise).cpu().numpy()
            if not vectors.size:
                vectors = np.empty((len(rows), found.shape[1]), dtype=np.float32)
            vectors[places] = found
            if done:
                done(len(places))
    return vectors if len(rows) == len(texts) else vectors[[rows[text] for text in texts]]


def tokenize(
    model: "SentenceTransformer", texts: Sequence[str], prompt: str = "", max_length: int | None = None
) -> list[list[int]]:
    """Turn `texts`, each after `prompt`, into token ids cut to `max_length` (None: the model's own), specials included.

    Raises:
        ModelError: a last-token model's tokenizer does not put its end token at the end.
    """
    limit = min((one for one in (max_length, model.max_seq_length) if one), default=None)
    ids: list[list[int]] = []
    for part in _cut(texts, _TOKENIZED_AT_ONCE):
        prompted = [prompt + text for text in part]
        with _TOKENIZING:
            found = model.tokenizer(
                prompted,
                truncation=limit is not None,
                max_length=limit,
                return_attention_mask=False,
                return_token_type_ids=False,
            )
        ids += found["input_ids"]
    if pooling(model) == "lasttoken":
        _check_ends(model, ids)
    return ids


def forward(model: "SentenceTransformer", features: dict[str, Any], *, normalise: bool = True) -> "torch.Tensor":
    """Run one pass.

    Args:
        model: in whatever mode it is; gradients are as the caller has set them.
        features: what a `padding.Padding` or `padding.padded` made.
        normalise: whether every vector is scaled to length 1; else it is as the model's modules leave it.

    Returns:
        [texts, dimensions] float32.
    """
    from torch import is_tensor
    from torch.nn.functional import normalize, pad

    found = {key: value.to(model.device) if is_tensor(value) else value for key, value in features.items()}
    count = 0
    for module in model:
        found = module(found)
        if not count and "sentence_embedding" in found:
            count = len(found["sentence_embedding"])
            # What projects pooled vectors would round by their number, as attention does by the width.
            found["sentence_embedding"] = pad(found["sentence_embedding"], (0, 0, 0, -count % padding.MULTIPLE))
    vectors: torch.Tensor = found["sentence_embedding"][:count].float()
    return normalize(vectors, dim=-1) if normalise else vectors


def pooling(model: "SentenceTransformer") -> str:
    """The pooling mode as sentence-transformers calls it: cls, mean, lasttoken, weightedmean."""
    modes = [str(module.pooling_mode) for module in model.children() if hasattr(module, "pooling_mode")]
    return modes[0] if modes else ""


def _budget(model: "SentenceTransformer") -> int:
    return _CPU_TOKENS if model.device.type == "cpu" else _GPU_TOKENS


def _cut(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))


def _check_ends(model: "SentenceTransformer", ids: Sequence[Sequence[int]]) -> None:
    """A last-token model reads its vector off the end token. Transformers 5 drops it where tokenizer.json lacks it."""
    tokenizer = model.tokenizer
    if tokenizer.eos_token_id is None:
        raise ModelError(
            "the tokenizer has no end token to read a vector off; pooling last_token does not fit this model"
        )
    # Some end with the padding token: Qwen3-Embedding.
    ends = {tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    starts = {tokenizer.bos_token_id} - {None}
    for one in ids:
        if not one or one[-1] not in ends or (starts and one[0] not in starts):
            raise ModelError(
                f"the tokenizer of a last-token model made {_shown(one)} of a text, which must start with BOS "
                f"{sorted(starts)} and end with EOS {sorted(ends)}; set add_eos: true in the model's entry"
            )


def _shown(ids: Sequence[int], most: int = 6) -> str:
    return str(list(ids)) if len(ids) <= most else f"[{ids[0]}, {ids[1]}, ..., {ids[-2]}, {ids[-1]}]"
