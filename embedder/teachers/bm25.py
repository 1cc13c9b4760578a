"""BM25 by bm25s: term scores are computed once at indexing, a block of queries is one sparse product.

bm25s indexes eagerly (Lù 2024, arXiv 2407.03618): the score of each (word, passage) is stored, so the scores of many
queries are `counts [queries, words] @ scores [words, passages]`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Queries
from embedder.teachers.tokens import Bm25Options, corpus_words, language_of, revision, tokenize

_QUERIES = 256


class Options(Bm25Options):
    """BM25 by bm25s."""

    kind: Literal["bm25"]


class Bm25:
    """The index of one corpus."""

    def __init__(self, options: Options, corpus: Corpus) -> None:
        import bm25s
        from scipy import sparse

        self._language = language_of(corpus, options)
        words = corpus_words(corpus, self._language)
        # Sorted, because the order of words is the order of summation: the same bytes under any hash seed.
        self._word_ids = {word: i for i, word in enumerate(sorted({word for text in words for word in text}))}
        ids = [[self._word_ids[word] for word in text] for text in words]
        index = bm25s.BM25(k1=options.k1, b=options.b, delta=options.delta, method=options.method)
        index.index((ids, dict(self._word_ids)), show_progress=False)
        shape = (len(words), len(self._word_ids))
        stored = (index.scores["data"], index.scores["indices"], index.scores["indptr"][: shape[1] + 1])
        self._scores = sparse.csc_matrix(stored, shape=shape).T.tocsr()
        # bm25l and bm25+ give a passage without the word a score too; bm25s stores the difference to it.
        absent = getattr(index, "nonoccurrence_array", None)
        self._absent = np.zeros(shape[1], np.float32) if absent is None else absent[: shape[1]]
        self.revision = revision(options, self._language, "bm25s")

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the scores of `queries`, block by block; passages that share no word are not retrieved."""
        from scipy import sparse

        for start in range(0, len(queries.texts), _QUERIES):
            words = tokenize(queries.texts[start : start + _QUERIES], self._language)
            counts = [Counter(self._word_ids[w] for w in text if w in self._word_ids) for text in words]
            rows = np.repeat(np.arange(len(words)), [len(count) for count in counts])
            columns = np.array([word for count in counts for word in count], dtype=np.int64)
            values = np.array([n for count in counts for n in count.values()], dtype=np.float32)
            shape = (len(words), len(self._word_ids))
            query_words = sparse.csr_matrix((values, (rows, columns)), shape=shape)
            query_words.sort_indices()
            found = (query_words @ self._scores).tocsr()
            found.sort_indices()
            yield _block(found, (query_words @ self._absent).astype(np.float32))

    def report(self) -> Mapping[str, object]:
        """Return nothing: the options say it all."""
        return {}


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Bm25:
    """Index `corpus`."""
    del runtime
    if not isinstance(options, Options):
        raise TypeError(f"not options of bm25: {options!r}")
    return Bm25(options, corpus)


def _block(found: Any, floor: NDArray[np.float32]) -> Block:  # noqa: ANN401 - scipy has no types
    found.eliminate_zeros()
    scores = found.data + np.repeat(floor, np.diff(found.indptr))
    return Block(found.indptr.astype(np.int64), found.indices.astype(np.int32), scores, floor)
