"""Encoding what a space lacks, in units small enough to lose."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space

UNIT_TEXTS = 8_192
UNIT_CHARACTERS = 2**20
"""A unit is what a kill loses: full at either number, at most some minutes of work.

2**20 characters of English are 260,000 tokens. BGE-base (86 M weights, 0.17 GFLOP a token) reads 1,500 a second on two
CPU cores with bfloat16: 3 minutes a unit. A model of 7 B weights reads 22,000 a second on an H200: 12 s. Committing
takes 4 ms a megabyte: 0.1 s for 8,192 vectors of 768 float32. A million passages of 340 characters are 330 units.
"""

WINDOW_CHARACTERS = 2**26
"""What a window holds of long texts: 65,536 of 100,000 characters would be 6.5 GB."""

Encode = Callable[[list[str]], NDArray[np.float32]]


def fill(
    space: Space,
    texts: Iterable[str],
    encode: Encode,
    window: int,
    *,
    stored: Callable[[int], None] | None = None,
    unit_texts: int = UNIT_TEXTS,
    unit_characters: int = UNIT_CHARACTERS,
    window_characters: int = WINDOW_CHARACTERS,
) -> int:
    """Have the vector of every text in `space`; those that it has already are not encoded again.

    Args:
        space: where the vectors go; the caller holds its store's lock.
        texts: what to encode, read once; one that repeats is encoded once.
        encode: returns the [n, d] vectors of n texts.
        window: the most texts held in memory, and sorted by length so that a unit's are alike.
        stored: is told how many more texts need not be encoded.
        unit_texts: the most texts a unit has.
        unit_characters: the characters at which a unit is full.
        window_characters: the characters at which a window is full.

    Returns:
        How many texts were encoded.

    Raises:
        TeacherError: what `encode` returned is not the texts' number of finite vectors.
    """
    encoded = 0
    for held in _cut(texts, window, window_characters):
        lacking = [held[position] for position in space.missing(text_keys(held))]
        if stored:
            stored(len(held) - len(lacking))
        held.clear()  # `_cut` holds it too
        for unit in _cut(sorted(lacking, key=lambda text: (len(text), text)), unit_texts, unit_characters):
            space.add(text_keys(unit), encode(unit))
            encoded += len(unit)
    return encoded


def _cut(texts: Iterable[str], most_texts: int, most_characters: int) -> Iterator[list[str]]:
    """Cut texts into parts, each full in texts or in characters; after a kill the rest is cut at the same places."""
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and (len(part) == most_texts or characters + len(text) > most_characters):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part
