"""Rows of a `datasets.Dataset`, read in batches from memory-mapped Arrow, and the texts of BEIR's corpus and queries."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from embedder.errors import SourceError, unknown
from embedder.loaders.cells import rows_of
from embedder.loaders.columns import text_of
from embedder.records import Passage, Query

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 1024


def rows(
    data: "Dataset", columns: Sequence[str], where: str, batch: int = BATCH
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a dataset, numbered from 1, classes by their names.

    Args:
        data: the dataset.
        columns: those that are needed; others are not read.
        where: what messages call the dataset.
        batch: how many rows are in memory.

    Raises:
        SourceError: it lacks a column, or its files are broken.
    """
    import pyarrow as pa

    for column in columns:
        if column not in data.column_names:
            raise SourceError(f"{where}: {unknown('column', column, data.column_names[:30])}")
    read = {column: _reader(data.features[column]) for column in columns}
    number = 0
    try:
        for table in data.select_columns(list(columns)).with_format("arrow").iter(batch):
            for row in rows_of(table):
                number += 1
                yield number, {column: read[column](row[column]) for column in columns}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(
            f"{where}:{number + 1}: unreadable ({error}); correct it in the source, or delete it from the cache"
        ) from error


def passages(data: "Dataset", file: str, counts: dict[str, int]) -> Iterator[Passage]:
    """Yield a corpus in BEIR's columns: `_id` or `id`, `text`, and `title` if there is one."""
    key = _id(data)
    columns = [key, "text", *(["title"] if "title" in data.column_names else [])]
    for number, row in rows(data, columns, file):
        counts["rows"] = number
        yield Passage(text_of(row[key]), text_of(row.get("title")), text_of(row["text"]), file, number)


def queries(data: "Dataset", split: str | None, file: str, counts: dict[str, int]) -> Iterator[Query]:
    """Yield queries in BEIR's columns: `_id` or `id`, and `text`."""
    key = _id(data)
    for number, row in rows(data, [key, "text"], file):
        counts["rows"] = number
        yield Query(text_of(row[key]), text_of(row["text"]), split, None, None, file, number)


def _id(data: "Dataset") -> str:
    return "id" if "id" in data.column_names and "_id" not in data.column_names else "_id"


def _reader(feature: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - datasets has no types
    """Say how values of a column are read: classes, alone or in lists, become their names; -1 is no class."""
    from datasets import ClassLabel, LargeList, List

    if isinstance(feature, ClassLabel):
        names = feature.names
        return lambda value: names[value] if value is not None and 0 <= value < len(names) else None
    if isinstance(feature, List | LargeList):
        inner = _reader(feature.feature)
        return lambda value: value if value is None else [inner(one) for one in value]
    return lambda value: value


def reason(error: Exception) -> str:
    """Say in one line what lies at the bottom of an error of `datasets`, whose own message may be several lines."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return " ".join((str(error) or type(error).__name__).split())[:300]
