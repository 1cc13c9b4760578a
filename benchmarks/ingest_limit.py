"""The least that ingest must do, in one pass without a database: read, parse, normalise, hash, write Parquet.

`python benchmarks/ingest_limit.py FOLDER` on what beir_corpus.py wrote; nothing is checked, sorted or merged.
"""

import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embedder import schemas
from embedder.gathering import key
from embedder.texts import passage_text

ROWS = 65_536


def main(folder: Path) -> None:
    """Print the seconds of parsing alone, and of all of it."""
    for write in (False, True):
        start = time.perf_counter()
        with (folder / "corpus.jsonl").open(encoding="utf-8") as corpus:
            _read(corpus, folder / "limit.parquet" if write else None)
        print(f"{'read, parse, normalise, hash, write' if write else 'read, parse'}: {time.perf_counter() - start:.1f} s")
    (folder / "limit.parquet").unlink()


def _read(lines: "object", target: Path | None) -> None:
    rows: list[tuple[str, str, str]] = []
    writer = pq.ParquetWriter(target, schemas.CORPUS.schema, compression="zstd") if target else None
    for line in lines:  # type: ignore[attr-defined]
        row = json.loads(line)
        if writer is None:
            continue
        key(passage_text(row["title"], row["text"]))
        rows.append((row["_id"], row["title"], row["text"]))
        if len(rows) == ROWS:
            _flush(writer, rows)
    if writer is not None:
        _flush(writer, rows)
        writer.close()


def _flush(writer: pq.ParquetWriter, rows: list[tuple[str, str, str]]) -> None:
    if rows:
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schemas.CORPUS.schema))
        rows.clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
