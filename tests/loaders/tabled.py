"""The records of a source as tables, for tests that look at columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from embedder.loaders import Source
from embedder.records import Passage, Qrel, Query, Reject
from tests.sources import by_kind


@dataclass(frozen=True)
class Tabled:
    """A source that was read."""

    queries: pa.Table
    corpus: pa.Table
    qrels: pa.Table
    rejects: list[Reject]
    facts: dict[str, object]


def tabled(source: Source) -> Tabled:
    """Read a source into tables."""
    found = list(source.records)
    queries, corpus, qrels = (_table(by_kind(found, kind), kind) for kind in (Query, Passage, Qrel))
    return Tabled(queries, corpus, qrels, by_kind(found, Reject), source.facts)


def _table(rows: Sequence[Any], kind: Any) -> pa.Table:  # noqa: ANN401 - the class of a NamedTuple
    names = kind._fields
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(list(column)) for name, column in zip(names, columns, strict=True)})
