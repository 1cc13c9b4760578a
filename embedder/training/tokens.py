"""The token ids of a batch, each distinct text once, and how they are cut into forward passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedder.encoding import tokenize
from embedder.params.recipe import Recipe
from embedder.training.batches import Texts
from embedder.training.plans import Ints

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Tokens:
    """What is encoded for a batch: equal token ids have equal vectors, so they are encoded once.

    Attributes:
        ids: distinct, sorted by length, then by content.
        queries: [rows] places in `ids`.
        passages: [passages] places in `ids`.
    """

    ids: list[Ids]
    queries: Ints
    passages: Ints


def tokens(model: "SentenceTransformer", texts: Texts, recipe: Recipe) -> Tokens:
    """Tokenize a batch.

    Raises:
        ModelError: a last-token model's tokenizer does not put its end token at the end.
    """
    queries = _distinct(model, texts.queries, recipe.query_length)
    passages = _distinct(model, texts.passages, recipe.passage_length)
    ids = sorted({*queries, *passages}, key=lambda one: (len(one), one))
    place = {one: number for number, one in enumerate(ids)}
    return Tokens(ids, np.array([place[one] for one in queries]), np.array([place[one] for one in passages]))


def cut(lengths: Sequence[int], most: int) -> list[range]:
    """Cut texts that are sorted by length into pieces of at most `most` tokens, padding included, or of one text."""
    pieces, start = [], 0
    for end in range(1, len(lengths) + 1):
        if end == len(lengths) or lengths[end] * (end + 1 - start) > most:
            pieces.append(range(start, end))
            start = end
    return pieces


def _distinct(model: "SentenceTransformer", texts: Sequence[str], length: int) -> list[Ids]:
    distinct = list(dict.fromkeys(texts))
    found = dict(zip(distinct, map(tuple, tokenize(model, distinct, "", length)), strict=True))
    return [found[text] for text in texts]
