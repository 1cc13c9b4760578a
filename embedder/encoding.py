"""Texts to vectors: token ids, length-sorted batches, the check of a last-token model's ends."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.errors import StudentError
from embedder.progress import track

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# Few enough for the activations to stay in a CPU's cache, which takes a third off; a GPU wants many.
_CPU_TOKENS = 2_048
_GPU_TOKENS = 32_768
_TOKENIZED_AT_ONCE = 4_096


def encode(
    model: "SentenceTransformer",
    texts: Sequence[str],
    prompt: str = "",
    max_length: int | None = None,
    *,
    batch_tokens: int | None = None,
    what: str = "encode: texts",
) -> NDArray[np.float32]:
    """Encode `texts` without gradients; equal texts are encoded once.

    Args:
        model: any SentenceTransformer whose first module is a Transformer.
        texts: what to encode, in any order.
        prompt: put before every text, and counted against `max_length`.
        max_length: in tokens, special ones included; None for the model's own.
        batch_tokens: the most tokens of a batch, padding included; None for what suits the device.
        what: the words before the progress count.

    Returns:
        [texts, dimensions] float32 vectors of length 1, in the order of `texts`; [0, 0] without texts.

    Raises:
        StudentError: a last-token model's tokenizer does not put its end token at the end.
    """
    import torch

    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    distinct = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    ids = tokenize(model, list(distinct), prompt, max_length)
    batches = list(_batches(ids, batch_tokens or _budget(model)))
    model.eval()
    with torch.inference_mode():
        tracked = track(batches, len(batches), what)
        found = np.concatenate([_forward(model, [ids[i] for i in batch]).cpu().numpy() for batch in tracked])
    vectors = np.empty_like(found)
    vectors[np.concatenate(batches)] = found
    return vectors[[distinct[text] for text in texts]]


def embed(
    model: "SentenceTransformer", ids: Sequence[Sequence[int]], batch_tokens: int | None = None
) -> "torch.Tensor":
    """Encode token ids with gradients.

    Args:
        model: in whatever mode it is; its parameters decide what gets gradients.
        ids: what `tokenize` returned.
        batch_tokens: the most tokens of a forward pass, padding included; None for what suits the device.

    Returns:
        [texts, dimensions] float32 vectors of length 1, in the order of `ids`.
    """
    import torch

    batches = list(_batches(ids, batch_tokens or _budget(model)))
    vectors = torch.cat([_forward(model, [ids[i] for i in batch]) for batch in batches])
    order = torch.as_tensor(np.argsort(np.concatenate(batches)), device=vectors.device)
    return vectors.index_select(0, order)


def tokenize(
    model: "SentenceTransformer", texts: Sequence[str], prompt: str = "", max_length: int | None = None
) -> list[list[int]]:
    """Turn `texts`, each after `prompt`, into token ids cut to `max_length` (None: the model's own), specials included.

    Raises:
        StudentError: a last-token model's tokenizer does not put its end token at the end.
    """
    limit = min((one for one in (max_length, model.max_seq_length) if one), default=None)
    ids: list[list[int]] = []
    for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
        part = [prompt + text for text in texts[start : start + _TOKENIZED_AT_ONCE]]
        ids += model.tokenizer(part, truncation=limit is not None, max_length=limit)["input_ids"]
    if pooling(model) == "lasttoken":
        _check_ends(model, ids)
    return ids


def pooling(model: "SentenceTransformer") -> str:
    """The pooling mode as sentence-transformers calls it: cls, mean, lasttoken."""
    modes = [str(module.pooling_mode) for module in model.children() if hasattr(module, "pooling_mode")]
    return modes[0] if modes else ""


def _budget(model: "SentenceTransformer") -> int:
    return _CPU_TOKENS if model.device.type == "cpu" else _GPU_TOKENS


def _batches(ids: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Cut the texts, shortest first, into batches of at most `batch_tokens` tokens when padded to their longest."""
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or lengths[order[end]] * (end + 1 - start) > batch_tokens:
            yield order[start:end]
            start = end


def _forward(model: "SentenceTransformer", ids: Sequence[Sequence[int]]) -> "torch.Tensor":
    """Run one padded pass.

    Padding stands on the right whatever the tokenizer says: pooling goes by the mask, and causal attention never looks
    to the right.
    """
    import torch
    from torch.nn.functional import normalize

    width = max(len(one) for one in ids)
    pad = model.tokenizer.pad_token_id or 0
    padded = torch.tensor([[*one, *[pad] * (width - len(one))] for one in ids], device=model.device)
    lengths = torch.tensor([len(one) for one in ids], device=model.device)
    mask = (torch.arange(width, device=model.device) < lengths[:, None]).long()
    vectors = model({"input_ids": padded, "attention_mask": mask})["sentence_embedding"]
    return normalize(vectors.float(), dim=-1)


def _check_ends(model: "SentenceTransformer", ids: Sequence[Sequence[int]]) -> None:
    """A last-token model reads its vector off the end token. Transformers 5 drops it where tokenizer.json lacks it."""
    tokenizer = model.tokenizer
    ends = {tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    starts = {tokenizer.bos_token_id} - {None}
    for one in ids:
        if not one or one[-1] not in ends or (starts and one[0] not in starts):
            raise StudentError(
                f"the tokenizer of a last-token model made {_shown(one)} of a text, which must start with BOS "
                f"{sorted(starts)} and end with EOS {sorted(ends)}; set add_eos: true in the model's entry"
            )


def _shown(ids: Sequence[int], most: int = 6) -> str:
    return str(list(ids)) if len(ids) <= most else f"[{ids[0]}, {ids[1]}, ..., {ids[-2]}, {ids[-1]}]"
