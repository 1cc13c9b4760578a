"""The rows a view makes of the definitions, and the tables and digest that follow from them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from embedder import schemas
from embedder.loaders import Reject, Source
from embedder.loaders.python_env.parse import Definition


class Entry(NamedTuple):
    """A definition with what the split says of it."""

    definition: Definition
    group: str
    split: str


class Query(NamedTuple):
    """A row of the queries table."""

    query_id: str
    text: str
    split: str
    group_id: str
    labels: list[str] | None


class Passage(NamedTuple):
    """A row of the corpus table."""

    passage_id: str
    title: str
    text: str


class Qrel(NamedTuple):
    """A row of the qrels table."""

    query_id: str
    passage_id: str
    relevance: float


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
    return Query(entry.definition.id, text, entry.split, entry.group, labels)


def reject(definition: Definition, reason: str, kind: str = "definition", id_: str | None = None) -> Reject:
    """Refuse a definition, or the link or pair `id_` that starts at it."""
    return Reject(kind, id_ or definition.id, reason, definition.file, definition.line)


def source(rows: Rows) -> Source:
    """Make the tables of `rows`, sorted and checked, with their digest among the facts."""
    queries = _table(schemas.QUERIES, rows.queries)
    corpus = _table(schemas.CORPUS, rows.passages)
    qrels = _table(schemas.QRELS, rows.qrels)
    facts = {**rows.facts, "digest": digest((queries, corpus, qrels))}
    return Source(queries, corpus, qrels, rows.rejects, facts)


def digest(tables: Iterable[pa.Table]) -> str:
    """SHA-256 of the rows of sorted tables, in hexadecimal; the same on every machine with the same rows."""
    total = hashlib.sha256()
    for table in tables:
        for row in table.to_pylist():
            total.update(json.dumps(row).encode() + b"\n")
        total.update(b"\n")
    return total.hexdigest()


def counts(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, by name."""
    return dict(sorted(Counter(values).items()))


def _table(table: schemas.Table, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    names = table.schema.names
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return schemas.build(table, dict(zip(names, map(list, columns), strict=True)))
