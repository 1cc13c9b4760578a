"""Tests of embedder.shards."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedder import schemas
from embedder.filters import KEEP
from embedder.shards import Texts, describe, write_shards
from embedder.training_rows import Row
from tests import tables
from tests.tables import ints

ENTRY = tables.entry("retrieval", instruction="Find ünit", weight=0.5, instruct_passages=True)
# Passages p0 .. p9, candidates in rank order p1 .. p8 for each of 30 queries, positives p0 and p9.
QUERIES = {f"q{i:02}": f"query {i}" for i in range(30)}
PASSAGES = {f"p{i}": f"the text of passage {i}, " + f"words of {i} " * 50 for i in range(10)}


def _texts(*, judge: bool = False) -> Texts:
    rows = [(q, rank, f"p{rank}", 1 / rank) for q in QUERIES for rank in range(1, 9)]
    count = len(rows)
    candidates = schemas.build(
        schemas.JUDGED_CANDIDATES,
        {
            **{name: [row[i] for row in rows] for i, name in enumerate(schemas.RUN.schema.names)},
            "relevance": [None] * count,
            "positive_score": [2.0] * count,
            "margin": [0.5] * count,
            "verdict": [KEEP] * count,
            "refused_by": [0] * count,
            # Asked about the odd ranks.
            "judge_score": [rank / 8 if judge and rank % 2 else None for _, rank, *_ in rows],
            "positive_judge_score": [None] * count,
        },
    )
    judged = tables.judged((q, p, 1.0, score, None) for q in QUERIES for p, score in (("p0", 2.0), ("p9", 1.5)))
    judgements = tables.judgements(judged, scores={(q, "p9"): 0.75 for q in QUERIES} if judge else None)
    return Texts(tables.queries(QUERIES), tables.corpus(PASSAGES), candidates, judgements)


def _rows() -> list[Row]:
    return [
        Row(query, 2 * i + which, ints(2 * i, 2 * i + 1), ints(8 * i), ints(*range(8 * i + 1, 8 * i + 1 + i % 8)))
        for i, query in reversed(list(enumerate(QUERIES)))
        for which in (1, 0)
    ]


def _write(folder: Path, rows: list[Row] | None = None, size: int = 1000, *, judge: bool = False) -> list[Path]:
    texts = _texts(judge=judge)
    return write_shards(folder, "d", ENTRY, _rows() if rows is None else rows, texts, tables.MADE_BY, size)


def _expected() -> list[dict[str, Any]]:
    return [
        {
            "dataset": "d",
            "query_id": query,
            "positive_id": positive,
            "query": text,
            "instruction": "Find ünit",
            "positive": PASSAGES[positive],
            "positive_ids": ["p0", "p9"],
            "masked_ids": ["p1"],
            "positive_score": score,
            "negative_ids": [f"p{rank}" for rank in range(2, 2 + i % 8)],
            "negatives": [PASSAGES[f"p{rank}"] for rank in range(2, 2 + i % 8)],
            "negative_ranks": list(range(2, 2 + i % 8)),
            "negative_scores": [float(np.float32(1 / rank)) for rank in range(2, 2 + i % 8)],
            "positive_judge_score": None,
            "negative_judge_scores": None,
            "task": "retrieval",
            "teacher": "made-up",
            "teacher_revision": "0" * 40,
        }
        for i, (query, text) in enumerate(QUERIES.items())
        for positive, score in (("p0", 2.0), ("p9", 1.5))
    ]


def test_what_is_read_back_is_what_was_chosen(tmp_path: Path) -> None:
    """A shard has the declared columns and types, rows sorted by key, every text, id, rank and score in its place."""
    (path,) = _write(tmp_path)
    assert path.name == "d-00000.parquet"
    assert schemas.read(path, schemas.SHARD).to_pylist() == _expected()


def test_judge_scores_stand_beside_what_they_are_of(tmp_path: Path) -> None:
    """A shard has the judge's score of the positive and of each negative, null where it was not asked."""
    (path,) = _write(tmp_path, judge=True)
    scores = [rank / 8 if rank % 2 else None for rank in range(9)]
    expected = [
        row
        | {
            "positive_judge_score": 0.75 if row["positive_id"] == "p9" else None,
            "negative_judge_scores": [scores[rank] for rank in row["negative_ranks"]],
        }
        for row in _expected()
    ]
    assert schemas.read(path, schemas.SHARD).to_pylist() == expected


def test_rows_are_split_by_size(tmp_path: Path) -> None:
    """`size` rows go into a file, in order, the last file holding the rest."""
    paths = _write(tmp_path, size=25)
    assert [path.name for path in paths] == [f"d-{i:05}.parquet" for i in range(3)]
    parts = [schemas.read(path, schemas.SHARD) for path in paths]
    assert [part.num_rows for part in parts] == [25, 25, 10]
    assert pa.concat_tables(part.replace_schema_metadata() for part in parts).to_pylist() == _expected()


def test_metadata_holds_what_training_needs(tmp_path: Path) -> None:
    """The schema metadata names dataset, task, weight, instruction, language and licence, and what made the run."""
    (path,) = _write(tmp_path)
    assert schemas.metadata(pq.read_table(path)) == tables.MADE_BY | {
        "dataset": "d",
        "task": "retrieval",
        "weight": "0.5",
        "instruction": "Find ünit",
        "instruct_passages": "true",
        "language": ENTRY.language or "",
        "licence": ENTRY.licence,
    }


def test_a_second_write_is_the_same_bytes(tmp_path: Path) -> None:
    """Bytes depend on the rows, not on their order nor on the folder."""
    first, second = _write(tmp_path / "a"), _write(tmp_path / "b", rows=_rows()[::-1])
    assert first[0].read_bytes() == second[0].read_bytes()


def test_repeated_texts_are_stored_once(tmp_path: Path) -> None:
    """A shard whose texts repeat is a fraction of the same table written without dictionaries."""
    (path,) = _write(tmp_path)
    pq.write_table(pq.read_table(path), tmp_path / "plain", use_dictionary=False, compression="none")
    pq.write_table(
        pq.read_table(path), tmp_path / "zstd", use_dictionary=False, compression="zstd", compression_level=1
    )
    assert path.stat().st_size < (tmp_path / "plain").stat().st_size / 10
    assert path.stat().st_size < (tmp_path / "zstd").stat().st_size
    schema = pq.read_metadata(path).row_group(0)
    dictionary = {
        schema.column(i).path_in_schema for i in range(schema.num_columns) if schema.column(i).has_dictionary_page
    }
    assert {"query", "positive", "negatives.list.element", "instruction"} <= dictionary


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_hub_library_loads_shards_as_plain_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets.load_dataset` reads several shards offline, texts and lists of texts as strings."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    _write(tmp_path / "train", size=40)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "train" / "*.parquet"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert loaded.features["query"] == datasets.Value("string")
    assert loaded.features["negatives"] == datasets.List(datasets.Value("string"))
    assert list(loaded) == _expected()


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_without_negatives_keep_their_types(rows: int, tmp_path: Path) -> None:
    """A shard none of whose rows has a negative or a masked passage reads like any other."""
    bare = [Row(f"q{i:02}", 2 * i, ints(2 * i), ints(), ints()) for i in range(rows)]
    (path,) = _write(tmp_path, rows=bare)
    read = schemas.read(path, schemas.SHARD)
    assert read["negatives"].to_pylist() == read["masked_ids"].to_pylist() == [[]] * rows


def test_no_rows_are_no_files(tmp_path: Path) -> None:
    """A dataset without rows writes nothing."""
    assert _write(tmp_path, rows=[]) == []
    assert list(tmp_path.iterdir()) == []


def test_files_are_described_for_the_manifest(tmp_path: Path) -> None:
    """The description has each file's path below the root, its rows, bytes and sha256."""
    paths = _write(tmp_path / "train", size=40)
    described = list(describe(paths, tmp_path))
    assert [d["path"] for d in described] == ["train/d-00000.parquet", "train/d-00001.parquet"]
    assert [d["rows"] for d in described] == [40, 20]
    assert [d["bytes"] for d in described] == [path.stat().st_size for path in paths]
    assert [d["sha256"] for d in described] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
