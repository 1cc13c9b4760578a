"""The least that ingest must do, in one pass without a database: read, parse, normalise, hash, write Parquet.

`python benchmarks/ingest_limit.py FOLDER` on what beir_corpus.py wrote; nothing is checked, sorted or merged.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embedder import schemas
from embedder.ingestion.gathering import key
from embedder.texts import passage_text

ROWS = 65_536


def main(folder: Path) -> None:
    """Read corpus.jsonl of a folder and write limit.parquet beside it."""
    rows: list[tuple[str, str, str]] = []
    with (
        (folder / "corpus.jsonl").open(encoding="utf-8") as corpus,
        pq.ParquetWriter(folder / "limit.parquet", schemas.CORPUS.schema, compression="zstd") as writer,
    ):
        for line in corpus:
            row = json.loads(line)
            key(passage_text(row["title"], row["text"]))
            rows.append((row["_id"], row["title"], row["text"]))
            if len(rows) == ROWS:
                _flush(writer, rows)
        _flush(writer, rows)
    (folder / "limit.parquet").unlink()


def _flush(writer: pq.ParquetWriter, rows: list[tuple[str, str, str]]) -> None:
    if rows:
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schemas.CORPUS.schema))
        rows.clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
