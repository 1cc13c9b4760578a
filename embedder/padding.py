"""How token ids become a model's input: rows padded to one width, or, where flash attention reads it, no padding."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# A CPU kernel for a handful of rows may sum in another order than one for many: widths are multiples of this.
MULTIPLE = 8

Ids = Sequence[int]


class Padding(Protocol):
    """A way to lay texts out."""

    def batches(self, texts: Iterable[Ids], batch_tokens: int) -> Iterator[tuple[list[int], list[Ids]]]:
        """Cut `texts` into batches of at most `batch_tokens` tokens, padding included, or of one text.

        Yields:
            The places of a batch's texts in `texts`, and their token ids.
        """
        ...

    def features(self, ids: Sequence[Ids]) -> dict[str, Any]:
        """Lay one batch out as the model's input, on the CPU."""
        ...


class OneWidth:
    """Batches of one padded width, which follows from a text's own number of tokens.

    So a text's vector depends on nothing but the text: on a CPU, bit for bit.
    """

    def __init__(self, model: "SentenceTransformer") -> None:
        self._pad = model.tokenizer.pad_token_id or 0
        self._limit = model.max_seq_length

    def width(self, count: int) -> int:
        """Return the next multiple of 8, but no more than the model reads."""
        width = -(-max(count, 1) // MULTIPLE) * MULTIPLE
        return max(count, min(width, self._limit)) if self._limit else width

    def batches(self, texts: Iterable[Ids], batch_tokens: int) -> Iterator[tuple[list[int], list[Ids]]]:
        """Gather texts by width, yield what fills a batch, and the rest at the end: see `Padding`."""
        waiting: defaultdict[int, tuple[list[int], list[Ids]]] = defaultdict(lambda: ([], []))
        for place, ids in enumerate(texts):
            width = self.width(len(ids))
            places, gathered = waiting[width]
            places.append(place)
            gathered.append(ids)
            if width * (len(places) + 1) > batch_tokens:
                yield waiting.pop(width)
        for width in sorted(waiting):
            yield waiting[width]

    def features(self, ids: Sequence[Ids]) -> dict[str, Any]:
        """Pad to the width of the longest: see `padded`."""
        return padded(ids, self.width(max(len(one) for one in ids)), self._pad)


class Flat:
    """No padding: the texts of a batch one after another, for attention that is told where each ends."""

    def __init__(self, model: "SentenceTransformer") -> None:
        self._transformer: Any = model[0]

    def batches(self, texts: Iterable[Ids], batch_tokens: int) -> Iterator[tuple[list[int], list[Ids]]]:
        """Take the texts as they come: see `Padding`."""
        places: list[int] = []
        gathered: list[Ids] = []
        tokens = 0
        for place, ids in enumerate(texts):
            if places and tokens + len(ids) > batch_tokens:
                yield places, gathered
                places, gathered, tokens = [], [], 0
            places.append(place)
            gathered.append(ids)
            tokens += len(ids)
        if places:
            yield places, gathered

    def features(self, ids: Sequence[Ids]) -> dict[str, Any]:
        """Do what the library's `preprocess` does with texts it has tokenized."""
        found = dict(self._transformer.data_collator([{"input_ids": list(one)} for one in ids]))
        del found["labels"]
        # RoBERTa counts positions from 2.
        found["position_ids"] = found["position_ids"] + self._transformer._flatten_position_offset  # noqa: SLF001
        return found


def of(model: "SentenceTransformer") -> Padding:
    """Return the layout for a model: without padding where it was loaded with flash attention."""
    return Flat(model) if getattr(model[0], "can_flatten_inputs", False) else OneWidth(model)


def padded(ids: Sequence[Ids], width: int, pad: int) -> dict[str, Any]:
    """Pad token ids to `width`.

    Padding stands on the right whatever the tokenizer says: pooling goes by the mask, and causal attention never looks
    to the right.

    Returns:
        `input_ids` and `attention_mask`, [texts, width] int64.
    """
    import torch

    tokens = np.full((len(ids), width), pad, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return {"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}
