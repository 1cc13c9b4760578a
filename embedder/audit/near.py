"""Near copies: of a query's negatives and positives, and of training texts and what is held out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

import numpy as np

from embedder.audit.evidence import put_keys
from embedder.near_copies import are_similar, shingle, similar_pairs
from embedder.progress import track
from embedder.store import Store

Unit = Literal["word", "character"]

_BLOCK = 8192
_PAIRS = """SELECT DISTINCT n.passage, p.passage AS positive FROM pairs n JOIN pairs p USING (scope, query)
    WHERE n.role = 'negative' AND p.role IN ('positive', 'known') AND n.passage <> p.passage
        AND NOT n.is_label AND NOT p.is_label"""
_COMPARED = """SELECT c.passage, c.positive, n.text, p.text FROM compared c
    JOIN said n ON n.key = c.passage JOIN said p ON p.key = c.positive"""


@dataclass(frozen=True)
class Rule:
    """When two texts are near copies: shingles of `size` units with a Jaccard similarity of at least `jaccard`."""

    jaccard: float
    unit: Unit
    size: int = 5


def among_negatives(store: Store, rule: Rule) -> None:
    """Fill `near_copies` with the negatives that are near copies of a positive of their query."""
    store.run(f"CREATE OR REPLACE TABLE compared AS {_PAIRS}")
    found: set[tuple[bytes, bytes]] = set()
    rows = track(_texts(store, _COMPARED), store.one("SELECT count(*) FROM compared"), "audit: near copies, pairs")
    for block in _blocks(row for row in rows if _possible(row[2], row[3], rule)):
        found.update(_similar(block, rule))
    pairs = sorted(found)
    put_keys(store, "near_copies", (column(pairs, 0), column(pairs, 1)))


def column(rows: Sequence[tuple[Any, ...]], which: int) -> list[Any]:
    """Return one column of rows."""
    return [row[which] for row in rows]


def of_held_out(store: Store, rule: Rule) -> list[tuple[bytes, str]]:
    """Return the keys of training queries and positives that are near copies of texts in `held_out`, and who holds them."""
    held = store.all("SELECT any_value(text), min(held_by) FROM held_out GROUP BY key ORDER BY key")
    right = shingle(column(held, 0), rule.unit, rule.size)
    trained = """SELECT key, text FROM said WHERE key NOT IN (SELECT key FROM held_out) AND key IN (
        SELECT query FROM pairs WHERE role NOT IN ('negative', 'known') AND scope NOT LIKE 'dev%'
        UNION SELECT passage FROM pairs
        WHERE role IN ('positive', 'graded') AND NOT is_label AND scope NOT LIKE 'dev%')"""
    found: dict[bytes, str] = {}
    for block in _blocks(_texts(store, trained)):
        rows, columns, _ = similar_pairs(shingle(column(block, 1), rule.unit, rule.size), right, rule.jaccard)
        for row, which in zip(rows.tolist(), columns.tolist(), strict=True):
            found.setdefault(block[row][0], held[which][1])
    return sorted(found.items())


def _texts(store: Store, sql: str) -> Iterator[tuple[Any, ...]]:
    for batch in store.batches(sql):
        yield from zip(*(batch.column(i).to_pylist() for i in range(batch.num_columns)), strict=True)


def _blocks(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    waiting = iter(rows)
    while block := list(islice(waiting, _BLOCK)):
        yield block


def _similar(block: Sequence[tuple[Any, ...]], rule: Rule) -> list[tuple[bytes, bytes]]:
    texts = shingle([*column(block, 2), *column(block, 3)], rule.unit, rule.size)
    count = len(block)
    same = are_similar(texts, np.arange(count), np.arange(count, 2 * count), rule.jaccard)
    return [(block[i][0], block[i][1]) for i in np.flatnonzero(same).tolist()]


def _possible(left: str, right: str, rule: Rule) -> bool:
    """Say quickly which pairs need no comparison: most share too few words.

    Every word (or character) that only one text has begins a shingle that only it has, but for the last few words of
    a text. Shingles that only one has are at most (1 - J) / J of the smaller text's.
    """
    (one, first), (other, second) = (_units(text, rule.unit, rule.size) for text in (left, right))
    alone = len(one ^ other) - 2 * (rule.size - 1)
    return alone <= (1 - rule.jaccard) / rule.jaccard * min(first, second)


@lru_cache(maxsize=256)
def _units(text: str, unit: Unit, size: int) -> tuple[frozenset[str], int]:
    """The distinct units of a normalised text, and how many shingles it has at most."""
    units = text.split() if unit == "word" else list(text)
    return frozenset(units), max(1, len(units) - size + 1)
