"""Tests of embedder.teachers.tokens."""

import unicodedata

import bm25s
import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from embedder import languages
from embedder.errors import TeacherError
from embedder.languages import Language
from embedder.teachers import Corpus, bm25
from embedder.teachers.tokens import language_of, tokenize

ENGLISH, JAPANESE = languages.of("en"), languages.of("ja")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Mn", "Mc"])), max_size=4))
def test_english_words_are_those_of_bm25s(texts: list[str]) -> None:
    """English texts are cut, stripped of stop words and stemmed as bm25s does with its own pattern."""
    stemmer = Stemmer.Stemmer("english")
    own = bm25s.tokenize(texts, stopwords="english", stemmer=stemmer, return_ids=False, show_progress=False)
    assert tokenize(texts, ENGLISH) == own


def test_stemming_and_stop_words_can_be_off() -> None:
    """Switched off, words are counted as they are written, lower-cased; switched on, as the language has them."""
    options = {"kind": "bm25", "method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5}
    for on, words in ((False, ["the", "cats", "sat"]), (True, ["cat", "sat"])):
        made = bm25.Options.model_validate({**options, "stem": on, "stop_words": on})
        assert tokenize(["The Cats sat"], language_of(Corpus([], [], "en", None), made)) == [words]


def test_another_language_has_its_own_stems_and_stop_words() -> None:
    """German words lose German endings and German stop words."""
    assert tokenize(["Die Katzen und die Häuser"], languages.of("de")) == [["katz", "haus"]]


def test_vowel_signs_belong_to_their_word() -> None:
    """A Hindi word is one word, although most of its vowels are marks and no letters."""
    assert tokenize(["किताब पढ़ना"], Language()) == [["किताब", "पढ़ना"]]


def test_texts_without_blanks_are_pairs_of_characters() -> None:
    """Runs are cut into overlapping pairs; ASCII words stay whole, width and case are folded, one character is itself."""
    assert tokenize(["SQLを使う、ＡＢＣの 木 2024年 foo_bar!"], JAPANESE) == [
        ["sql", "を使", "使う", "abc", "の", "木", "2024", "年", "foo_bar"]
    ]


def test_thai_vowel_signs_do_not_cut_runs() -> None:
    """Vowel signs and tone marks stand in the pairs like letters."""
    assert tokenize(["ที่นี่"], languages.of("th")) == [["ที", "ี่", "่น", "นี", "ี่"]]


@given(st.text())
def test_pairs_hold_every_letter(text: str) -> None:
    """No letter or digit is lost, and nothing but a run's own characters comes in."""
    folded = unicodedata.normalize("NFKC", text).lower()
    (words,) = tokenize([text], JAPANESE)
    assert {c for c in folded if c.isalnum()} <= set("".join(words)) <= set(folded)
    assert all(len(word) <= 2 or word.isascii() for word in words)


def test_a_stemmer_that_is_not_installed_is_named() -> None:
    """An older PyStemmer without a language's stemmer is answered with what to do."""
    with pytest.raises(TeacherError, match="has no stemmer 'klingon'; install a later one, or set stem: false"):
        tokenize(["x"], Language("klingon"))
