"""Entity groups: definitions that say or do the same thing stand on one side of the split, whatever the task."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from embedder.loaders.python_env.parse import Definition
from embedder.near_copies import shingle, similar_pairs
from embedder.texts import normalise

NEAR_COPY = 0.5
MIN_STATEMENTS = 3

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def group_ids(definitions: Sequence[Definition]) -> list[str]:
    """Give each definition the smallest id of its group.

    Two definitions are in one group if they have the same normalised summary, near copies as bodies or as code, or
    are linked by a chain of such pairs.
    """
    if not definitions:
        return []
    rows, columns = (np.concatenate(side) for side in zip(*_links(definitions), strict=True))
    size = len(definitions)
    links = coo_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    smallest: dict[int, str] = {}
    for definition, number in zip(definitions, component, strict=True):
        smallest[number] = min(definition.id, smallest.get(number, definition.id))
    return [smallest[number] for number in component]


def unit(text: str) -> float:
    """Map a text to [0, 1), the same everywhere: its SHA-256 as a fraction of 2^64."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def split_of(group_id: str, dev_share: float) -> str:
    """The side of the split a group is on in every task."""
    return "dev" if unit(group_id) < dev_share else "train"


def _links(definitions: Sequence[Definition]) -> Iterator[Pairs]:
    yield _equal([normalise(d.summary) for d in definitions])
    yield _near_copies([d.body for d in definitions])
    yield _near_copies([d.code if d.statements >= MIN_STATEMENTS else "" for d in definitions])


def _equal(texts: Sequence[str]) -> Pairs:
    """Chain the positions of equal texts."""
    order = sorted(range(len(texts)), key=lambda i: texts[i])
    same = [(a, b) for a, b in pairwise(order) if texts[a] == texts[b]]
    pairs = np.array(same, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _near_copies(texts: Sequence[str]) -> Pairs:
    """Pair the positions of texts whose 5-word shingles overlap by NEAR_COPY; empty texts are no copies."""
    present = np.array([i for i, text in enumerate(texts) if text], dtype=np.int64)
    shingles = shingle([texts[i] for i in present])
    left, right, _ = similar_pairs(shingles, shingles, NEAR_COPY)
    return present[left], present[right]
