"""From a loader's records to a store: texts cleaned, ids checked, what cannot be used noted with file and row."""

import hashlib
from collections.abc import Iterable

import pyarrow as pa

from embedder.ingestion.cleaning import bad_id, clean_text, printable
from embedder.records import Given, Passage, Qrel, Query, Record, Reject, Repair
from embedder.store import Store
from embedder.texts import normalise, passage_text

_AT = [("file", pa.string()), ("row", pa.int64())]
# The place among all records: what comes first settles ties. (Row ids of the database may change.)
_NTH = [*_AT, ("nth", pa.int64())]
_IDS = [("query_id", pa.string()), ("passage_id", pa.string())]
_KEY = ("key", pa.binary(16))
TABLES = {
    "queries": pa.schema([
        ("query_id", pa.string()), ("text", pa.string()), ("split", pa.string()), ("group_id", pa.string()),
        ("labels", pa.list_(pa.string())), _KEY, *_NTH,
    ]),
    "passages": pa.schema([("passage_id", pa.string()), ("title", pa.string()), ("text", pa.string()), _KEY, *_NTH]),
    "qrels": pa.schema([*_IDS, ("relevance", pa.float64()), ("split", pa.string()), *_NTH]),
    "given": pa.schema([*_IDS, ("place", pa.int64()), ("score", pa.float64()), *_NTH]),
    "notes": pa.schema([
        ("kind", pa.string()), ("id", pa.string()), ("reason", pa.string()), *_AT, ("action", pa.string()),
    ]),
}  # fmt: skip
"""What a store of a source holds: records with the hash of their normalised text, and notes on what was not as it
should be; `action` says what became of it: refused, merged or repaired."""


class Gatherer:
    """Cleans records and appends them to a store.

    Attributes:
        read: how many records of each kind there were, refused ones included.
    """

    def __init__(self, store: Store, max_characters: int) -> None:
        self._store = store
        self._most = max_characters
        self._nth = 0
        self.read = {"query": 0, "passage": 0, "qrel": 0, "given": 0}

    def gather(self, records: Iterable[Record]) -> None:
        """Read all records.

        Raises:
            SourceError: from the loader.
        """
        for record in records:
            match record:
                case Query():
                    self.read["query"] += 1
                    self._query(record)
                case Passage():
                    self.read["passage"] += 1
                    self._passage(record)
                case Qrel():
                    self.read["qrel"] += 1
                    self._pair("qrel", "qrels", record, float(record.relevance), record.split)
                case Given():
                    self.read["given"] += 1
                    self._pair("given", "given", record, record.place, record.score)
                case Reject():
                    if record.kind in self.read:
                        self.read[record.kind] += 1
                    self._note(record.kind, record.id, record.reason, record.file, record.row)
                case Repair():
                    self._note(record.kind, record.id, record.reason, record.file, record.row, "repaired")
        self._store.flush()

    def _query(self, query: Query) -> None:
        at = printable(query.file), query.row
        text = self._text("query", query.query_id, query.text, *at)
        if text is None:
            return
        if not text.strip():
            self._note("query", query.query_id, "empty_text", *at)
            return
        labels = None if query.labels is None else self._labels(query)
        group = query.group_id or None
        if group is not None and (reason := bad_id(group)):
            self._note("query", query.query_id, reason.replace("_id", "_group"), *at)
            return
        row = (query.query_id, text, query.split, group, labels, key(text), *at)
        self._append("queries", row, len(text))

    def _labels(self, query: Query) -> list[str]:
        kept = []
        for label in (one.strip() for one in query.labels or ()):
            if not (reason := bad_id(label)):
                kept.append(label)
            elif label:
                self._note("query", query.query_id, reason.replace("_id", "_label"), query.file, query.row, "repaired")
        return kept

    def _passage(self, passage: Passage) -> None:
        at = printable(passage.file), passage.row
        title = self._text("passage", passage.passage_id, passage.title, *at)
        text = None if title is None else self._text("passage", passage.passage_id, passage.text, *at)
        if title is None or text is None:
            return
        joined = passage_text(title, text)
        if not joined.strip():
            self._note("passage", passage.passage_id, "empty_text", *at)
            return
        self._append("passages", (passage.passage_id, title, text, key(joined), *at), len(joined))

    def _pair(self, kind: str, table: str, pair: Qrel | Given, *values: object) -> None:
        at = printable(pair.file), pair.row
        if reason := bad_id(pair.query_id) or bad_id(pair.passage_id):
            self._note(kind, f"{pair.query_id}\t{pair.passage_id}", reason, *at)
        else:
            self._append(table, (pair.query_id, pair.passage_id, *values, *at))

    def _append(self, table: str, row: tuple[object, ...], characters: int = 0) -> None:
        self._nth += 1
        self._store.append(table, (*row, self._nth), characters)

    def _text(self, kind: str, id_: str, text: str, file: str, row: int) -> str | None:
        """Clean the text of something whose id is `id_`; None where either cannot be used, which is noted."""
        cleaned = bad_id(id_) or clean_text(text, self._most)
        if isinstance(cleaned, str):
            self._note(kind, id_, cleaned, file, row)
            return None
        for repair in cleaned.repairs:
            self._note(kind, id_, repair, file, row, "repaired")
        return cleaned.text

    def _note(self, kind: str, id_: str, reason: str, file: str, row: int, action: str = "refused") -> None:
        self._store.append("notes", (kind, printable(id_), reason, printable(file), row, action))


def key(text: str) -> bytes:
    """Hash the normalised text: equal keys are equal texts."""
    return hashlib.blake2b(normalise(text).encode(), digest_size=16).digest()
