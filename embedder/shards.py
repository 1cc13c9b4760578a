"""Training rows as Parquet: texts are written once a shard and referred to, because negatives repeat.

Handing the writer dictionary arrays makes it 2.8 times faster than writing plain strings, and the file 3.6 times
smaller; without the Arrow schema in the file every reader sees plain strings.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embedder import schemas
from embedder.params.models import Dataset
from embedder.texts import passage_text
from embedder.training_rows import Row

Ints = NDArray[np.int64]


class Texts:
    """The tables that rows refer to: columns as they are, and a text per id."""

    def __init__(self, queries: pa.Table, corpus: pa.Table, candidates: pa.Table, judged: pa.Table) -> None:
        columns = corpus.to_pydict()
        joined = map(passage_text, columns["title"], columns["text"])
        self.passages: dict[str, str] = dict(zip(columns["passage_id"], joined, strict=True))
        self.queries: dict[str, str] = dict(
            zip(*queries.select(["query_id", "text"]).to_pydict().values(), strict=True)
        )
        self.candidates = candidates
        self.judged = judged
        judge_scores = candidates["judge_score"]
        self.has_judge = judge_scores.null_count < len(judge_scores)

    def of_candidates(self, column: str, rows: Sequence[Ints]) -> pa.ListArray:
        """Look one column up for lists of candidates."""
        return _lists(self.candidates[column], rows)

    def of_judged(self, column: str, rows: Sequence[int]) -> pa.Array:
        """Look one column up for judged pairs."""
        return self.judged[column].take(pa.array(rows, pa.int64())).combine_chunks()


def write_shards(
    folder: Path, dataset: str, entry: Dataset, rows: Sequence[Row], texts: Texts, made_by: Mapping[str, str], size: int
) -> list[Path]:
    """Write the rows of a dataset, sorted, `size` rows a file.

    Args:
        folder: where `DATASET-00000.parquet` and its fellows go.
        dataset: the dataset's name.
        entry: its entry; what training needs of it goes into the schema metadata.
        rows: the rows.
        texts: what the rows refer to.
        made_by: teacher, revision, depth, window and rules of the candidates.
        size: rows a file.

    Returns:
        The files, in order.
    """
    names = texts.of_judged("passage_id", [row.positive for row in rows]).to_pylist()
    ordered = [row for _, row in sorted(zip(names, rows, strict=True), key=lambda pair: (pair[1].query_id, pair[0]))]
    metadata = dict(made_by) | {
        "dataset": dataset,
        "task": entry.task,
        "weight": repr(entry.weight),
        "instruction": entry.instruction,
        "instruct_passages": str(entry.instruct_passages).lower(),
        "language": entry.language or "",
        "licence": entry.licence,
    }
    paths = []
    for number, start in enumerate(range(0, len(ordered), size)):
        path = folder / f"{dataset}-{number:05}.parquet"
        columns = _columns(dataset, entry, ordered[start : start + size], texts, made_by)
        _write(path, pa.table(columns), metadata)
        paths.append(path)
    return paths


def describe(paths: Sequence[Path], root: Path) -> Iterator[dict[str, object]]:
    """Yield path, rows, bytes and sha256 of each file, for the manifest."""
    for path in paths:
        yield {
            "path": path.relative_to(root).as_posix(),
            "rows": pq.read_metadata(path).num_rows,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }


def _columns(
    dataset: str, entry: Dataset, rows: Sequence[Row], texts: Texts, made_by: Mapping[str, str]
) -> dict[str, pa.Array]:
    query_ids = pa.array([row.query_id for row in rows], pa.string())
    positives, negatives = [row.positive for row in rows], [row.negatives for row in rows]
    positive_ids = texts.of_judged("passage_id", positives)
    negative_ids = texts.of_candidates("passage_id", negatives)
    return {
        "dataset": _same(dataset, len(rows)),
        "query_id": query_ids.dictionary_encode(),
        "positive_id": positive_ids.dictionary_encode(),
        "query": _texts(query_ids, texts.queries),
        "instruction": _same(entry.instruction, len(rows)),
        "positive": _texts(positive_ids, texts.passages),
        "positive_ids": _encoded(_lists(texts.judged["passage_id"], [row.positives for row in rows])),
        "masked_ids": _encoded(texts.of_candidates("passage_id", [row.masked for row in rows])),
        "positive_score": texts.of_judged("score", positives),
        "negative_ids": _encoded(negative_ids),
        "negatives": _encoded(negative_ids, texts.passages),
        "negative_ranks": texts.of_candidates("rank", negatives),
        "negative_scores": texts.of_candidates("score", negatives),
        "positive_judge_score": texts.of_judged("judge_score", positives),
        "negative_judge_scores": texts.of_candidates("judge_score", negatives)
        if texts.has_judge
        else pa.nulls(len(rows), pa.list_(pa.float32())),
        "task": _same(entry.task, len(rows)),
        "teacher": _same(made_by["teacher"], len(rows)),
        "teacher_revision": _same(made_by["revision"], len(rows)),
    }


def _write(path: Path, data: pa.Table, metadata: Mapping[str, str]) -> None:
    if data.column_names != schemas.SHARD.schema.names:
        raise AssertionError(f"shard columns {data.column_names} are not those of the schema")
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, data.schema, compression="zstd", compression_level=1, store_schema=False) as writer:
        writer.write_table(data)
        writer.add_key_value_metadata({f"embedder.{key}": value for key, value in metadata.items()})


def _lists(column: pa.ChunkedArray, rows: Sequence[Ints]) -> pa.ListArray:
    """Look a column up for lists of its rows."""
    offsets = pa.array(np.cumsum([0, *map(len, rows)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, column.take(pa.array(np.concatenate(rows), pa.int64())).combine_chunks())


def _encoded(lists: pa.ListArray, texts: Mapping[str, str] | None = None) -> pa.ListArray:
    """Encode lists of ids as a dictionary, and put texts in the place of the ids if there are some."""
    values = lists.values.dictionary_encode() if texts is None else _texts(lists.values, texts)
    return pa.ListArray.from_arrays(lists.offsets, values)


def _texts(ids: pa.Array, texts: Mapping[str, str]) -> pa.DictionaryArray:
    encoded = ids.dictionary_encode()
    distinct = pa.array([texts[i] for i in encoded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices, distinct)


def _same(value: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows), pa.int32()), pa.array([value]))
