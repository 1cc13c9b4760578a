"""The words BM25 counts: lower-cased, without stop words, stemmed; one place for both engines."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Literal

from pydantic import Field

from embedder.errors import TeacherError, unknown
from embedder.params.base import Model


class Bm25Options(Model):
    """What fixes BM25's scores (Kamphuis et al. 2020 compare the variants); null turns stemming or stop words off."""

    method: Literal["robertson", "atire", "lucene", "bm25l", "bm25+"]
    k1: Annotated[float, Field(gt=0)]
    b: Annotated[float, Field(ge=0, le=1)]
    delta: Annotated[float, Field(ge=0)]
    stemmer: str | None
    stop_words: str | None


def tokenize(texts: Sequence[str], options: Bm25Options) -> list[list[str]]:
    """Return each text's words as BM25 counts them.

    Raises:
        TeacherError: there is no such stemmer or list of stop words.
    """
    import bm25s
    import Stemmer

    stemmer = None
    if options.stemmer is not None:
        if options.stemmer not in Stemmer.algorithms():
            raise TeacherError(unknown("stemmer", options.stemmer, Stemmer.algorithms()))
        stemmer = Stemmer.Stemmer(options.stemmer)
    try:
        words: list[list[str]] = bm25s.tokenize(
            list(texts), stopwords=options.stop_words, stemmer=stemmer, return_ids=False, show_progress=False
        )
    except ValueError as error:
        raise TeacherError(f"stop_words '{options.stop_words}': {error}") from error
    return words


def corpus_words(corpus: Sequence[str], options: Bm25Options) -> list[list[str]]:
    """Tokenize a corpus that must have words.

    Raises:
        TeacherError: no passage has a single word.
    """
    words = tokenize(corpus, options)
    if not any(words):
        raise TeacherError(
            f"BM25 finds no word in any of {len(words)} passages; check stop_words, or take another teacher"
        )
    return words


def revision(options: Model, *packages: str) -> str:
    """Hash what fixes a BM25 teacher's scores: its entry and the versions of its engine and stemmer."""
    made_by = {package: version(package) for package in (*packages, "pystemmer")}
    content = json.dumps([options.model_dump(mode="json"), made_by], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:40]
