"""Made-up training data in every form, clean or with one planted fault."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CARD = "---\nlicense: cc-by-4.0\n---\nMade up.\n"
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


@dataclass(frozen=True)
class Row:
    """A query with positives and negatives, and their scores."""

    query: str
    positives: Sequence[str]
    negatives: Sequence[str]
    positive_scores: Sequence[float] = ()
    negative_scores: Sequence[float] = ()


CLEAN = [
    Row(f"query {i}", [f"positive {i} {LONG}"], [f"negative {i} first", f"negative {i} second"], [9.0], [2.0, 1.0])
    for i in range(5)
]


@dataclass(frozen=True)
class Fault:
    """What is planted, the check that finds it, and where rows are the place."""

    check: str
    plant: Callable[[list[Row]], list[Row]]
    place: int
    forms: frozenset[str] = field(default=frozenset({"flag", "jsonl", "csv", "tsv", "parquet", "beir", "shards"}))


def _second(**changes: Any) -> Callable[[list[Row]], list[Row]]:  # noqa: ANN401 - fields of a row
    return lambda rows: [rows[0], replace(rows[1], **changes), *rows[2:]]


SCORED = frozenset({"flag", "shards"})
TABLES = frozenset({"flag", "jsonl", "csv", "tsv", "parquet"})
FAULTS = {
    "duplicate": Fault("duplicate_row", lambda rows: [*rows, rows[1]], 6),
    "positive among the row's negatives": Fault(
        "positive_in_negatives", _second(negatives=[f"POSITIVE  1 {LONG}", "negative 1 second"]), 2
    ),
    "positive of another row": Fault(
        "positive_of_other_row",
        lambda rows: [*rows, replace(rows[1], positives=["another answer"], negatives=[rows[1].positives[0], "other"])],
        6,
        TABLES | {"shards"},
    ),
    "query among its negatives": Fault("query_in_negatives", _second(negatives=["Query 1", "negative 1 second"]), 2),
    "query is its own positive": Fault("query_is_positive", _second(positives=["QUERY  1 "]), 2),
    "near copy": Fault("near_copy", _second(negatives=[f"positive 1 {LONG} more", "negative 1 second"]), 2),
    "repeated negative": Fault("repeated_negative", _second(negatives=["negative 1", "Negative 1"]), 2),
    "empty negative": Fault("empty_text", _second(negatives=[" \u00a0", "negative 1 second"]), 2),
    "empty query": Fault("empty_text", _second(query=""), 2),
    "infinite score": Fault("score_not_finite", _second(negative_scores=[2.0, float("inf")]), 2, SCORED),
    "no number": Fault("score_not_finite", _second(positive_scores=[float("nan")]), 2, SCORED),
    "negative above the positive": Fault("above_positive", _second(negative_scores=[9.5, 1.0]), 2, SCORED),
    "same positive, other negatives": Fault(
        "repeated_positive", lambda rows: [*rows, replace(rows[1], negatives=["new", "newer"])], 6, TABLES | {"shards"}
    ),
}


def write(form: str, folder: Path, rows: Sequence[Row]) -> Path:
    """Write rows in a form, with a card that states a licence; return what is to be audited."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(CARD)
    return WRITERS[form](folder, rows)


def _flag(folder: Path, rows: Sequence[Row]) -> Path:
    return _jsonl(
        folder / "mined.jsonl",
        [
            {"query": r.query, "pos": r.positives, "neg": r.negatives}
            | {"pos_scores": r.positive_scores, "neg_scores": r.negative_scores, "prompt": "Find it"}
            for r in rows
        ],
    )


def _tuples(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [
        {"anchor": r.query, "positive": r.positives[0], "negative_1": r.negatives[0], "negative_2": r.negatives[1]}
        for r in rows
    ]


def _jsonl(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def separated(path: Path, rows: Sequence[Mapping[str, object]], delimiter: str) -> Path:
    """Write CSV or TSV with quotes where they are needed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _parquet(folder: Path, rows: Sequence[Row]) -> Path:
    pq.write_table(pa.Table.from_pylist(_tuples(rows)), folder / "train.parquet")
    return folder / "train.parquet"


def _beir(folder: Path, rows: Sequence[Row]) -> Path:
    passages = list(dict.fromkeys(text for r in rows for text in (*r.positives, *r.negatives)))
    ids = {text: f"p{i}" for i, text in enumerate(passages)}
    queries = list(dict.fromkeys(r.query for r in rows))
    _jsonl(folder / "corpus.jsonl", [{"_id": ids[text], "title": "", "text": text} for text in passages])
    _jsonl(folder / "queries.jsonl", [{"_id": f"q{i}", "text": text} for i, text in enumerate(queries)])
    lines = [
        f"q{queries.index(r.query)}\t{ids[text]}\t{relevance}\n"
        for r in rows
        for relevance, texts in ((1, r.positives), (0, r.negatives))
        for text in texts
    ]
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return folder


def shard_rows(rows: Sequence[Row], task: str = "retrieval") -> list[dict[str, object]]:
    """Return rows as shards have them; ids are made of the texts."""
    return [
        {
            "dataset": "docs",
            "query_id": f"q{i}",
            "positive_id": r.positives[0],
            "query": r.query,
            "instruction": "Find it",
            "positive": r.positives[0],
            "positive_ids": list(r.positives),
            "masked_ids": [],
            "positive_score": (r.positive_scores or [9.0])[0],
            "negative_ids": list(r.negatives),
            "negatives": list(r.negatives),
            "negative_ranks": list(range(2, 2 + len(r.negatives))),
            "negative_scores": list(r.negative_scores or [1.0] * len(r.negatives)),
            "task": task,
            "teacher": "bm25",
            "teacher_revision": "0",
        }
        for i, r in enumerate(rows)
    ]


def write_shard(folder: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a shard of the dataset `docs`; return data/materialize."""
    (folder / "train").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "train" / "docs-00000.parquet")
    (folder / "manifest.json").write_text(json.dumps({"datasets": {"docs": {"licence": "CC-BY-4.0"}}}))
    return folder


WRITERS: Mapping[str, Callable[[Path, Sequence[Row]], Path]] = {
    "flag": _flag,
    "jsonl": lambda folder, rows: _jsonl(folder / "train.jsonl", _tuples(rows)),
    "csv": lambda folder, rows: separated(folder / "train.csv", _tuples(rows), ","),
    "tsv": lambda folder, rows: separated(folder / "train.tsv", _tuples(rows), "\t"),
    "parquet": _parquet,
    "beir": _beir,
    "shards": lambda folder, rows: write_shard(folder, shard_rows(rows)),
}
