"""Rows of JSONL, CSV, TSV and Parquet files as mappings, one by one, whatever state the file is in."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from embedder.errors import SourceError, unknown
from embedder.loaders.lines import MAX_LINE, lines, open_text
from embedder.records import Reject

Format = Literal["jsonl", "csv", "tsv", "parquet"]
Found = tuple[int, Mapping[str, Any] | Reject]
"""The number of a row, and its values by column, or why it is none."""

_BATCH = 1024


def read(
    path: Path, form: Format, *, header: bool = True, quoting: bool | None = None, columns: Sequence[str] = ()
) -> Iterator[Found]:
    """Yield the rows of a file, numbered as an editor numbers lines.

    Args:
        path: the file; JSONL, CSV and TSV may be packed (.gz).
        form: what it is.
        header: whether the first row of CSV and TSV names the columns; without, they are "1", "2", ...
        quoting: whether quotes in CSV and TSV enclose cells that hold separators or line ends; without, they are text.
            None: as usual, in CSV they do (RFC 4180), in TSV they don't.
        columns: those that are needed; other columns of Parquet are not read.

    Raises:
        SourceError: the file cannot be read, is empty, or lacks one of `columns`.
    """
    if form == "jsonl":
        return _jsonl(path)
    if form == "parquet":
        return _parquet(path, columns)
    quoted = form == "csv" if quoting is None else quoting
    return _separated(path, "," if form == "csv" else "\t", header=header, quoting=quoted, columns=columns)


def format_of(path: Path) -> Format:
    """Say by a file's ending what it is.

    Raises:
        SourceError: the ending is unknown.
    """
    ending = path.suffixes[-2:-1] if path.suffix == ".gz" else [path.suffix]
    forms: dict[str, Format] = {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".tsv": "tsv",
        ".parquet": "parquet",
    }
    if not ending or ending[0] not in forms:
        raise SourceError(f"{path}: unknown ending; use one of {', '.join(forms)} or say format: in its source")
    return forms[ending[0]]


def _jsonl(path: Path) -> Iterator[Found]:
    for number, line in lines(path):
        if line is None:
            yield number, Reject("row", "", "line_too_long", path.name, number)
        elif line.strip():
            yield number, _object(line, path, number)


def _object(line: str, path: Path, number: int) -> Mapping[str, Any] | Reject:
    try:
        # ValueError also covers numbers of more digits than Python converts; deep nesting ends in RecursionError.
        found = json.loads(line)
    except (ValueError, RecursionError):
        return Reject("row", "", "not_json", path.name, number)
    return found if isinstance(found, dict) else Reject("row", "", "not_an_object", path.name, number)


def _separated(path: Path, separator: str, *, header: bool, quoting: bool, columns: Sequence[str]) -> Iterator[Found]:
    rows = _quoted(path, separator) if quoting else _unquoted(path, separator)
    names: list[str] | None = None
    for number, cells in rows:
        if cells is None:
            yield number, Reject("row", "", "line_too_long", path.name, number)
            continue
        if names is None:
            names = [cell.strip() for cell in cells] if header else [str(i) for i in range(1, len(cells) + 1)]
            _check_columns(path, names, columns)
            if header:
                continue
        if len(cells) < len(names):
            yield number, Reject("row", "", "too_few_cells", path.name, number)
        else:
            # More cells than names: a source with optional trailing columns (STS-B has 9 columns in 503 of its rows).
            yield number, dict(zip(names, cells, strict=False))


def _unquoted(path: Path, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    for number, line in lines(path):
        if line is None:
            yield number, None
        elif line.strip():
            yield number, line.split(separator)


def _quoted(path: Path, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    csv.field_size_limit(MAX_LINE)
    with open_text(path, newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise SourceError(
                    f"{path}:{number}: not a quoted {'CSV' if separator == ',' else 'TSV'} row ({error}); "
                    "if quotes are text in this file, set quoting: false"
                ) from error
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield number, cells


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Found]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        _check_columns(path, file.schema_arrow.names, columns)
        number = 0
        for batch in file.iter_batches(_BATCH, columns=list(columns) or None):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: not a readable Parquet file ({error}); write or copy it again") from error


def _check_columns(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            raise SourceError(f"{path}: {unknown('column', column, list(islice(names, 30)))}")
