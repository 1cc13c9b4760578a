"""From training shards to evidence."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from embedder.audit.evidence import Evidence, Role, Unusable
from embedder.errors import TableError
from embedder.ingestion.cleaning import printable
from embedder.loaders.cells import rows_of
from embedder.params.models import LABEL_TASKS

_COLUMNS = [
    *("dataset", "task", "query", "positive_id", "positive", "positive_ids", "positive_score"),
    *("negative_ids", "negatives", "negative_scores"),
]
_ROWS = 1024


def is_shard(path: Path) -> bool:
    """Whether a file has the columns of a shard that are audited: shards of older versions lack others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(_COLUMNS) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        return False


def fill(evidence: Evidence, files: Sequence[Path]) -> None:
    """Take shards into the evidence; each dataset is audited apart.

    Raises:
        TableError: a shard is unreadable.
    """
    for file in files:
        shard = _Shard(evidence, printable(file.name))
        for number, row in _rows(file):
            evidence.rows += 1
            try:
                shard.take(row, number)
            except Unusable as reason:
                evidence.note("unreadable", str(reason), shard.file, number)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(_ROWS, columns=_COLUMNS):
            for row in rows_of(batch):
                number += 1
                yield number, row
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise TableError(f"{file}:{number + 1}: not a readable shard ({error}); run materialize again") from error


class _Shard:
    """The rows of one file on their way; texts repeat, so their keys are kept."""

    def __init__(self, evidence: Evidence, file: str) -> None:
        self.evidence, self.file = evidence, file
        self.keys: dict[str, bytes | None] = {}
        self.ids: dict[str, bytes | None] = {}

    def take(self, row: dict[str, Any], number: int) -> None:
        ids, texts = row["negative_ids"] or [], row["negatives"] or []
        scores = row["negative_scores"] or [None] * len(texts)
        if not len(ids) == len(texts) == len(scores):
            raise Unusable("ids_texts_and_scores_differ_in_number")
        query = self._key(row["query"], "query", number)
        own = self._key(row["positive"], "positive", number)
        self.ids[row["positive_id"]] = own
        pairs: list[tuple[Role, bytes | None, float | None]] = [("positive", own, row["positive_score"])]
        for name, text, score in zip(ids, texts, scores, strict=True):
            self.ids[name] = key = self._key(text, "negative", number)
            pairs.append(("negative", key, score))
        # Positives whose text stands nowhere in the file are no negative of this row either.
        pairs += [
            ("known", self.ids.get(name), None) for name in row["positive_ids"] or [] if name != row["positive_id"]
        ]
        self._store(row, number, query, pairs)

    def _store(
        self,
        row: dict[str, Any],
        number: int,
        query: bytes | None,
        pairs: Sequence[tuple[Role, bytes | None, float | None]],
    ) -> None:
        scope, is_label = f"train/{row['dataset']}/", row["task"] in LABEL_TASKS
        for role, passage, score in pairs:
            if query and passage:
                self.evidence.pair(
                    scope, self.evidence.rows, query, passage, role, score, self.file, number, is_label=is_label
                )

    def _key(self, text: str | None, role: str, number: int) -> bytes | None:
        if text is None or text not in self.keys:
            self.keys[text or ""] = self.evidence.key(text or "")
        key = self.keys[text or ""]
        if key is None:
            self.evidence.note("empty_text", role, self.file, number)
        return key
