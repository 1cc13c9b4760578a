"""What a source looks like once it is settled: samples, lengths, copies. For people; no output depends on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from embedder import languages
from embedder.ingestion.settling import Settled
from embedder.near_copies import Shingles, shingle, similar_pairs
from embedder.texts import passage_text

SAMPLE = 5
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
NEAR_SAMPLE = 500
NEAR_JACCARD = 0.8
_BLOCK = 4096
_BLOCKS = 25


@dataclass(frozen=True)
class Copies:
    """How many of the passages are copies of another.

    Attributes:
        exact: the share of passages read whose text another had before them.
        near: of `sampled` passages, the share with another whose shingle Jaccard is at least NEAR_JACCARD, among the
            first 102,400: a lower bound in a larger corpus.
        sampled: how many passages were looked up, drawn by the hash of their id.
    """

    exact: float
    near: float
    sampled: int


def samples(settled: Settled) -> dict[str, list[dict[str, Any]]]:
    """Return up to five rows of queries, corpus and qrels, drawn by the hash of their ids."""
    found = {}
    for table, ids in (
        ("queries", "query_id"),
        ("corpus", "passage_id"),
        ("qrels", "query_id || chr(9) || passage_id"),
    ):
        rows = settled.select(table, rest=f"ORDER BY sha256({ids}), {ids} LIMIT {SAMPLE}")
        found[table] = rows.drop_columns([name for name in ("group_id",) if name in rows.column_names]).to_pylist()
    return found


def lengths(settled: Settled) -> dict[str, list[int]]:
    """Return the QUANTILES of the characters of queries, and of passages with their titles."""
    written = {"queries": "len(text)", "corpus": "len(title) + len(text)"}
    return {table: _quantiles(settled, table, length) for table, length in written.items()}


def copies(settled: Settled, language: str | None, size: int = 5) -> Copies:
    """Return how many passages are copies of others; near copies are estimated from a sample, in bounded memory.

    Args:
        settled: the source.
        language: of the texts; it says whether shingles are of words or characters.
        size: of a shingle.
    """
    unit = languages.of(language).unit
    drawn = settled.select("corpus", rest=f"ORDER BY sha256(passage_id), passage_id LIMIT {NEAR_SAMPLE}")
    ids = drawn["passage_id"].to_pylist()
    sample = shingle(_texts(drawn["title"].to_pylist(), drawn["text"].to_pylist()), unit, size)
    near = np.zeros(len(ids), dtype=bool)
    for block in islice(settled.blocks("corpus", _BLOCK), _BLOCKS):
        near[_close(sample, ids, block, unit, size)] = True
    report = settled.report
    read, merged = (int(report[key]["passage"]) for key in ("read", "merged"))  # type: ignore[index]
    return Copies(merged / read if read else 0.0, float(near.mean()) if len(near) else 0.0, len(ids))


def _close(sample: Shingles, ids: Sequence[str], block: dict[str, list[str]], unit: Any, size: int) -> list[int]:  # noqa: ANN401 - a Literal
    others = shingle(_texts(block["title"], block["text"]), unit, size)
    rows, columns, _ = similar_pairs(sample, others, NEAR_JACCARD)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [row for row, column in pairs if ids[row] != block["passage_id"][column]]


def _quantiles(settled: Settled, table: str, length: str) -> list[int]:
    marks = ", ".join(map(str, QUANTILES))
    found = settled.select(table, f"quantile_disc({length}, [{marks}]) AS found")["found"].to_pylist()[0]
    return [int(one) for one in found or [0] * len(QUANTILES)]


def _texts(titles: Sequence[str], texts: Sequence[str]) -> list[str]:
    return [passage_text(*pair) for pair in zip(titles, texts, strict=True)]
