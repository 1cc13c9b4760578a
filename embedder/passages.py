"""The passages of a dataset, read from their table each time they are asked for: a corpus need not be in memory."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedder import row_groups, schemas
from embedder.texts import passage_text


class PassageTexts(Collection[str]):
    """The joined texts of the table `corpus` at `path`, in its order."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[str]:
        for batch in row_groups.read(self._path, schemas.CORPUS, ("title", "text")):
            titles, texts = (column.to_pylist() for column in batch.columns)
            yield from map(passage_text, titles, texts)

    def __len__(self) -> int:
        return int(pq.read_metadata(self._path).num_rows)

    def __contains__(self, text: object) -> bool:
        return any(text == one for one in self)


def passage_ids(path: Path) -> list[str]:
    """Return the ids of the table `corpus` at `path`, in its order: sorted.

    Raises:
        TableError: the file is missing or unreadable, or breaks the schema.
    """
    batches = row_groups.read(path, schemas.CORPUS, ("passage_id",))
    return [passage for batch in batches for passage in batch.column(0).to_pylist()]


def texts_of(path: Path, passage_ids: Collection[str]) -> dict[str, str]:
    """Return the joined texts of some passages of the table `corpus` at `path`, by id; the others are read past."""
    wanted, found = pa.array(passage_ids, pa.string()), dict[str, str]()
    for batch in row_groups.read(path, schemas.CORPUS, ("passage_id", "title", "text")):
        ids, titles, texts = (column.to_pylist() for column in batch.filter(pc.is_in(batch.column(0), wanted)).columns)
        found.update(zip(ids, map(passage_text, titles, texts), strict=True))
    return found
