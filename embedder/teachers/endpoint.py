"""A model behind an OpenAI-compatible `/v1/embeddings` endpoint, over the best of another teacher."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from embedder import layout
from embedder.endpoints import Client, EndpointOptions
from embedder.params.base import Model
from embedder.params.models import Positive
from embedder.params.runtime import Runtime
from embedder.progress import meter
from embedder.prompts import Prompts, QueryPrompt, prompts
from embedder.teachers import Corpus
from embedder.teachers.rankings import Floats
from embedder.teachers.rescoring import Rescored, RescorerOptions

if TYPE_CHECKING:
    from embedder.vectors.store import Space

# A kill loses what was paid for one unit.
_UNIT_TEXTS = 2_048
_WINDOW = 65_536
# With two vectors each in memory: 16,384 pairs of 1,536 dimensions have 200 MB.
_PAIRS = 16_384
_MULTIPLIED_AT_ONCE = 1_024


class Options(EndpointOptions, RescorerOptions):
    """A served model.

    Attributes:
        licence: of what it returns.
        dimensions: how long its vectors are; an answer of another length is refused.
        query_prompt: what stands before a query; `{instruction}` in it is the dataset's.
        passage_prompt: what stands before a passage.
        batch_size: texts a request.
        normalise: whether vectors are brought to length 1 before they are compared.
    """

    kind: Literal["endpoint"]
    licence: Annotated[str, Field(min_length=1)]
    dimensions: Positive
    query_prompt: QueryPrompt
    passage_prompt: str
    batch_size: Positive
    normalise: bool


class Pairs:
    """The pairs' scores by vectors, each of which is asked for once, whatever run wants it."""

    def __init__(self, options: Options, read: Prompts, interval: float) -> None:
        self._options, self._read, self._interval = options, read, interval
        self._spaces: dict[str, Space] = {}
        self._pairs = 0

    def identity(self) -> Mapping[str, object]:
        """Return what fixes a pair's score."""
        read = {"query_prompt": self._read.query, "passage_prompt": self._read.passage}
        return {"kind": self._options.kind, **self._served(), **read, "normalise": self._options.normalise}

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the inner products of consecutive pairs, in float64 and rounded to float32, unit by unit."""
        self._pairs += len(queries)
        for start in range(0, len(queries), _PAIRS):
            part = slice(start, start + _PAIRS)
            asked, of_query = self._vectors(self._read.query, queries[part])
            answered, of_passage = self._vectors(self._read.passage, passages[part])
            yield inner_products(asked, of_query, answered, of_passage, normalise=self._options.normalise)

    def report(self) -> Mapping[str, object]:
        """Return how many pairs there were."""
        return {"pairs": self._pairs}

    def _served(self) -> dict[str, object]:
        options = self._options
        return {
            "url": options.url,
            "model": options.model,
            "revision": options.revision,
            "dimensions": options.dimensions,
        }

    def _vectors(self, prompt: str, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the vectors of the distinct texts, and which of them each text has."""
        from embedder.vectors.filling import fill
        from embedder.vectors.keys import text_keys
        from embedder.vectors.store import Space

        if prompt not in self._spaces:
            facts = {"kind": self._options.kind, **self._served(), "prompt": prompt}
            self._spaces[prompt] = Space(layout.VECTORS, facts, "float32")
        space = self._spaces[prompt]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        with meter(len(numbers), "endpoint: texts", self._interval) as shown:

            def ask(unit: list[str]) -> NDArray[np.float32]:
                return self._ask([prompt + text for text in unit], shown.more)

            fill(space, numbers, ask, _WINDOW, stored=shown.skip, unit_texts=_UNIT_TEXTS)
        return space.vectors(text_keys(numbers)), np.array([numbers[text] for text in texts], np.int64)

    def _ask(self, texts: Sequence[str], done: Callable[[int], None]) -> NDArray[np.float32]:
        client, size = Client(self._options), self._options.batch_size
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        answers = []
        with ThreadPoolExecutor(self._options.concurrency) as threads:
            for answer in threads.map(lambda part: client.embeddings(part, self._options.dimensions), parts):
                answers.append(answer)
                done(len(answer))
        return np.concatenate(answers)


def inner_products(
    queries: NDArray[np.float32],
    of_query: NDArray[np.int64],
    passages: NDArray[np.float32],
    of_passage: NDArray[np.int64],
    *,
    normalise: bool,
) -> Floats:
    """Multiply `queries[of_query]` with `passages[of_passage]`, row by row, in float64.

    Args:
        queries: [q, d] vectors.
        of_query: [n] rows of `queries`.
        passages: [p, d] vectors.
        of_passage: [n] rows of `passages`.
        normalise: whether both are brought to length 1 before; a vector of zeros stays one.
    """
    products = np.empty(len(of_query), np.float32)
    for start in range(0, len(products), _MULTIPLIED_AT_ONCE):
        part = slice(start, start + _MULTIPLIED_AT_ONCE)
        left, right = queries[of_query[part]].astype(np.float64), passages[of_passage[part]].astype(np.float64)
        product = (left * right).sum(axis=1)
        if normalise:
            lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
            product = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
        products[part] = product
    return products


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Rescored:
    """Return the teacher; nothing is asked before a vector is missing."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of endpoint: {options!r}")
    read = prompts(
        options.query_prompt, options.passage_prompt, corpus.instruction, instruct_passages=corpus.instruct_passages
    )
    return Rescored(options, corpus, runtime, Pairs(options, read, runtime.log_interval))
