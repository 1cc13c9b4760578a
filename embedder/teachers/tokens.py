"""The words BM25 counts: lower-cased, without stop words, stemmed; one place for both engines."""

import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import version
from typing import Annotated, Literal

from pydantic import Field

from embedder import languages
from embedder.errors import TeacherError
from embedder.languages import Language
from embedder.params.base import Model
from embedder.teachers import Corpus


class Bm25Options(Model):
    """What fixes BM25's scores (Kamphuis et al. 2020 compare the variants).

    Attributes:
        stem: whether words are stemmed, with the stemmer of the dataset's language if it has one.
        stop_words: whether the stop words of the dataset's language are left out, if there is a list.
    """

    method: Literal["robertson", "atire", "lucene", "bm25l", "bm25+"]
    k1: Annotated[float, Field(gt=0)]
    b: Annotated[float, Field(ge=0, le=1)]
    delta: Annotated[float, Field(ge=0)]
    stem: bool
    stop_words: bool


def language_of(corpus: Corpus, options: Bm25Options) -> Language:
    """Return what a BM25 uses of the corpus's language."""
    language = languages.of(corpus.language)
    return replace(
        language,
        stemmer=language.stemmer if options.stem else None,
        stop_words=language.stop_words if options.stop_words else None,
    )


def tokenize(texts: Collection[str], language: Language) -> list[list[str]]:
    """Return each text's words as BM25 counts them.

    Where no blanks tell words apart they are overlapping pairs of characters, which retrieve as well as the words of a
    segmenter (Kwok 1997, "Comparing representations in Chinese information retrieval").

    Raises:
        TeacherError: the installed PyStemmer lacks the language's stemmer.
    """
    if not language.blanks:
        return _pairs(texts)
    import bm25s

    words: list[list[str]] = bm25s.tokenize(
        list(texts),
        token_pattern=rf"\w[\w{_marks()}]+",
        stopwords=language.stop_words,
        stemmer=_stemmer(language.stemmer),
        return_ids=False,
        show_progress=False,
    )
    return words


def corpus_words(corpus: Corpus, language: Language) -> list[list[str]]:
    """Tokenize a corpus that must have words.

    Raises:
        TeacherError: no passage has a single word, or there is no such stemmer.
    """
    words = tokenize(corpus.texts, language)
    if not any(words):
        raise TeacherError(
            f"BM25 finds no word in any of {len(words)} passages; check the dataset's language, set stop_words: "
            "false, or take another teacher"
        )
    return words


def revision(options: Model, language: Language, *packages: str) -> str:
    """Hash what fixes a BM25 teacher's scores: its entry, how words are found, what versions of packages do it."""
    words = "pystemmer" if language.blanks else "scikit-learn"
    made_by = {package: version(package) for package in (*packages, words)}
    content = json.dumps([options.model_dump(mode="json"), asdict(language), made_by], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:40]


def _stemmer(name: str | None) -> object:
    import Stemmer

    if name is None:
        return None
    if name not in Stemmer.algorithms():
        raise TeacherError(
            f"pystemmer {version('pystemmer')} has no stemmer '{name}'; install a later one, or set stem: false"
        )
    return Stemmer.Stemmer(name)


def _pairs(texts: Iterable[str]) -> list[list[str]]:
    """Cut runs of characters into overlapping pairs; ASCII words, as they stand in such texts, stay whole."""
    from sklearn.feature_extraction.text import CountVectorizer

    run = re.compile(rf"[a-z0-9_]+|(?:[^\W\x00-\x7f]+[{_marks()}]*)+")
    pairs = CountVectorizer(analyzer="char", ngram_range=(2, 2), lowercase=False).build_analyzer()

    def words(text: str) -> list[str]:
        runs = run.findall(unicodedata.normalize("NFKC", text).lower())
        return [word for one in runs for word in ([one] if len(one) == 1 or one.isascii() else pairs(one))]

    return [words(text) for text in texts]


@cache
def _marks() -> str:
    r"""The characters that belong to the one before them, vowel signs above all: `\w` has none of them."""
    return "".join(chr(i) for i in range(sys.maxunicode + 1) if unicodedata.category(chr(i)) in ("Mn", "Mc"))
