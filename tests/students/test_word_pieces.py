"""The WordPiece vocabulary."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.errors import StudentError
from embedder.students.word_pieces import SPECIALS, count_words, train_tokenizer, word_pieces
from tests.training_sets import texts

_PROGRAM = """
from embedder.students.word_pieces import train_tokenizer
from tests.training_sets import texts
print(sorted(train_tokenizer(texts(), 150, 32).get_vocab().items()))
"""


def test_words_are_those_of_bert() -> None:
    """Words are lower case, split at punctuation, and counted over all texts."""
    counts = count_words(["Read_csv reads; a\tCSV", "read"])
    assert counts == {"read": 2, "_": 1, "csv": 2, "reads": 1, ";": 1, "a": 1}


def test_processes_agree() -> None:
    """Two processes with other hash seeds and thread counts train one vocabulary, ids included."""
    found = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": seed, "PYTHONPATH": ".", "PATH": ""}
        done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_frequent_words_are_pieces_and_rare_ones_are_made_of_them() -> None:
    """A frequent word is one piece, any other text of known characters is cut into known pieces."""
    tokenizer = train_tokenizer(texts(), 150, 32)
    assert tokenizer.tokenize("where is") == ["where", "is"]
    assert "[UNK]" not in tokenizer.tokenize("roomboatapple")
    assert len(tokenizer) <= 150
    assert tokenizer.convert_ids_to_tokens(list(range(5))) == list(SPECIALS)


@given(st.dictionaries(st.text("abcé", min_size=1, max_size=6), st.integers(1, 9), min_size=1, max_size=12))
def test_every_character_is_a_piece_where_it_stands(words: dict[str, int]) -> None:
    """Each character that starts a word is a piece, each that continues one is a piece marked with ##; none twice."""
    pieces = word_pieces(words, 60)
    expected = {word[0] for word in words} | {f"##{character}" for word in words for character in word[1:]}
    assert expected <= set(pieces)
    assert len(set(pieces)) == len(pieces)


def test_too_small_a_vocabulary_is_one_line() -> None:
    """A vocabulary smaller than the alphabet is refused with the number it has to hold."""
    with pytest.raises(StudentError, match=r"distinct characters .* more than vocabulary 20 holds; raise it"):
        train_tokenizer(texts(), 20, 32)
