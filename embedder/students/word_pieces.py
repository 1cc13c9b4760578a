"""A WordPiece vocabulary trained the same on every run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from embedder.errors import StudentError

if TYPE_CHECKING:
    from transformers import DistilBertTokenizer

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CONTINUES = "##"
# Supplementary Private Use Area-A: no text that means anything holds its characters.
_PRIVATE = 0xF0000


def train_tokenizer(texts: Sequence[str], vocabulary: int, max_length: int) -> "DistilBertTokenizer":
    """Train an uncased tokenizer of at most `vocabulary` word pieces, special ones included.

    Raises:
        StudentError: `vocabulary` does not even hold the characters of `texts`.
    """
    from transformers import DistilBertTokenizer

    words = count_words(texts)
    pieces = [*SPECIALS, *word_pieces(words, vocabulary - len(SPECIALS))]
    if len(pieces) > vocabulary:
        raise StudentError(
            f"the texts have {len(pieces) - len(SPECIALS)} distinct characters at the start of and within words, "
            f"which is more than vocabulary {vocabulary} holds; raise it"
        )
    ids = {piece: index for index, piece in enumerate(pieces)}
    return DistilBertTokenizer(vocab=ids, do_lower_case=True, model_max_length=max_length)


def count_words(texts: Sequence[str]) -> Counter[str]:
    """Count the words BERT's uncased normaliser and pre-tokenizer make of `texts`."""
    from tokenizers import normalizers, pre_tokenizers

    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    # Words never span white space, so each distinct chunk between blanks is split once.
    for chunk, times in Counter(chunk for text in texts for chunk in text.split()).items():
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(chunk)):
            counts[word] += times
    return counts


def word_pieces(words: Mapping[str, int], size: int) -> list[str]:
    """Choose about `size` word pieces by byte-pair merges; every character is one, at a word's start and within.

    The WordPiece trainer of `tokenizers` numbers continuing characters in the order of a randomly seeded hash map, so
    two runs differ. Its byte-pair trainer sorts plain characters: here a continuing character is one of its own.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = sorted({character for word in words for character in word})
    marks = {ord(character): _PRIVATE + index for index, character in enumerate(alphabet)}
    plain = {mark: character for character, mark in marks.items()}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False)
    tokenizer.train_from_iterator(_marked(words, marks), trainer)
    found = tokenizer.get_vocab()
    return [_piece(token, plain) for token in sorted(found, key=found.__getitem__)]


def _marked(words: Mapping[str, int], marks: Mapping[int, int]) -> Iterator[str]:
    """Each word as often as it occurs, all but its first character marked as continuing."""
    for word in sorted(words):
        marked = word[0] + word[1:].translate(marks)
        yield " ".join(repeat(marked, words[word]))


def _piece(token: str, plain: Mapping[int, int]) -> str:
    return (_CONTINUES if ord(token[0]) in plain else "") + token.translate(plain)
