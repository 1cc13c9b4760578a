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

from embedder import languages, teachers
from embedder.errors import TeacherError
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Queries, bm25, bm25_reference
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
_ANY = {"method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5, "stem": True, "stop_words": True}


def _options(kind: str = "bm25", **changes: object) -> Any:  # noqa: ANN401 - the options of either kind
    made = bm25.Options if kind == "bm25" else bm25_reference.Options
    return made.model_validate(_ANY | {"kind": kind} | changes)


def _corpus(texts: list[str], language: str | None = "en") -> Corpus:
    return Corpus([f"{i:03}" for i in range(len(texts))], texts, language, None)


def _blocks(options: Model, corpus: list[str], queries: list[str]) -> list[Block]:
    return list(teachers.build(options, _corpus(corpus)).score(_asked(queries)))


def _asked(queries: list[str]) -> Queries:
    return Queries([f"{i:03}" for i in range(len(queries))], queries)


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
    return _dense(_blocks(options, corpus, queries), len(corpus))


def _bm25s(options: Any, corpus: list[str], queries: list[str]) -> NDArray[np.float32]:  # noqa: ANN401 - as above
    import bm25s

    index = bm25s.BM25(k1=options.k1, b=options.b, delta=options.delta, method=options.method)
    index.index(tokenize(corpus, languages.of("en")), show_progress=False)
    rows = [
        index.get_scores(words) if words else np.zeros(len(corpus)) for words in tokenize(queries, languages.of("en"))
    ]
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
    options = [_options(kind, method=method, stem=False, stop_words=False) for kind in ("bm25", "bm25-reference")]
    found = [_blocks(one, corpus, queries) for one in options]
    dense = [_dense(blocks, len(corpus)) for blocks in found]
    assert np.allclose(dense[0], dense[1], rtol=1e-5, atol=1e-5)
    stored = [
        [set(b.passages[b.indptr[i] : b.indptr[i + 1]].tolist()) for b in blocks for i in range(len(b.floor))]
        for blocks in found
    ]
    assert stored[0] == stored[1]


@pytest.mark.parametrize("method", METHODS)
def test_passages_without_a_shared_word_are_not_retrieved(method: str) -> None:
    """Only passages that share a word with the query are stored; a query without known words retrieves nothing."""
    (block,) = _blocks(_options(method=method), CORPUS, ["cat", "zebra", ""])
    assert block.passages.tolist() == [0, 1, 6]
    assert block.indptr.tolist() == [0, 3, 3, 3]
    assert (block.scores > block.floor[0]).all()


def test_block_size_does_not_change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 2 and of 256 queries hold the same scores, bit for bit."""
    whole = _scores(_options(), CORPUS, QUERIES)
    monkeypatch.setattr(bm25, "_QUERIES", 2)
    parts = _blocks(_options(), CORPUS, QUERIES)
    assert [len(block.floor) for block in parts] == [2, 2, 1]
    assert (_dense(parts, len(CORPUS)) == whole).all()


@pytest.mark.parametrize("kind", ["bm25", "bm25-reference"])
@pytest.mark.parametrize("corpus", [[], [""], ["the", "and of"]])
def test_a_corpus_without_words_is_refused(kind: str, corpus: list[str]) -> None:
    """BM25 says that it finds no word and what to change, instead of dividing by zero."""
    with pytest.raises(TeacherError, match=f"no word in any of {len(corpus)} passages; check the dataset's language"):
        teachers.build(_options(kind), _corpus(corpus))


def test_bm25l_has_no_reference() -> None:
    """rank-bm25's BM25L is another formula, so the reference refuses it."""
    with pytest.raises(ValueError, match="another formula"):
        _options("bm25-reference", method="bm25l")


def test_revision_names_what_fixes_the_scores() -> None:
    """The revision is 40 hex digits that change with every option, with the engine and with the language."""
    made = [_options(), _options(k1=1.2), _options(stem=False), _options("bm25-reference")]
    revisions = [teachers.build(one, _corpus(CORPUS)).revision for one in made]
    revisions += [teachers.build(_options(), _corpus(CORPUS, code)).revision for code in ("de", "ja", None)]
    assert len(set(revisions)) == len(made) + 3
    assert all(len(revision) == 40 and int(revision, 16) >= 0 for revision in revisions)


def test_revision_does_not_change_with_what_changes_no_score() -> None:
    """Neither the corpus does, nor a language of which nothing is used."""
    assert len({teachers.build(_options(), _corpus(texts)).revision for texts in (CORPUS, ["other"])}) == 1
    plain = _options(stem=False, stop_words=False)
    assert len({teachers.build(plain, _corpus(CORPUS, code)).revision for code in ("en", "de", "xx", None)}) == 1


@pytest.mark.parametrize("kind", ["bm25", "bm25-reference"])
def test_passages_without_blanks_are_found(kind: str) -> None:
    """A Japanese query finds the passage that shares a word with it, which is no word between blanks."""
    texts = ["天気は晴れです", "検索モデルの微調整", "SQLを使う手順"]
    asked = _asked(["モデルを検索する", "sqlの手順"])
    found = _dense(list(teachers.build(_options(kind), _corpus(texts, "ja")).score(asked)), len(texts))
    assert found.argmax(axis=1).tolist() == [1, 2]
    plain = _dense(list(teachers.build(_options(kind), _corpus(texts, None)).score(asked)), len(texts))
    assert plain.max() == 0


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    with pytest.raises(TypeError, match="not options of bm25"):
        bm25.build(_options("bm25-reference"), _corpus(CORPUS), Runtime())


_SCRIPT = """
from embedder import languages, teachers
from embedder.teachers import bm25
options = bm25.Options.model_validate({options!r})
corpus = teachers.Corpus({corpus!r}, {corpus!r}, {language!r}, None)
for block in teachers.build(options, corpus).score(teachers.Queries({queries!r}, {queries!r})):
    for part in (block.indptr, block.passages, block.scores, block.floor):
        print(part.tobytes().hex())
"""


def test_scores_do_not_depend_on_the_hash_seed() -> None:
    """Two processes with different hash seeds give the same bytes."""
    # Words in 1, 2, 3 ... passages: sums of many different terms, which another order would round otherwise.
    texts = [" ".join(f"word{word}" for word in range(40) if word >= i) for i in range(40)]
    script = _SCRIPT.format(options=_ANY | {"kind": "bm25"}, corpus=texts, queries=texts, language="en")
    digests = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1
