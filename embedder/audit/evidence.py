"""The tables an audit asks: texts by what they say, and which passage which row gives a query as what."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow as pa

from embedder.ingestion.cleaning import clean_text, printable
from embedder.records import Row
from embedder.store import Store, opened
from embedder.texts import normalise

Role = Literal["positive", "known", "negative", "graded", "label", "labels"]
"""A `known` positive is none of this row's own; `labels` are several of one text, so they contradict nothing."""

_KEY = pa.binary(16)
_PLACE = [("file", pa.string()), ("row", pa.int64())]

TABLES = {
    "texts": pa.schema([("key", _KEY), ("text", pa.string())]),
    # scope: what is audited apart from the rest: SPLIT/DATASET/. record: rows of a scope that belong together, as the
    # negatives of a tuple do. is_label: the passage is a label or stands for one.
    "pairs": pa.schema(
        [
            ("scope", pa.string()),
            ("record", pa.int64()),
            ("query", _KEY),
            ("passage", _KEY),
            ("role", pa.string()),
            ("is_label", pa.bool_()),
            ("score", pa.float64()),
            *_PLACE,
        ]
    ),
    "notes": pa.schema([("check_name", pa.string()), ("detail", pa.string()), *_PLACE]),
    "near_copies": pa.schema([("passage", _KEY), ("positive", _KEY)]),
    "leaks": pa.schema([("key", _KEY), ("near", pa.bool_()), ("held_by", pa.string())]),
}

_LONGEST = 2**24
_RECENT = 2**18


class Unusable(Exception):  # noqa: N818 - it is caught where rows are read, and never shown
    """A text that cannot be read; the message is the reason."""


class Evidence:
    """Fills the tables row by row.

    Attributes:
        store: where they are.
        rows: how many rows were read.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.rows = 0
        self._recent: set[bytes] = set()

    def key(self, text: str) -> bytes | None:
        """Store a text and return what stands for it wherever it is repeated; None where it is empty.

        Raises:
            Unusable: it holds bytes that are no UTF-8.
        """
        cleaned = clean_text(text, _LONGEST)
        if isinstance(cleaned, str):
            raise Unusable(cleaned)
        folded = normalise(cleaned.text)
        if not folded:
            return None
        key = key_of(folded)
        if key not in self._recent:
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            self._recent.add(key)
            self.store.append("texts", (key, folded), len(folded))
        return key

    def pair(
        self,
        scope: str,
        record: int,
        query: bytes,
        passage: bytes,
        role: Role,
        score: float | None,
        file: str,
        row: Row,
        *,
        is_label: bool = False,
    ) -> None:
        """Say that a row gives `passage` to `query` as its `role`."""
        self.store.append("pairs", (scope, record, query, passage, role, is_label, score, file, row))

    def note(self, check: str, detail: str, file: str, row: Row) -> None:
        """Say what is wrong with a row."""
        said = detail.encode("utf-8", "backslashreplace").decode()
        self.store.append("notes", (check, said, printable(file), row))

    def settle(self) -> None:
        """Write what waits, and leave one text a key."""
        self.store.flush()
        self.store.run("CREATE OR REPLACE TABLE firsts AS SELECT min(rowid) AS first FROM texts GROUP BY key")
        self.store.run(
            "CREATE OR REPLACE VIEW said AS SELECT key, text FROM texts WHERE rowid IN (SELECT first FROM firsts)"
        )


def key_of(normalised: str) -> bytes:
    """Return the key of a normalised text."""
    return hashlib.blake2b(normalised.encode(), digest_size=16).digest()


def put_keys(store: Store, table: str, columns: Iterable[Iterable[object]]) -> None:
    """Fill one of the tables that later steps make."""
    schema = TABLES[table]
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, schema.types, strict=True)]
    store.put(table, pa.Table.from_arrays(arrays, schema=schema))


@contextmanager
def collecting(more: Mapping[str, pa.Schema] | None = None) -> Iterator[Evidence]:
    """Open evidence in a temporary folder, with `more` tables."""
    with (
        tempfile.TemporaryDirectory(prefix="embedder-audit-") as folder,
        opened(Path(folder), {**TABLES, **(more or {})}) as store,
    ):
        yield Evidence(store)
