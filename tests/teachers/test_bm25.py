"""Tests of embedder.teachers.bm25 against bm25s itself and against rank-bm25."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder import teachers
from embedder.errors import TeacherError
from embedder.params.base import Model
from embedder.teachers import Block, bm25, bm25_reference
from embedder.teachers.tokens import tokenize

METHODS = ("robertson", "atire", "lucene", "bm25l", "bm25+")
CORPUS = [
    "The cat sat on the mat with another cat",
    "Dogs and cats living together",
    "A matrix is inverted",
    "inverted matrices of many dogs, dogs, dogs",
    "nothing in common",
    "",
    "cat",
]
QUERIES = ["cats on a matrix", "dog dog cat", "zebra", "", "inverted common mat"]
_ANY = {"method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5, "stemmer": "english", "stop_words": "english"}


def _options(kind: str = "bm25", **changes: object) -> Any:  # noqa: ANN401 - the options of either kind
    made = bm25.Options if kind == "bm25" else bm25_reference.Options
    return made.model_validate(_ANY | {"kind": kind} | changes)


def _dense(blocks: list[Block], passages: int) -> NDArray[np.float32]:
    """Return scores [queries, passages], a passage that isn't stored at its query's floor."""
    rows = []
    for block in blocks:
        for i, floor in enumerate(block.floor):
            part = slice(int(block.indptr[i]), int(block.indptr[i + 1]))
            row = np.full(passages, floor, dtype=np.float32)
            row[block.passages[part]] = block.scores[part]
            rows.append(row)
    return np.array(rows)


def _scores(options: Model, corpus: list[str], queries: list[str]) -> NDArray[np.float32]:
    return _dense(list(teachers.build(options, corpus).score(queries)), len(corpus))


def _bm25s(options: Any, corpus: list[str], queries: list[str]) -> NDArray[np.float32]:  # noqa: ANN401 - as above
    import bm25s

    index = bm25s.BM25(k1=options.k1, b=options.b, delta=options.delta, method=options.method)
    index.index(tokenize(corpus, options), show_progress=False)
    rows = [index.get_scores(words) if words else np.zeros(len(corpus)) for words in tokenize(queries, options)]
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_bm25s(method: str) -> None:
    """The sparse product gives what bm25s's own get_scores gives, for all five methods."""
    options = _options(method=method)
    assert np.allclose(_scores(options, CORPUS, QUERIES), _bm25s(options, CORPUS, QUERIES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire", "bm25+"])
@pytest.mark.parametrize("constants", [{}, {"k1": 0.9, "b": 0.4, "delta": 1.0}, {"b": 0.0}, {"b": 1.0}])
def test_scores_are_those_of_rank_bm25(method: str, constants: dict[str, float]) -> None:
    """bm25 and bm25-reference agree to 1e-5 for the four methods both have, whatever the constants."""
    both = [_scores(_options(kind, method=method, **constants), CORPUS, QUERIES) for kind in ("bm25", "bm25-reference")]
    assert np.allclose(both[0], both[1], rtol=1e-5, atol=1e-5)
    assert both[0].max() > 0.1


_WORDS = st.lists(st.sampled_from(["ax", "bo", "cy", "du"]), max_size=6).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_WORDS, min_size=1, max_size=6).filter(any),
    st.lists(_WORDS, min_size=1, max_size=3),
    st.sampled_from(["lucene", "robertson", "atire", "bm25+"]),
)
def test_engines_agree_on_any_corpus(corpus: list[str], queries: list[str], method: str) -> None:
    """For made-up corpora the two engines agree on scores, and on which passages are retrieved."""
    options = [_options(kind, method=method, stemmer=None, stop_words=None) for kind in ("bm25", "bm25-reference")]
    found = [list(teachers.build(one, corpus).score(queries)) for one in options]
    dense = [_dense(blocks, len(corpus)) for blocks in found]
    assert np.allclose(dense[0], dense[1], rtol=1e-5, atol=1e-5)
    stored = [
        {
            (b.start + i, p)
            for b in blocks
            for i in range(len(b.floor))
            for p in b.passages[b.indptr[i] : b.indptr[i + 1]].tolist()
        }
        for blocks in found
    ]
    assert stored[0] == stored[1]


@pytest.mark.parametrize("method", METHODS)
def test_passages_without_a_shared_word_are_not_retrieved(method: str) -> None:
    """Only passages that share a word with the query are stored; a query without known words retrieves nothing."""
    (block,) = teachers.build(_options(method=method), CORPUS).score(["cat", "zebra", ""])
    assert block.passages.tolist() == [0, 1, 6]
    assert block.indptr.tolist() == [0, 3, 3, 3]
    assert (block.scores > block.floor[0]).all()


def test_block_size_does_not_change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 2 and of 256 queries hold the same scores, bit for bit, and start where the last ended."""
    teacher = teachers.build(_options(), CORPUS)
    whole = _dense(list(teacher.score(QUERIES)), len(CORPUS))
    monkeypatch.setattr(bm25, "_QUERIES", 2)
    parts = list(teacher.score(QUERIES))
    assert [block.start for block in parts] == [0, 2, 4]
    assert (_dense(parts, len(CORPUS)) == whole).all()


@pytest.mark.parametrize("kind", ["bm25", "bm25-reference"])
@pytest.mark.parametrize("corpus", [[], [""], ["the", "and of"]])
def test_a_corpus_without_words_is_refused(kind: str, corpus: list[str]) -> None:
    """BM25 says that it finds no word and what to change, instead of dividing by zero."""
    with pytest.raises(TeacherError, match=f"no word in any of {len(corpus)} passages; check stop_words"):
        teachers.build(_options(kind), corpus)


def test_an_unknown_stemmer_suggests_the_close_one() -> None:
    """A misspelt stemmer is answered with the one that was meant."""
    with pytest.raises(TeacherError, match="unknown stemmer 'englis'; did you mean 'english'"):
        teachers.build(_options(stemmer="englis"), CORPUS)


def test_unknown_stop_words_are_refused() -> None:
    """A list of stop words that isn't there is refused by its name."""
    with pytest.raises(TeacherError, match="stop_words 'englis'"):
        teachers.build(_options(stop_words="englis"), CORPUS)


def test_stemming_and_stop_words_can_be_off() -> None:
    """With null, words are counted as they are written, lower-cased."""
    plain = _options(stemmer=None, stop_words=None)
    assert tokenize(["The Cats sat"], plain) == [["the", "cats", "sat"]]
    assert tokenize(["The Cats sat"], _options()) == [["cat", "sat"]]


def test_bm25l_has_no_reference() -> None:
    """rank-bm25's BM25L is another formula, so the reference refuses it."""
    with pytest.raises(ValueError, match="another formula"):
        _options("bm25-reference", method="bm25l")


def test_revision_names_what_fixes_the_scores() -> None:
    """The revision is 40 hex digits that change with every option and with the engine."""
    made = [_options(), _options(k1=1.2), _options(stemmer=None), _options("bm25-reference")]
    revisions = [teachers.build(one, CORPUS).revision for one in made]
    assert len(set(revisions)) == len(made)
    assert revisions[0] == teachers.build(_options(), ["other"]).revision
    assert all(len(revision) == 40 and int(revision, 16) >= 0 for revision in revisions)


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    with pytest.raises(TypeError, match="not options of bm25"):
        bm25.build(_options("bm25-reference"), CORPUS)


_SCRIPT = """
from embedder import teachers
from embedder.teachers import bm25
options = bm25.Options.model_validate({options!r})
for block in teachers.build(options, {corpus!r}).score({queries!r}):
    for part in (block.indptr, block.passages, block.scores, block.floor):
        print(part.tobytes().hex())
"""


def test_scores_do_not_depend_on_the_hash_seed() -> None:
    """Two processes with different hash seeds give the same bytes."""
    # Words in 1, 2, 3 ... passages: sums of many different terms, which another order would round otherwise.
    texts = [" ".join(f"word{word}" for word in range(40) if word >= i) for i in range(40)]
    script = _SCRIPT.format(options=_ANY | {"kind": "bm25"}, corpus=texts, queries=texts)
    digests = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1
