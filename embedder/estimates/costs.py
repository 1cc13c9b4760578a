"""What a teacher would spend: how it adds up, and how many tokens texts have."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedder import languages
from embedder.params.models import Dataset

T = TypeVar("T")

# Where no tokenizer is at hand.
_CHARACTERS_A_TOKEN = 4


class Machine(Protocol):
    """What it runs on."""

    def rate(self, dtype: str) -> float:
        """FLOP per second that a model reaches in a dtype."""
        ...

    def is_native(self, dtype: str) -> bool:
        """Whether there are instructions for a dtype, so that it is no slower than float32."""
        ...


@dataclass(frozen=True)
class Work:
    """What is to be mined.

    Attributes:
        entry: the dataset's.
        queries: the texts of the queries to mine.
        passages: the joined texts; read once, and again for each teacher some of whose vectors are stored.
        sampled: some of the passages, at even distances.
    """

    entry: Dataset
    queries: Sequence[str]
    passages: Collection[str]
    sampled: Sequence[str]


@dataclass(frozen=True)
class Cost:
    """What a teacher would spend.

    Attributes:
        texts: how many texts, or pairs of them, a model reads.
        stored: how many more it need not read, because their vectors are stored.
        tokens: how many tokens it reads.
        bytes: of the vectors that would be written.
        flops: of model and search.
        seconds: None where nobody can tell.
        memory: bytes of weights without embeddings, vectors of the queries, and one shard of the corpus; 0 for little.
        requests: to a server.
        notes: what a person should know.
    """

    texts: int = 0
    stored: int = 0
    tokens: int = 0
    bytes: int = 0
    flops: float = 0.0
    seconds: float | None = 0.0
    memory: int = 0
    requests: int = 0
    notes: tuple[str, ...] = ()

    def then(self, other: "Cost") -> "Cost":
        """Return what both cost, one after the other."""
        known = self.seconds is not None and other.seconds is not None
        return Cost(
            texts=self.texts + other.texts,
            stored=self.stored + other.stored,
            tokens=self.tokens + other.tokens,
            bytes=self.bytes + other.bytes,
            flops=self.flops + other.flops,
            seconds=(self.seconds or 0.0) + (other.seconds or 0.0) if known else None,
            memory=max(self.memory, other.memory),
            requests=self.requests + other.requests,
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )


def evenly(texts: Collection[T], most: int) -> list[T]:
    """Return up to `most` of the texts, or of anything, at even distances."""
    return list(islice(texts, 0, None, max(1, ceil(len(texts) / most))))


def mean_tokens(texts: Sequence[str], prompt: str, length: int | None, folder: Path, language: str | None) -> float:
    """Return how many tokens a text has on the mean, its prompt included, cut at `length`.

    Args:
        texts: a sample.
        prompt: what stands before each.
        length: None for no limit.
        folder: the model's, if it is local: its tokenizer counts; else characters do.
        language: of the texts; where no blanks part words a character is a token.
    """
    counts = token_counts(texts, prompt, length, folder, language)
    return float(counts.mean()) if len(counts) else 0.0


def token_counts(
    texts: Sequence[str], prompt: str, length: int | None, folder: Path, language: str | None
) -> NDArray[np.float64]:
    """Return how many tokens each text has, [texts]; the arguments are those of `mean_tokens`."""
    counts = _counted(texts, prompt, folder / "tokenizer.json", language)
    return np.minimum(counts.astype(np.float64), length or np.inf)


def _counted(texts: Sequence[str], prompt: str, path: Path, language: str | None) -> NDArray[np.int64]:
    if not path.is_file():
        width = _CHARACTERS_A_TOKEN if languages.of(language).blanks else 1
        return np.array([ceil((len(prompt) + len(text)) / width) for text in texts], dtype=np.int64)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.array([len(one.ids) for one in tokenizer.encode_batch([prompt + text for text in texts])], dtype=np.int64)
