"""Kinds of positives that are measured apart, since what was judged is not like what was not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder import languages
from embedder.leak.left_out import LeftOut

Ints = NDArray[np.int64]

ALL = "all"
# Names, and the first value of all but the first of them.
_RANKS = ("rank 1", "rank 2-10", "rank 11-30", "rank 31-100", "rank deeper"), (2, 11, 31, 101)
_TWINS = ("twins 0", "twins 1", "twins 2-4", "twins 5+"), (1, 2, 5)
_WORDS = ("words 1-5", "words 6-12", "words 13+"), (6, 13)
STRATA = (ALL, *_RANKS[0], *_TWINS[0], *_WORDS[0])
_CHARACTERS = 2


def strata(left: LeftOut, words: Ints | None) -> list[NDArray[np.bool_]]:
    """Say which positives are in each of `STRATA`; none is in those of words where `words` is None.

    Args:
        left: n positives; twins are the other positives of a query.
        words: [n] how long each one's query is.
    """
    rank = np.where(left.rank == 0, np.iinfo(np.int64).max, left.rank)
    members = [np.ones(len(rank), dtype=bool)]
    for (names, starts), values in ((_RANKS, rank), (_TWINS, left.others), (_WORDS, words)):
        code = np.full(len(rank), -1) if values is None else np.digitize(values, starts)
        members += [code == i for i in range(len(names))]
    return members


def query_words(texts: Sequence[str], language: str | None) -> Ints:
    """Count the words of each text; where a language has no blanks between them, two characters are a word."""
    if languages.of(language).blanks:
        return np.array([len(text.split()) for text in texts], dtype=np.int64)
    return np.array([-(-len("".join(text.split())) // _CHARACTERS) for text in texts], dtype=np.int64)
