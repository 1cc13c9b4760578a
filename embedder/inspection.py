"""What became of a query's candidates, read back for a person: few rows of tables of any size."""

import difflib
import json
import math
from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embedder import layout, schemas
from embedder.errors import EmbedderError, TableError, unknown
from embedder.filters import BIT, VERDICTS
from embedder.seeds import rng
from embedder.texts import passage_text
from embedder.worst import COLUMNS, JUDGE, worst

# Enough to hold a mistyped name's neighbours; difflib is too slow for all names of a large dataset.
_NEIGHBOURS = 5_000
_BATCH = 2**16


@dataclass(frozen=True)
class Positive:
    """A passage judged relevant; rank is None beyond the depth of the run, score where the teacher has none."""

    passage_id: str
    text: str
    relevance: float
    score: float | None
    rank: int | None


@dataclass(frozen=True)
class Candidate:
    """A mined passage, what the rules say of it, and the rules beside the verdict's that refuse it too."""

    passage_id: str
    text: str
    rank: int
    score: float
    margin: float | None
    verdict: str
    also: tuple[str, ...]
    relevance: float | None
    judge_score: float | None


@dataclass(frozen=True)
class Mined:
    """A query with its positives, best score first, and those of its candidates that were asked for, by rank."""

    query_id: str
    text: str
    positives: tuple[Positive, ...]
    candidates: tuple[Candidate, ...]


class Tables:
    """The tables of a mined dataset, read by row."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self.candidates, self._schema = _candidates(dataset)

    def made_by(self) -> dict[str, str]:
        """What made the candidates: teacher, revision, depth, window, judge."""
        return schemas.metadata(pq.read_schema(self.candidates).empty_table())

    def query_ids(self) -> list[str]:
        """The queries that have candidates, sorted."""
        ids = _read(self.candidates, self._schema, columns=["query_id"])["query_id"]
        return sorted(pc.unique(ids).to_pylist())

    def require(self, query_id: str) -> str:
        """Return `query_id` if it has candidates.

        Raises:
            EmbedderError: it has none; the message says why, and names the close one where it is no query at all.
        """
        mined = self.query_ids()
        if query_id not in mined:
            raise EmbedderError(self._absent(query_id, mined))
        return query_id

    def sample_queries(self, most: int, seed: int) -> list[str]:
        """Draw up to `most` queries, sorted; the same for the same seed."""
        ids = self.query_ids()
        return [ids[i] for i in _sample(len(ids), most, seed, self.dataset)]

    def sample_candidates(self, verdict: str, most: int, seed: int) -> tuple[set[tuple[str, int]], int]:
        """Draw up to `most` candidates with a verdict, each as likely as any other.

        Returns:
            Their query ids and ranks, and how many there are to draw from.
        """
        keys = _read(self.candidates, self._schema, pc.field("verdict") == verdict, ["query_id", "rank"])
        drawn = keys.take(_sample(keys.num_rows, most, seed, self.dataset, verdict))
        return set(zip(*drawn.to_pydict().values(), strict=True)), keys.num_rows

    def scale(self, positive_at: float) -> NDArray[np.float64]:
        """The scores of the dataset's positives, ascending: what percentiles are of."""
        scores = self._rows("mine", schemas.JUDGED, _relevant(positive_at), ["score"])["score"]
        return np.sort(scores.drop_null().to_numpy().astype(np.float64))

    def worst(self, most: int, positive_at: float) -> list[tuple[str, int]]:
        """Find the kept candidates that are most likely relevant, the likeliest first: their query ids and ranks."""
        columns = [*COLUMNS, *(name for name in self._schema.schema.names if name == JUDGE)]
        final = self.judge().get("kind") == "person"
        return worst(_batches(self.candidates, columns), self.scale(positive_at), most, final=final)

    def judge(self) -> dict[str, Any]:
        """What the judge stage reports: kind, threshold and more; nothing where it has not run."""
        path = layout.report("judge", self.dataset)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def inspect(self, query_ids: Collection[str], positive_at: float) -> Iterator[Mined]:
        """Yield the queries with their positives and all their candidates, in the order of the ids."""
        ids = sorted(query_ids)
        asked = pc.field("query_id").isin(pa.array(ids, pa.string()))
        candidates = _read(self.candidates, self._schema, asked)
        judged = self._rows("mine", schemas.JUDGED, asked & _relevant(positive_at))
        queries = self._rows("ingest", schemas.QUERIES, asked, ["query_id", "text"])
        texts = self._texts(candidates["passage_id"], judged["passage_id"])
        if queries.num_rows != len(ids):
            raise self._outdated()
        positives, mined = _by_query(judged), _by_query(candidates)
        for row in queries.sort_by("query_id").to_pylist():
            yield Mined(
                **row,
                positives=_positives(positives.get(row["query_id"], ()), texts),
                candidates=tuple(_candidate(found, texts) for found in mined.get(row["query_id"], ())),
            )

    def _texts(self, *ids: pa.ChunkedArray) -> dict[str, str]:
        wanted = pc.unique(pa.chunked_array([chunk for part in ids for chunk in part.chunks], pa.string()))
        rows = self._rows("ingest", schemas.CORPUS, pc.field("passage_id").isin(wanted)).to_pylist()
        if len(rows) != len(wanted):
            raise self._outdated()
        return {row["passage_id"]: passage_text(row["title"], row["text"]) for row in rows}

    def _outdated(self) -> TableError:
        return TableError(f"{self.candidates}: older than {layout.folder('ingest', self.dataset)}; run dvc repro")

    def _rows(
        self, stage: str, table: schemas.Table, rows: pc.Expression | None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        return _read(layout.table(stage, self.dataset, table.name), table, rows, columns)

    def _absent(self, query_id: str, mined: Sequence[str]) -> str:
        queries = self._rows("ingest", schemas.QUERIES, None, ["query_id", "split"])
        splits = dict(zip(*queries.to_pydict().values(), strict=True))
        if splits.get(query_id) == "dev":
            return f"{query_id!r} is a dev query, and dev queries are never mined"
        if query_id in splits:
            return f"{query_id!r} has no positive, so nothing was mined for it"
        merged = self._rows("ingest", schemas.ALIASES, pc.field("kind") == "query").to_pylist()
        into = next((row["merged_into"] for row in merged if row["id"] == query_id), None)
        if into is not None:
            return f"{query_id!r} was merged into {into!r}, which has the same text"
        at = bisect(mined, query_id)
        close = difflib.get_close_matches(query_id, mined[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"embedder show {self.dataset} --random 1 shows one"
        return f"dataset '{self.dataset}' has no query {query_id!r}; {hint}"


def require_verdict(verdict: str) -> str:
    """Return `verdict` if it is one.

    Raises:
        EmbedderError: it is none; the message suggests the close one.
    """
    if verdict not in VERDICTS:
        raise EmbedderError(unknown("verdict", verdict, VERDICTS))
    return verdict


def nearest(text: str, positives: Sequence[Positive]) -> Positive | None:
    """The positive that shares most words with a text (Jaccard), the first of equals: what a copy is a copy of."""

    def similarity(positive: Positive) -> float:
        shared, either = shared_words(text, positive.text)
        return len(shared) / max(either, 1)

    return max(positives, key=similarity, default=None)


def shared_words(text: str, other: str) -> tuple[list[str], int]:
    """The words of `text` that `other` has too, each once and in order; and how many either has."""
    words, others = dict.fromkeys(text.casefold().split()), set(other.casefold().split())
    shared = [word for word in words if word in others]
    return shared, len(words) + len(others) - len(shared)


def _candidates(dataset: str) -> tuple[Path, schemas.Table]:
    judged = layout.table("judge", dataset, "candidates")
    if judged.exists():
        return judged, schemas.JUDGED_CANDIDATES
    filtered = layout.table("filter", dataset, "candidates")
    if filtered.exists():
        return filtered, schemas.CANDIDATES
    raise TableError(f"{filtered}: dataset '{dataset}' has no candidates yet; run dvc repro filter@{dataset}")


def _relevant(positive_at: float) -> pc.Expression:
    return pc.field("relevance") >= pa.scalar(positive_at, pa.float32())


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH, columns=list(columns))


def _read(
    path: Path, table: schemas.Table, rows: pc.Expression | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read some columns of the rows for which the expression holds; row groups that cannot hold any are skipped."""
    try:
        return pq.read_table(path, columns=list(columns or table.schema.names), filters=rows)
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table; run the stage that writes it (dvc repro)") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable table ({error}); delete it and run its stage again") from error


def _sample(total: int, most: int, seed: int, *names: str) -> NDArray[np.int64]:
    return np.sort(rng(seed, *names).permutation(total)[:most])


def _by_query(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        grouped.setdefault(row["query_id"], []).append(row)
    return grouped


def _positives(rows: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> tuple[Positive, ...]:
    def place(row: Mapping[str, Any]) -> tuple[float, str]:
        return (math.inf if row["score"] is None else -row["score"]), row["passage_id"]

    return tuple(
        Positive(row["passage_id"], texts[row["passage_id"]], row["relevance"], row["score"], row["rank"])
        for row in sorted(rows, key=place)
    )


def _candidate(row: Mapping[str, Any], texts: Mapping[str, str]) -> Candidate:
    refusing = tuple(rule for rule, bit in BIT.items() if row["refused_by"] & bit)
    return Candidate(
        passage_id=row["passage_id"],
        text=texts[row["passage_id"]],
        rank=row["rank"],
        score=row["score"],
        margin=row["margin"],
        verdict=row["verdict"],
        also=tuple(rule for rule in refusing if rule != row["verdict"]),
        relevance=row["relevance"],
        judge_score=row.get("judge_score"),
    )
