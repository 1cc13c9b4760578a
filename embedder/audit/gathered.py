"""From a loader's records to evidence: ids are followed to texts, and judgements become roles."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from embedder.audit.evidence import Evidence, Unusable
from embedder.records import Given, Passage, Qrel, Query, Record, Reject
from embedder.texts import passage_text

_KEY, _PLACE = pa.binary(16), [("file", pa.string()), ("row", pa.int64())]
_OF = [("query_id", pa.string()), ("passage_id", pa.string())]
# Where one id has two texts, all rows are noted and the first text counts.
_IDS = """CREATE OR REPLACE TABLE {to} AS SELECT id, arg_min(key, rowid) AS key FROM {of} GROUP BY id"""
_TWO = """INSERT INTO notes SELECT 'id_of_two_texts', id, file, row FROM {of}
    WHERE id IN (SELECT id FROM {of} GROUP BY id HAVING count(DISTINCT key) > 1)"""

TABLES = {
    "queries": pa.schema([("id", pa.string()), ("key", _KEY), *_PLACE]),
    "passages": pa.schema([("id", pa.string()), ("key", _KEY), *_PLACE]),
    "labelled": pa.schema(
        [("id", pa.string()), ("scope", pa.string()), ("label", _KEY), ("role", pa.string()), *_PLACE]
    ),
    "qrels": pa.schema([*_OF, ("scope", pa.string()), ("relevance", pa.float64()), *_PLACE]),
    "given": pa.schema([*_OF, ("score", pa.float64()), *_PLACE]),
}


@dataclass(frozen=True)
class Grades:
    """From which relevance a passage is a positive, and up to which a negative."""

    positive_at: float = 1.0
    negative_at: float = 0.0


def fill(evidence: Evidence, records: Iterable[Record], grades: Grades) -> None:
    """Take the records of a loader into the evidence; the store has `TABLES` too."""
    last = None
    for record in records:
        place = _id(record.file), record.row
        evidence.rows += place != last
        last = place
        try:
            _take(evidence, record, place)
        except Unusable as reason:
            evidence.note("unreadable", str(reason), *place)
    evidence.store.flush()
    _follow(evidence, grades)


def _take(evidence: Evidence, record: Record, place: tuple[str, int]) -> None:
    match record:
        case Query():
            _named(evidence, "queries", record.query_id, record.text, place)
            for label in record.labels or ():
                role = "label" if len(record.labels or ()) == 1 else "labels"
                row = (_id(record.query_id), record.split or "train", evidence.key(label), role, *place)
                evidence.store.append("labelled", row)
        case Passage():
            _named(evidence, "passages", record.passage_id, passage_text(record.title, record.text), place)
        case Qrel():
            ids = _id(record.query_id), _id(record.passage_id)
            evidence.store.append("qrels", (*ids, record.split or "train", record.relevance, *place))
        case Given():
            evidence.store.append("given", (_id(record.query_id), _id(record.passage_id), record.score, *place))
        case Reject():
            evidence.note("unreadable", record.reason, *place)


def _named(evidence: Evidence, table: str, name: str, text: str, place: tuple[str, int]) -> None:
    key = evidence.key(text)
    if key is None:
        evidence.note("empty_text", table.removesuffix("s"), *place)
    evidence.store.append(table, (_id(name), key, *place))


def _id(name: str) -> str:
    """Write a name so that it can be stored: as it is, unless it holds bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def _follow(evidence: Evidence, grades: Grades) -> None:
    run = evidence.store.run
    for of, to in (("queries", "query_keys"), ("passages", "passage_keys")):
        run(_IDS.format(of=of, to=to))
        run(_TWO.format(of=of))
    for of in ("qrels", "given"):
        run(f"""INSERT INTO notes SELECT 'unknown_id', concat('query ', query_id, ', passage ', passage_id), file, row
            FROM {of} WHERE query_id NOT IN (SELECT id FROM query_keys)
                OR passage_id NOT IN (SELECT id FROM passage_keys)""")
    # All rows of a query are one record: its negatives stand on lines of their own.
    run(
        """INSERT INTO pairs SELECT scope, 0, q.key, p.key, CASE WHEN relevance >= ? THEN 'positive'
            WHEN relevance <= ? THEN 'negative' ELSE 'graded' END, false,
            CASE WHEN isfinite(relevance) THEN NULL ELSE relevance END, file, row
        FROM qrels JOIN query_keys q ON query_id = q.id JOIN passage_keys p ON passage_id = p.id
        WHERE q.key IS NOT NULL AND p.key IS NOT NULL ORDER BY qrels.rowid""",
        grades.positive_at,
        grades.negative_at,
    )
    # A run ranks positives too, and what was judged not to be one: that is a negative already.
    run(
        """INSERT INTO pairs SELECT scope, 0, q.key, p.key, CASE WHEN relevance IS NULL THEN 'negative' ELSE 'known' END,
            false, score, file, row
        FROM given JOIN query_keys q ON query_id = q.id JOIN passage_keys p ON passage_id = p.id
        JOIN (SELECT query_id AS id, min(scope) AS scope FROM qrels GROUP BY query_id) s ON query_id = s.id
        LEFT JOIN (SELECT query_id, passage_id, max(relevance) AS relevance FROM qrels GROUP BY ALL) USING (query_id, passage_id)
        WHERE q.key IS NOT NULL AND p.key IS NOT NULL AND (relevance IS NULL OR relevance >= ?) ORDER BY given.rowid""",
        grades.positive_at,
    )
    run("""INSERT INTO pairs SELECT scope, 0, q.key, label, role, true, NULL, file, row
        FROM labelled JOIN query_keys q USING (id) WHERE q.key IS NOT NULL AND label IS NOT NULL ORDER BY labelled.rowid""")
