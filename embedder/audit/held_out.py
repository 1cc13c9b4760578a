"""What `--against` names: dev queries and their positives, of a BEIR folder or of our own data/ingest."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas
from embedder.audit.advice import advising
from embedder.audit.evidence import Evidence, key_of, put_keys
from embedder.audit.findings import HeldOut
from embedder.audit.gathered import Grades
from embedder.audit.near import Rule, of_held_out
from embedder.errors import SourceError
from embedder.ingestion.cleaning import clean_text, printable
from embedder.loaders import beir
from embedder.records import Passage, Qrel, Query
from embedder.store import Store
from embedder.texts import normalise, passage_text

TABLES = {
    "held_out": pa.schema(
        [("key", pa.binary(16)), ("kind", pa.string()), ("text", pa.string()), ("held_by", pa.string())]
    )
}
# How files that are for evaluation are called.
DEV = re.compile(r"(^|[^a-z])(dev|test|valid|validation|eval)([^a-z]|$)")

Text = tuple[Literal["query", "passage"], str]


def take(evidence: Evidence, folders: Sequence[Path], grades: Grades) -> None:
    """Fill `held_out` with the dev queries and dev positives of folders.

    Raises:
        SourceError: a folder is neither a BEIR folder nor data/ingest, or its qrels hold nothing out.
    """
    with advising():
        for folder in folders:
            for text in _texts(folder, grades):
                _hold(evidence, text, printable(str(folder)))


def counts(store: Store, folders: Sequence[Path]) -> tuple[HeldOut, ...]:
    """Count the different texts that each folder holds out."""
    names = dict.fromkeys(printable(str(folder)) for folder in folders)
    sql = "SELECT held_by, kind, count(DISTINCT key) FROM held_out GROUP BY ALL"
    found = {(by, kind): count for by, kind, count in store.all(sql)}
    return tuple(HeldOut(name, found.get((name, "query"), 0), found.get((name, "passage"), 0)) for name in names)


def compare(evidence: Evidence, rule: Rule | None) -> None:
    """Fill `leaks` with what is trained on and held out; exactly, and by `rule` nearly."""
    store = evidence.store
    exact = store.all("SELECT key, min(held_by) FROM held_out GROUP BY key ORDER BY key")
    near = of_held_out(store, rule) if rule and exact else []
    rows = [(key, False, by) for key, by in exact] + [(key, True, by) for key, by in near]
    put_keys(store, "leaks", zip(*rows, strict=True) if rows else ((), (), ()))


def _hold(evidence: Evidence, held: Text, folder: str) -> None:
    kind, text = held
    cleaned = clean_text(text, len(text))
    if isinstance(cleaned, str) or not (folded := normalise(cleaned.text)):
        return
    evidence.store.append("held_out", (key_of(folded), kind, folded, folder), len(folded))


def _texts(folder: Path, grades: Grades) -> Iterator[Text]:
    folder = folder / "ingest" if (folder / "ingest").is_dir() else folder
    ingested = sorted(
        path.parent for path in [folder / "queries.parquet", *folder.glob("*/queries.parquet")] if path.is_file()
    )
    if ingested:
        for each in ingested:
            yield from _ingested(each, grades)
    elif (folder / "qrels").is_dir():
        yield from _beir(folder, grades)
    else:
        raise SourceError(
            f"{folder}: is neither a BEIR folder (corpus.jsonl, queries.jsonl, qrels/) nor a project's data; correct --against"
        )


def _ingested(folder: Path, grades: Grades) -> Iterator[Text]:
    queries, corpus, qrels = (
        schemas.read(folder / f"{table.name}.parquet", table)
        for table in (schemas.QUERIES, schemas.CORPUS, schemas.QRELS)
    )
    dev = queries.filter(pc.equal(queries["split"], "dev"))
    yield from (("query", text) for text in dev["text"].to_pylist())
    # The passages of label tasks are labels or examples of them: they belong to both splits.
    unlabelled = dev.filter(pc.is_null(dev["labels"]))["query_id"].combine_chunks()
    relevant = schemas.positives(qrels, grades.positive_at)
    answers = relevant.filter(pc.is_in(relevant["query_id"], unlabelled))["passage_id"].combine_chunks()
    held = corpus.filter(pc.is_in(corpus["passage_id"], answers))
    for title, text in zip(held["title"].to_pylist(), held["text"].to_pylist(), strict=True):
        yield "passage", passage_text(title, text)


def _beir(folder: Path, grades: Grades) -> Iterator[Text]:
    found = splits_of(folder)
    if not any(DEV.search(split.lower()) for split in found):
        raise SourceError(
            f"{folder / 'qrels'}: holds nothing out, it has no dev, validation, valid or test .tsv (there are: "
            f"{', '.join(map(printable, found)) or 'none'}); correct --against"
        )
    for split in found:
        if split != "train":
            yield from _split(folder, beir.Options(loader="beir", splits={"dev": split}), grades)


def _split(folder: Path, options: beir.Options, grades: Grades) -> Iterator[Text]:
    judged = [record for record in beir.load(options, folder).records if isinstance(record, Qrel)]
    queries = {qrel.query_id for qrel in judged}
    answers = {qrel.passage_id for qrel in judged if qrel.relevance >= grades.positive_at}
    for record in beir.load(options, folder).records:
        if isinstance(record, Query) and record.query_id in queries:
            yield "query", record.text
        elif isinstance(record, Passage) and record.passage_id in answers:
            yield "passage", passage_text(record.title, record.text)


def splits_of(folder: Path) -> list[str]:
    """Return the names of a BEIR folder's qrels."""
    files = [path.name.removesuffix(".gz") for path in (folder / "qrels").glob("*.tsv*")]
    return sorted({name.removesuffix(".tsv") for name in files if name.endswith(".tsv")})
