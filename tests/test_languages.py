"""Tests of embedder.languages."""

import pytest

from embedder import languages
from embedder.languages import Language


def test_english_is_what_bm25_always_took() -> None:
    """English has a stemmer, a list of stop words, and blanks."""
    assert languages.of("en") == languages.of("eng") == Language("english", "english", blanks=True)


@pytest.mark.parametrize("code", [None, "xx", "qqq"])
def test_an_unknown_language_has_words_between_blanks(code: str | None) -> None:
    """Null and a code that is not known are: words between blanks, no stemmer, no stop words."""
    assert languages.of(code) == Language(None, None, blanks=True)


@pytest.mark.parametrize("code", ["ja", "jpn", "zh", "zho", "th", "lo", "km", "my", "bo"])
def test_languages_without_blanks_are_compared_by_characters(code: str) -> None:
    """Japanese, Chinese, Thai, Lao, Khmer, Burmese and Tibetan have no blanks, and shingles of characters."""
    assert not languages.of(code).blanks
    assert languages.of(code).unit == "character"


def test_korean_has_blanks() -> None:
    """Korean is compared by words."""
    assert languages.of("ko").unit == "word"


def test_every_stemmer_and_list_exists() -> None:
    """What the table names is what the pinned PyStemmer and bm25s have."""
    import Stemmer
    from bm25s.tokenization import _infer_stopwords

    known = [languages.of(code) for code in languages._BY_CODE]
    assert {one.stemmer for one in known} - {None} <= set(Stemmer.algorithms())
    assert all(_infer_stopwords(one.stop_words) for one in known if one.stop_words)
    assert all(len(code) in (2, 3) for code in languages._BY_CODE)
