"""What rescorers share that encode queries and passages apart and compare the two."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from embedder.pairs.local import Length, LocalModel, batches
from embedder.pairs.stored import Floats
from embedder.prompts import QueryPrompt, prompts
from embedder.teachers import Corpus
from embedder.teachers.rescoring import RescorerOptions

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder, SparseEncoder

V = TypeVar("V")

# With their token vectors in memory: 2,048 passages of 180 tokens and 128 dimensions have 190 MB.
_PAIRS = 2_048


class EncoderOptions(LocalModel, RescorerOptions):
    """A model that reads queries in one way and passages in another.

    Attributes:
        query_prompt: what stands before a query; `{instruction}` in it is the dataset's.
        passage_prompt: what stands before a passage.
        query_length: of a query in tokens, prompt and special tokens included.
        passage_length: of a passage.
    """

    query_prompt: QueryPrompt
    passage_prompt: str
    query_length: Length
    passage_length: Length


@dataclass(frozen=True)
class Side:
    """How the queries, or the passages, are read."""

    task: Literal["query", "document"]
    prompt: str
    length: int


def sides(options: EncoderOptions, corpus: Corpus) -> tuple[Side, Side]:
    """Return how the queries and the passages of a corpus are read."""
    read = prompts(
        options.query_prompt, options.passage_prompt, corpus.instruction, instruct_passages=corpus.instruct_passages
    )
    return Side("query", read.query, options.query_length), Side("document", read.passage, options.passage_length)


def reading(query: Side, passage: Side) -> Mapping[str, object]:
    """Return what of both sides changes a score."""
    lengths = {"query_length": query.length, "passage_length": passage.length}
    return {"query_prompt": query.prompt, "passage_prompt": passage.prompt, **lengths}


def encode(
    model: "MultiVectorEncoder | SparseEncoder",
    side: Side,
    texts: Sequence[str],
    read: Callable[[Sequence[Any]], Sequence[V]],
    **how: object,
) -> list[V]:
    """Encode distinct texts, each independently of the others.

    Args:
        model: a MultiVectorEncoder or a SparseEncoder.
        side: how it reads them.
        texts: what it reads.
        read: makes of what the model returns for a batch what is kept of each text.
        how: more settings of the model's `encode`.
    """
    found: dict[int, V] = {}
    for part, rows, padding in batches(model, texts, side.length, prompt=side.prompt, task=side.task):
        settings: dict[str, Any] = {
            "batch_size": len(rows),
            "show_progress_bar": False,
            "processing_kwargs": padding,
            **how,
        }
        method: Any = model.encode_query if side.task == "query" else model.encode_document
        found.update(zip(part.tolist(), read(method(rows, prompt=side.prompt, **settings)), strict=False))
    return [found[i] for i in range(len(texts))]


def paired(
    queries: Sequence[str],
    passages: Sequence[str],
    encoders: tuple[Callable[[list[str]], list[V]], Callable[[list[str]], list[V]]],
    similarity: Callable[[V, V], float],
) -> Iterator[Floats]:
    """Score pairs by what their texts are encoded to; each distinct text is encoded once.

    Args:
        queries: of each pair.
        passages: of each pair; the pairs of one passage follow each other.
        encoders: of distinct queries, of distinct passages.
        similarity: of a query's and a passage's encoding.

    Yields:
        The scores of consecutive pairs, unit by unit.
    """
    asked = _by_text(queries, encoders[0])
    for unit in _units(passages):
        answered = _by_text(passages[unit], encoders[1])
        pairs = zip(queries[unit], passages[unit], strict=True)
        yield np.array([similarity(asked[query], answered[passage]) for query, passage in pairs], np.float32)


def _by_text(texts: Sequence[str], encoder: Callable[[list[str]], list[V]]) -> dict[str, V]:
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, encoder(distinct), strict=True))


def _units(passages: Sequence[str]) -> Iterator[slice]:
    """Cut pairs where the passage changes, so that none is encoded for two units."""
    changes = (i for i in range(1, len(passages)) if passages[i] != passages[i - 1])
    start = 0
    for end in (*changes, len(passages)):
        if end - start >= _PAIRS or end == len(passages):
            yield slice(start, end)
            start = end
