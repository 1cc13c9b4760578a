"""From a loader's records to the tables of ingest: cleaned, identity settled, labels made passages, everything counted.

The order matters: conflicts are refused before texts are merged; labels become passages once queries are settled and
divided, so that no dev text is one; elsewhere judgements first point at what remains, because they keep queries
together; and what nobody can use goes last.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from embedder import files, row_groups, schemas
from embedder.errors import SourceError
from embedder.ingestion import identity, labels, splits
from embedder.ingestion.gathering import Gatherer
from embedder.loaders import Source
from embedder.params.models import Dataset, Ingest
from embedder.store import Store

KINDS = ("query", "passage", "qrel", "given")
_PLURALS = {"query": "queries", "passage": "passages", "qrel": "qrels", "given": "given negatives", "row": "rows"}

# A BEIR folder has the queries of all its splits in one file: those of splits that nobody asked for are no fault; and
# what hangs on a refused query is lost with it, not by itself.
_FOLLOW = ("not_judged", "query_refused")

Counts = dict[str, int]


@dataclass(frozen=True)
class Settled:
    """A source whose tables are ready to be written, and what report.json says of them."""

    store: Store
    report: dict[str, object]

    def batches(self, table: schemas.Table) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one of the tables of ingest, sorted by its key."""
        yield from self.store.batches(f"{_SELECT[table.name]} ORDER BY {', '.join(table.key)}")

    def select(self, table: str, columns: str = "*", rest: str = "") -> pa.Table:
        """Return columns of one of the tables, as SQL; `rest` follows the table's name."""
        return self.store.arrow(f"SELECT {columns} FROM ({_SELECT[table]}) {rest}")

    def blocks(self, table: str, rows: int) -> Iterator[dict[str, list[str]]]:
        """Yield one of the tables in blocks of columns, sorted by its ids."""
        for batch in self.store.batches(f"{_SELECT[table]} ORDER BY 1", rows):
            yield batch.to_pydict()


_SELECT = {
    "queries": """SELECT k.query_id, text, k.split, k.group_id, k.labels FROM kept_queries k
        JOIN queries q ON q.nth = k.chosen""",
    "corpus": """SELECT s.passage_id, title, text FROM settled_passages s JOIN passages p ON p.nth = s.chosen""",
    "qrels": "SELECT query_id, passage_id, relevance FROM settled_qrels SEMI JOIN kept_queries USING (query_id)",
    "given": """SELECT query_id, rank, passage_id, score FROM settled_given SEMI JOIN kept_queries USING (query_id)""",
    "aliases": """SELECT 'query' AS kind, query_id AS id, kept AS merged_into FROM query_ids WHERE query_id <> kept
        UNION ALL SELECT 'passage', passage_id, kept FROM passage_ids WHERE passage_id <> kept""",
    "rejects": "SELECT kind, id, reason, file, row, action FROM notes",
}


def settle(source: Source, entry: Dataset, settings: Ingest, store: Store) -> Settled:
    """Read a source into `store` and settle what its rows are.

    Args:
        source: what the loader opened.
        entry: the dataset's entry; label tasks take their passages from the queries' labels.
        settings: how texts are cut.
        store: empty, with `gathering.TABLES`.

    Raises:
        SourceError: the source cannot be read, one id has two texts, or no query or no passage is left.
    """
    gatherer = Gatherer(store, settings.max_characters)
    gatherer.gather(source.records)
    read = dict(gatherer.read)
    if source.one_label:
        labels.refuse_conflicts(store)
    identity.settle_queries(store)
    if entry.labelled:
        labels.refuse_lonely(store)
        splits.divide(store, source.dev_share, None)
        read = _with_labels(store, entry, source.label_names, read)
    identity.settle_passages(store)
    merged = {"qrel": identity.settle_qrels(store), "given": identity.settle_given(store)}
    if not entry.labelled:
        splits.divide(store, source.dev_share, _links(entry))
    _refuse_unusable(store, entry)
    return Settled(store, _report(store, source.facts, read, merged))


def write(settled: Settled, folder: Path) -> None:
    """Write the tables of ingest and report.json; `given` only where the source has mined negatives."""
    tables = [schemas.QUERIES, schemas.CORPUS, schemas.QRELS, schemas.ALIASES, schemas.REJECTS]
    for table in tables:
        row_groups.write(folder / f"{table.name}.parquet", table, settled.batches(table))
    if settled.store.rows["given"]:
        scored = settled.store.one("SELECT count(score) > 0 FROM settled_given")
        metadata = {"scores": "given" if scored else "place"}
        row_groups.write(folder / "given.parquet", schemas.GIVEN, settled.batches(schemas.GIVEN), metadata)
    files.write_json(folder / "report.json", settled.report)


def check(settled: Settled, most: float) -> None:
    """Refuse a source of which nothing is left, or which loses too much.

    Raises:
        SourceError: names the reason that dominates, and where it is first found.
    """
    kept, read, rejected = (_counts(settled.report[name]) for name in ("kept", "read", "rejected"))
    reasons = _counts(settled.report["reject_reasons"])
    followed = {kind: sum(_counts(reasons.get(kind)).get(reason, 0) for reason in _FOLLOW) for kind in (*KINDS, "row")}
    lost = {kind: rejected.get(kind, 0) - followed[kind] for kind in followed}
    shares = {kind: lost[kind] / read[kind] for kind in lost if read.get(kind)}
    for kind in ("query", "passage"):
        if not kept[kind]:
            raise SourceError(
                f"no {kind} is left of {read[kind]:,} read; {_dominant(settled.store, list(rejected))}; "
                "check the columns that the entry's source names"
            )
    kind = max(shares, key=lambda kind: shares[kind])
    if shares[kind] > most:
        raise SourceError(
            f"{lost[kind]:,} of {read[kind]:,} {_PLURALS[kind]} ({shares[kind]:.1%}) are refused, more than "
            f"max_reject_share {most} allows; {_dominant(settled.store, [kind])}; correct the source or its entry, or "
            "raise ingest.max_reject_share (the dataset's `ingest` overrides it); --dry-run shows what there is"
        )


def notices(settled: Settled, entry: Dataset) -> Iterator[str]:
    """Say what will have nothing to train or to measure: no fault of the source, but seldom meant."""
    splits_ = _counts(settled.report["queries_by_split"])
    if not splits_.get("dev"):
        yield "no dev query, so nothing to evaluate: name a split for dev, or set source.dev_share: 0.1"
    if not entry.weight:
        return
    if not splits_.get("train"):
        yield "no train query, so nothing to train: name a split for train, or set weight: 0"
    elif not settled.store.one(
        """SELECT count(*) FROM settled_qrels JOIN kept_queries USING (query_id)
        WHERE split = 'train' AND relevance >= ?::FLOAT""",
        entry.positive_at,
    ):
        highest = settled.store.one("SELECT max(relevance) FROM settled_qrels")
        yield f"no train query has a positive: the highest relevance is {highest}, positive_at {entry.positive_at}"


def summary(report: Mapping[str, object]) -> str:
    """Say in one line how many rows were kept, merged and rejected."""
    said = []
    for action in ("kept", "merged", "rejected"):
        counts = {
            kind: count
            for kind, count in _counts(report[action]).items()
            if count and (kind, action) != ("row", "kept")
        }
        rows = ", ".join(f"{count:,} {_PLURALS.get(kind, f'{kind}s')}" for kind, count in counts.items())
        said.append(f"{action} {rows or 'nothing'}")
    aside = report["rows_of_other_splits"]
    return "; ".join([*said, f"left aside {aside:,} rows of other splits"] if aside else said)


def _with_labels(store: Store, entry: Dataset, names: Mapping[str, str], read: Counts) -> Counts:
    """Make passages and qrels of labels; return how many of each kind there are to be settled."""
    tables = {"passage": "passages", "qrel": "qrels"}
    before = {kind: store.one(f"SELECT count(*) FROM {table}") for kind, table in tables.items()}
    if entry.label_mode == "label":
        labels.label_passages(store, names)
    else:
        labels.example_passages(store)
    made = {kind: store.one(f"SELECT count(*) FROM {table}") - before[kind] for kind, table in tables.items()}
    return read | {kind: read[kind] + made[kind] for kind in made}


def _links(entry: Dataset) -> str | None:
    """Which judgements keep a query and a passage on one side: any of a pair to be graded, else positives."""
    if entry.labelled:
        return None
    return "true" if entry.task == "sts" else f"relevance >= {entry.positive_at}::FLOAT"


def _refuse_unusable(store: Store, entry: Dataset) -> None:
    """Make `kept_queries`, and note the others and their judgements."""
    store.run(f"""
        CREATE OR REPLACE TABLE usable AS
        SELECT s.query_id, s.chosen, s.split, s.group_id, s.labels, CASE
            WHEN {entry.labelled} THEN CASE WHEN coalesce(len(s.labels), 0) = 0 THEN 'no_label' END
            WHEN coalesce(judged, 0) = 0 THEN 'not_judged'
            WHEN {entry.task != "sts"} AND positives = 0 THEN 'no_positive' END AS reason
        FROM settled_queries s LEFT JOIN (
            SELECT query_id, count(*) AS judged, count(*) FILTER (relevance >= {entry.positive_at}::FLOAT) AS positives
            FROM settled_qrels GROUP BY query_id) USING (query_id)""")
    store.run("""
        INSERT INTO notes SELECT 'query', u.query_id, reason, file, row, 'refused'
        FROM usable u JOIN queries q ON q.nth = u.chosen WHERE reason IS NOT NULL""")
    store.run("CREATE OR REPLACE TABLE kept_queries AS SELECT * EXCLUDE reason FROM usable WHERE reason IS NULL")
    for kind, table in (("qrel", "settled_qrels"), ("given", "settled_given")):
        store.run(f"""
            INSERT INTO notes SELECT '{kind}', query_id || chr(9) || passage_id, 'query_refused', file, row, 'refused'
            FROM {table} ANTI JOIN kept_queries USING (query_id)""")


def _report(store: Store, facts: Mapping[str, object], read: Counts, merged: Counts) -> dict[str, object]:
    """Count rows: read = kept + merged + rejected for each kind."""
    noted: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(dict))
    for action, kind, reason, count in store.all(
        "SELECT action, kind, reason, count(*) FROM notes GROUP BY ALL ORDER BY ALL"
    ):
        noted[action][kind][reason] = count
    kept = {
        kind: store.one(f"SELECT count(*) FROM ({_SELECT[table]})") for kind, table in zip(KINDS, _TABLES, strict=True)
    }
    rejected = {kind: sum(noted["refused"].get(kind, {}).values()) for kind in sorted({*KINDS, *noted["refused"]})}
    merged = _merged_texts(store) | merged
    _check_sums(read, kept, merged, rejected)
    rows, left_aside = _rows_of(facts, "rows"), _rows_of(facts, "of_other_splits")
    if rows:
        # Rows of tables, several records each; where each line is one record (BEIR), the records are counted alone.
        rows -= left_aside
        read, kept, merged = read | {"row": rows}, kept | {"row": rows - rejected.get("row", 0)}, merged | {"row": 0}
    return {
        "source": dict(facts),
        "read": read,
        "kept": kept,
        "merged": merged,
        "rejected": rejected,
        "reject_reasons": dict(noted["refused"]),
        "merge_reasons": dict(noted["merged"]),
        "repairs": dict(noted["repaired"]),
        "rows_of_other_splits": left_aside,
        "queries_by_split": dict(store.all("SELECT split, count(*) FROM kept_queries GROUP BY split ORDER BY split")),
    }


_TABLES = ("queries", "corpus", "qrels", "given")


def _rows_of(facts: Mapping[str, object], which: str) -> int:
    return sum(count.get(which, 0) for count in facts.values() if isinstance(count, dict))


def _merged_texts(store: Store) -> Counts:
    """Count the queries and passages that became another: those that repeat an id, and those with another id."""
    repeats = dict(store.all("SELECT kind, count(*) FROM notes WHERE reason = 'same_id_and_text' GROUP BY kind"))
    aliases = dict(store.all(f"SELECT kind, count(*) FROM ({_SELECT['aliases']}) GROUP BY kind"))
    return {kind: repeats.get(kind, 0) + aliases.get(kind, 0) for kind in ("query", "passage")}


def _check_sums(read: Counts, kept: Counts, merged: Counts, rejected: Counts) -> None:
    for kind in KINDS:
        if read[kind] != kept[kind] + merged[kind] + rejected[kind]:
            raise AssertionError(
                f"{read[kind]} {_PLURALS[kind]} were read, but {kept[kind]} kept, {merged[kind]} merged and "
                f"{rejected[kind]} rejected"
            )


def _dominant(store: Store, kinds: list[str]) -> str:
    marks = ", ".join("?" * len(kinds))
    found = store.all(
        f"""
        SELECT reason, count(*), min(struct_pack(file := file, row := row)) FROM notes
        WHERE action = 'refused' AND kind IN ({marks}) GROUP BY reason
        ORDER BY reason IN ?, count(*) DESC, reason LIMIT 1""",
        *kinds,
        list(_FOLLOW),
    )
    if not found:
        return "nothing was refused"
    reason, count, first = found[0]
    return f"most for {reason} ({count:,}, first at {first['file']}:{first['row']})"


def _counts(found: object) -> Counts:
    return found if isinstance(found, dict) else {}
