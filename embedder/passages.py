"""The passages of a dataset, read from their table each time they are asked for: a corpus need not be in memory."""

from collections.abc import Collection, Iterator
from pathlib import Path

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
