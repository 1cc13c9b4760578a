"""The texts a base may be built from: what training may see of all datasets, and nothing it is later measured on."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from embedder.texts import normalise, passage_text


@dataclass(frozen=True)
class Ingested:
    """The texts of one dataset.

    Attributes:
        dev_positives: the ids of the passages that are positives of its dev queries.
        weight: with 0 it is evaluated only, and nothing is learnt from it.
    """

    queries: pa.Table
    corpus: pa.Table
    dev_positives: pa.Array
    weight: float


def train_texts(datasets: Mapping[str, Ingested]) -> tuple[list[str], dict[str, dict[str, int]]]:
    """Collect train queries and passages.

    A text that is a dev query or a positive of one in any dataset is held out in all of them, by normalised text.

    Args:
        datasets: by name.

    Returns:
        The distinct texts, sorted; and for each dataset how many of its texts were `used`, `held_out`, or `repeated`
        of those used before it, or had `no_weight`.
    """
    held_out = {normalise(text) for tables in datasets.values() for text in _dev_texts(tables)}
    used: dict[str, str] = {}
    counts = {name: _add(tables, held_out, used) for name, tables in sorted(datasets.items())}
    return sorted(used.values()), counts


def _add(tables: Ingested, held_out: AbstractSet[str], used: dict[str, str]) -> dict[str, int]:
    if not tables.weight:
        return {"no_weight": tables.queries.num_rows + tables.corpus.num_rows}
    counts = {"used": 0, "held_out": 0, "repeated": 0}
    for text in [*tables.queries.column("text").to_pylist(), *_passages(tables.corpus)]:
        key = normalise(text)
        fate = "held_out" if key in held_out else "repeated" if key in used else "used"
        counts[fate] += 1
        if fate == "used":
            used[key] = text
    return counts


def _dev_texts(tables: Ingested) -> list[str]:
    dev = tables.queries.filter(pc.equal(tables.queries.column("split"), "dev"))
    held = tables.corpus.filter(pc.is_in(tables.corpus.column("passage_id"), tables.dev_positives))
    return [*dev.column("text").to_pylist(), *_passages(held)]


def _passages(corpus: pa.Table) -> list[str]:
    return [
        passage_text(*pair) for pair in zip(*(corpus.column(c).to_pylist() for c in ("title", "text")), strict=True)
    ]
