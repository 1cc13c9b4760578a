"""The rows a view makes of the definitions, and their digest."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from embedder.loaders import Source
from embedder.loaders.python_env.parse import Definition
from embedder.records import Passage, Qrel, Query, Reject


class Entry(NamedTuple):
    """A definition with what the split says of it."""

    definition: Definition
    group: str
    split: str


@dataclass
class Rows:
    """What a view returns; passages and qrels stay empty where labels are to be the passages."""

    queries: list[Query] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    qrels: list[Qrel] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def query(entry: Entry, text: str, labels: list[str] | None = None) -> Query:
    """The query a definition asks: its id, split and group with a text."""
    where = entry.definition.file, entry.definition.line
    return Query(entry.definition.id, text, entry.split, entry.group, None if labels is None else tuple(labels), *where)


def reject(definition: Definition, reason: str, kind: str = "definition", id_: str | None = None) -> Reject:
    """Refuse a definition, or the link or pair `id_` that starts at it."""
    return Reject(kind, id_ or definition.id, reason, definition.file, definition.line)


def source(rows: Rows) -> Source:
    """Make a source of `rows`, with their digest among the facts."""
    facts = {**rows.facts, "digest": digest(rows)}
    return Source([*rows.queries, *rows.passages, *rows.qrels, *rows.rejects], facts)


def digest(rows: Rows) -> str:
    """SHA-256 of the rows, sorted, in hexadecimal; the same on every machine with the same rows."""
    total = hashlib.sha256()
    for records, columns in ((rows.queries, 5), (rows.passages, 3), (rows.qrels, 3)):
        names = records[0]._fields[:columns] if records else ()
        for record in sorted(records):
            total.update(json.dumps(dict(zip(names, record, strict=False))).encode() + b"\n")
        total.update(b"\n")
    return total.hexdigest()


def counts(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, by name."""
    return dict(sorted(Counter(values).items()))
