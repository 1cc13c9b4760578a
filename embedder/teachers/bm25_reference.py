"""BM25 by rank-bm25, passage by passage in Python: slow, plain, and what bm25 must agree with."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Queries
from embedder.teachers.tokens import Bm25Options, corpus_words, language_of, revision, tokenize


class Options(Bm25Options):
    """BM25 by rank-bm25, with bm25s's formulas."""

    kind: Literal["bm25-reference"]

    @field_validator("method")
    @classmethod
    def _same_formula(cls, value: str) -> str:
        if value == "bm25l":
            raise ValueError(
                "rank-bm25's BM25L is another formula than bm25s's; take lucene, atire, robertson or bm25+"
            )
        return value


def _idf(method: str, passages: int, frequency: int) -> float:
    """The inverse document frequency as bm25s defines it for `method` (Kamphuis et al. 2020, table 1)."""
    odds = (passages - frequency + 0.5) / (frequency + 0.5)
    if method == "lucene":
        return math.log(1 + odds)
    if method == "atire":
        return math.log(passages / frequency)
    return math.log(max(odds, 1.0))


class Bm25Reference:
    """The index of one corpus."""

    def __init__(self, options: Options, corpus: Corpus) -> None:
        self._language = language_of(corpus, options)
        self._engine = _engine(options, corpus_words(corpus, self._language))
        # rank-bm25 multiplies term frequencies by k1 + 1 as ATIRE does; Lucene and Robertson do not.
        self._scale = 1 / (options.k1 + 1) if options.method in ("lucene", "robertson") else 1.0
        self._absent = options.delta if options.method == "bm25+" else 0.0
        self.revision = revision(options, self._language, "rank-bm25", "bm25s")

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the scores of `queries`, one query a block; passages that share no word are not retrieved."""
        for words in tokenize(queries.texts, self._language):
            # With b = 1 a passage without words is 0 / 0 to rank-bm25: not a number, so never above the floor.
            with np.errstate(invalid="ignore"):
                scores = np.asarray(self._engine.get_scores(words)) * self._scale
            floor = self._absent * sum(self._engine.idf.get(word) or 0.0 for word in words)
            yield _block(scores, floor)

    def report(self) -> Mapping[str, object]:
        """Return nothing: the options say it all."""
        return {}


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Bm25Reference:
    """Index `corpus`."""
    del runtime
    if not isinstance(options, Options):
        raise TypeError(f"not options of bm25-reference: {options!r}")
    return Bm25Reference(options, corpus)


def _engine(options: Options, words: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401 - rank-bm25 has no types
    import rank_bm25

    if options.method == "bm25+":
        return rank_bm25.BM25Plus(words, k1=options.k1, b=options.b, delta=options.delta)

    class Okapi(rank_bm25.BM25Okapi):  # type: ignore[misc]
        def _calc_idf(self, nd: Mapping[str, int]) -> None:
            self.idf = {word: _idf(options.method, self.corpus_size, count) for word, count in nd.items()}

    return Okapi(words, k1=options.k1, b=options.b)


def _block(scores: NDArray[np.float64], floor: float) -> Block:
    passages = np.flatnonzero(scores > floor + 1e-9 * max(1.0, abs(floor))).astype(np.int32)
    found = scores[passages].astype(np.float32)
    indptr = np.array([0, len(passages)], dtype=np.int64)
    return Block(indptr, passages, found, np.array([floor], dtype=np.float32))
