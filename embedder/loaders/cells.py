"""Rows of JSONL, CSV, TSV and Parquet files as mappings, one by one, whatever state the file is in."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from embedder.errors import SourceError, unknown
from embedder.loaders.lines import MAX_LINE, lines, open_text
from embedder.records import Reject

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["jsonl", "csv", "tsv", "parquet"]
Found = tuple[int, Mapping[str, Any] | Reject]
"""The number of a row, and its values by column, or why it is none."""

_BATCH = 1024
# How many rows tell the columns of a file, and how many columns are remembered for a message.
_FIRST, _NAMED = 100, 1000


def read(
    path: Path,
    form: Format,
    *,
    name: str | None = None,
    header: bool = True,
    quoting: bool | None = None,
    columns: Sequence[str] = (),
) -> Iterator[Found]:
    """Yield the rows of a file, numbered as an editor numbers lines.

    Args:
        path: the file; JSONL, CSV and TSV may be packed (.gz).
        form: what it is.
        name: what rejects call the file; None: its own name.
        header: whether the first row of CSV and TSV names the columns; without, they are "1", "2", ...
        quoting: whether quotes in CSV and TSV enclose cells that hold separators or line ends; without, they are text.
            None: as usual, in CSV they do (RFC 4180), in TSV they don't.
        columns: those that are needed; other columns of Parquet are not read.

    Raises:
        SourceError: the file cannot be read, is empty, or lacks one of `columns`. Rows of JSONL may leave keys out, so
            there a column is lacking that no row has, which is known at the end.
    """
    said = path.name if name is None else name
    if form == "jsonl":
        return _jsonl(path, said, columns)
    if form == "parquet":
        return _parquet(path, columns)
    quoted = form == "csv" if quoting is None else quoting
    separator = "," if form == "csv" else "\t"
    rows = _quoted(path, separator) if quoted else _unquoted(path, separator)
    return _separated(path, said, rows, header=header, columns=columns)


def columns_of(path: Path, form: Format, *, header: bool = True, quoting: bool | None = None) -> list[str]:
    """Return the columns of a file, as far as its first rows tell; none where all of them are refused.

    Raises:
        SourceError: the file cannot be read, or is empty.
    """
    if form == "parquet":
        return _schema(path)
    first = islice(read(path, form, header=header, quoting=quoting), _FIRST)
    return list(dict.fromkeys(name for _, row in first if not isinstance(row, Reject) for name in row))


def format_of(path: Path) -> Format:
    """Say by a file's ending, in capitals or not, what it is.

    Raises:
        SourceError: the ending is unknown.
    """
    forms: dict[str, Format] = {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".tsv": "tsv",
        ".parquet": "parquet",
    }
    form = forms.get(Path(path.name.lower().removesuffix(".gz")).suffix)
    if form is None:
        raise SourceError(f"{path}: unknown ending; use one of {', '.join(forms)} or say format: in its source")
    return form


def rows_of(batch: "pa.RecordBatch | pa.Table") -> Iterator[dict[str, Any]]:
    """Yield the rows of a batch; where one has a value that Python has no object for, those before it first.

    Raises:
        ValueError, OverflowError: of the first such row: a date after the year 9999, bytes in a text.
    """
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):
        for place in range(batch.num_rows):
            yield from batch.slice(place, 1).to_pylist()
    else:
        yield from rows


def _jsonl(path: Path, name: str, columns: Sequence[str]) -> Iterator[Found]:
    missing, seen, empty = set(columns), dict[str, None](), True
    for number, line in lines(path):
        if line is None:
            row: Mapping[str, Any] | Reject = Reject("row", "", "line_too_long", name, number)
        elif line.strip():
            row = _object(line, name, number)
        else:
            continue
        empty = False
        if missing and not isinstance(row, Reject):
            missing.difference_update(row)
            seen.update(dict.fromkeys(islice(row, _NAMED if len(seen) < _NAMED else 0)))
        yield number, row
    if empty:
        raise _empty(path)
    if seen:
        _check_columns(path, list(seen), [column for column in columns if column in missing])


def _object(line: str, name: str, number: int) -> Mapping[str, Any] | Reject:
    try:
        # ValueError also covers numbers of more digits than Python converts; deep nesting ends in RecursionError.
        found = json.loads(line)
    except (ValueError, RecursionError):
        return Reject("row", "", "not_json", name, number)
    return found if isinstance(found, dict) else Reject("row", "", "not_an_object", name, number)


def _separated(
    path: Path, name: str, rows: Iterator[tuple[int, list[str] | None]], *, header: bool, columns: Sequence[str]
) -> Iterator[Found]:
    names: list[str] | None = None
    for number, cells in rows:
        if cells is None:
            yield number, Reject("row", "", "line_too_long", name, number)
            continue
        if names is None:
            names = [cell.strip() for cell in cells] if header else [str(i) for i in range(1, len(cells) + 1)]
            _check_columns(path, names, columns)
            if header:
                continue
        if len(cells) < len(names):
            yield number, Reject("row", "", "too_few_cells", name, number)
        else:
            # More cells than names: a source with optional trailing columns (STS-B has 9 columns in 503 of its rows).
            yield number, dict(zip(names, cells, strict=False))
    if names is None:
        raise _empty(path)


def _unquoted(path: Path, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    for number, line in lines(path):
        if line != "":
            yield number, None if line is None else line.split(separator)


def _quoted(path: Path, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    csv.field_size_limit(MAX_LINE)
    with open_text(path, newline="") as file:
        row = _RowLines(file)
        reader = csv.reader(row, delimiter=separator, strict=True)
        while True:
            number = reader.line_num + 1
            row.taken = 0
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise SourceError(
                    f"{path}:{number}: not a quoted {'CSV' if separator == ',' else 'TSV'} row ({error}); "
                    "if quotes are text in this file, set quoting: false"
                ) from error
            if cells is None:
                return
            if cells:
                yield number, cells


class _RowLines:
    """The lines of a file for a CSV reader, which joins those of a row, as long as a row stays within the cap.

    Attributes:
        taken: characters of the row that is being read.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_LINE + 1)
        self.taken += len(line)
        if self.taken > MAX_LINE:
            raise csv.Error(f"longer than {MAX_LINE:,} characters")
        if not line:
            raise StopIteration
        return line


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Found]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_columns(path, _schema(path), columns)
    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(_BATCH, columns=list(columns) or None):
            for row in rows_of(batch):
                number += 1
                yield number, row
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(
            f"{path}:{number + 1}: not a readable row of Parquet ({error}); correct it, or write the file again"
        ) from error


def _schema(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"{path}: not a readable Parquet file ({error}); write or copy it again") from error


def _check_columns(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            raise SourceError(f"{path}: {unknown('column', column, list(islice(names, 30)))}")


def _empty(path: Path) -> SourceError:
    return SourceError(f"{path}: is empty; correct the path, or write the file again")
