"""Sources made of records, and what ingest makes of them, for tests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embedder import store
from embedder.ingestion import settling
from embedder.ingestion.gathering import TABLES
from embedder.loaders import Source
from embedder.params.models import Dataset, Ingest
from embedder.records import Passage, Qrel, Query, Record
from tests import tables

SETTINGS = Ingest(max_characters=1000, max_reject_share=1.0)


@dataclass(frozen=True)
class Written:
    """The files that ingest wrote, read back."""

    tables: Mapping[str, pa.Table]
    files: Mapping[str, bytes]
    report: dict[str, Any]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        found: list[dict[str, Any]] = self.tables[table].to_pylist()
        return found

    def column(self, table: str, name: str) -> list[Any]:
        """Return a column of a table."""
        found: list[Any] = self.tables[table][name].to_pylist()
        return found

    def notes(self, action: str = "refused") -> list[tuple[str, str, str]]:
        """Return kind, id and reason of what was refused, merged or repaired."""
        return [(row["kind"], row["id"], row["reason"]) for row in self.rows("rejects") if row["action"] == action]


def ingested(
    source: Source | Iterable[Record], entry: Dataset | None = None, settings: Ingest = SETTINGS, *, check: bool = True
) -> Written:
    """Ingest a source, or records, into a folder of its own, and read back what is there."""
    source = source if isinstance(source, Source) else Source(source)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with store.opened(folder, TABLES) as opened:
            settled = settling.settle(source, entry or tables.entry(), settings, opened)
            if check:
                settling.check(settled, settings.max_reject_share)
            settling.write(settled, folder)
            report = settled.report
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        return Written({path.stem: pq.read_table(path) for path in folder.glob("*.parquet")}, files, report)


def records(
    queries: Mapping[str, str] | None = None,
    passages: Mapping[str, str] | None = None,
    qrels: Iterable[tuple[str, str, float]] = (),
    dev: Iterable[str] = (),
) -> list[Record]:
    """Make records of id -> text and judgements; the queries in `dev` are dev."""
    held = set(dev)
    return [
        *(
            Query(q, text, "dev" if q in held else "train", None, None, "queries", i)
            for i, (q, text) in enumerate((queries or {}).items(), 1)
        ),
        *(Passage(p, "", text, "corpus", i) for i, (p, text) in enumerate((passages or {}).items(), 1)),
        *(Qrel(*row, "qrels", i) for i, row in enumerate(qrels, 1)),
    ]


def labelled(*rows: tuple[str, str, str, Iterable[str]]) -> list[Record]:
    """Make queries of (id, text, split, labels)."""
    return [
        Query(q, text, split, None, tuple(labels), "texts", i) for i, (q, text, split, labels) in enumerate(rows, 1)
    ]


def by_kind(found: Iterable[Record], kind: type[Any]) -> list[Any]:
    """Return the records of one kind."""
    return [record for record in found if isinstance(record, kind)]
