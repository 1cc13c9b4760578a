"""What the page shows of a dataset's candidates, read in passes that hold a batch and the sampled queries."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from embedder import layout, row_groups, schemas
from embedder.report.chosen import hardest, shown_candidates, shown_positives
from embedder.report.summaries import of_candidates, of_positives
from embedder.report.tallies import Tally, scale_of_ranks, scale_of_scores
from embedder.seeds import rng
from embedder.texts import passage_text

HARDEST = 6
_SEED = 17
_LONGEST = 400
# Batches that are counted together.
_TOGETHER = 64
_DEPTH = "128"
_CANDIDATES = ("query_id", "rank", "passage_id", "score", "margin", "relevance", "refused_by", "judge_score")
_POSITIVES = ("query_id", "passage_id", "relevance", "score", "rank", "judge_score", "relabelled")


@dataclass(frozen=True)
class Inspection:
    """What there is to see of one dataset; texts are cut.

    Attributes:
        made_by: what made the candidates: teacher, revision, depth, window, rules, judge.
        tally: counts over all of them.
        sampled: the queries that are shown, and what there is of each in all.
        candidates: of the sampled queries, those that are shown.
        positives: of the sampled queries and of those of `hardest`, those that are shown.
        hardest: the kept candidates that look most relevant.
        queries: the texts of all these queries.
        passages: the texts of all these passages.
    """

    made_by: Mapping[str, str]
    tally: Tally
    sampled: Mapping[str, Mapping[str, float | None]]
    candidates: pa.Table
    positives: pa.Table
    hardest: pa.Table
    queries: Mapping[str, str]
    passages: Mapping[str, str]


def inspect(dataset: str, positive_at: float, most: int, *, final: bool) -> Inspection:
    """Read what there is to see of a dataset.

    Args:
        dataset: its name.
        positive_at: the relevance from which a passage is a positive.
        most: how many queries are sampled.
        final: whether the judge's word is not doubted.

    Raises:
        TableError: a table of ingest or judge is missing.
    """
    path, judged = (layout.table("judge", dataset, name) for name in ("candidates", "judged"))
    query_ids = _query_ids(path)
    made_by = schemas.metadata(schemas.peek(path, schemas.JUDGED_CANDIDATES))
    drawn = rng(_SEED, "report", dataset).permutation(len(query_ids))[:most]
    chosen = {query_ids[place] for place in drawn}
    deepest = min(int(made_by.get("depth", _DEPTH)), int(_range("rank", path, judged)[1]))
    tally = Tally(scale_of_scores(*_range("score", path, judged)), scale_of_ranks(deepest))
    rows, best = _count_candidates(path, tally, chosen, final=final)
    positives = _count_positives(judged, tally, positive_at, chosen | set(best["query_id"].to_pylist()))
    candidates, relevant = shown_candidates(rows), shown_positives(positives)
    found, several = of_candidates(rows), of_positives(positives)
    shown = [table["passage_id"] for table in (candidates, relevant, best)]
    return Inspection(
        made_by=made_by,
        tally=tally,
        sampled={query: found[query] | several.get(query, {}) for query in sorted(chosen)},
        candidates=candidates,
        positives=relevant,
        hardest=best,
        queries=_queries(dataset, chosen | set(best["query_id"].to_pylist())),
        passages=_passages(dataset, {text for column in shown for text in column.to_pylist()}),
    )


def _query_ids(path: Path) -> list[str]:
    found: dict[str, None] = {}
    for rows in _read(path, schemas.JUDGED_CANDIDATES, ["query_id"]):
        found.update(dict.fromkeys(pc.unique(rows["query_id"]).to_pylist()))
    return sorted(found)


def _range(column: str, path: Path, judged: Path) -> tuple[float, float]:
    """Return the lowest and the highest value among candidates and positives; 0 and 1 where there is none."""
    ends: list[float] = []
    for tables in (
        _read(path, schemas.JUDGED_CANDIDATES, [column]),
        _read(judged, schemas.JUDGEMENTS, [column]) if judged.exists() else (),
    ):
        for rows in tables:
            finite = rows.filter(pc.is_finite(rows[column]))
            ends += [end for end in pc.min_max(finite[column]).as_py().values() if end is not None]
    return min(ends, default=0.0), max(ends, default=1.0)


def _count_candidates(path: Path, tally: Tally, chosen: Collection[str], *, final: bool) -> tuple[pa.Table, pa.Table]:
    """Count all candidates, and return those of the chosen queries and the hardest kept."""
    wanted = pa.array(sorted(chosen), pa.string())
    empty = _empty(schemas.JUDGED_CANDIDATES, _CANDIDATES)
    found, best = [empty], empty
    for rows in _read(path, schemas.JUDGED_CANDIDATES, _CANDIDATES):
        tally.add_candidates(rows)
        found.append(rows.filter(pc.is_in(rows["query_id"], wanted)))
        best = hardest(pa.concat_tables([best, rows]), HARDEST, final=final)
    return pa.concat_tables(found).combine_chunks(), best


def _count_positives(path: Path, tally: Tally, positive_at: float, chosen: Collection[str]) -> pa.Table:
    """Count all positives and return those of the chosen queries; a run of an older version has no such table."""
    wanted = pa.array(sorted(chosen), pa.string())
    found = [_empty(schemas.JUDGEMENTS, _POSITIVES)]
    for rows in _read(path, schemas.JUDGEMENTS, _POSITIVES) if path.exists() else ():
        relevant = schemas.positives(rows, positive_at)
        tally.add_positives(relevant)
        found.append(relevant.filter(pc.is_in(relevant["query_id"], wanted)))
    return pa.concat_tables(found).combine_chunks()


def _queries(dataset: str, wanted: Collection[str]) -> dict[str, str]:
    ids, texts = pa.array(sorted(wanted), pa.string()), {}
    for rows in _read(layout.table("ingest", dataset, "queries"), schemas.QUERIES, ["query_id", "text"]):
        for row in rows.filter(pc.is_in(rows["query_id"], ids)).to_pylist():
            texts[row["query_id"]] = cut(row["text"])
    return texts


def _passages(dataset: str, wanted: Collection[str]) -> dict[str, str]:
    ids, texts = pa.array(sorted(wanted), pa.string()), {}
    for rows in _read(layout.table("ingest", dataset, "corpus"), schemas.CORPUS, schemas.CORPUS.schema.names):
        for row in rows.filter(pc.is_in(rows["passage_id"], ids)).to_pylist():
            texts[row["passage_id"]] = cut(passage_text(row["title"], row["text"]))
    return texts


def cut(text: str) -> str:
    """Shorten a long text, between words where it has any; a page of thousands of whole ones would not open."""
    if len(text) <= _LONGEST:
        return text
    blank = text.rfind(" ", _LONGEST - _LONGEST // 8, _LONGEST)
    return f"{text[: blank if blank > 0 else _LONGEST].rstrip()} …"


def _read(path: Path, table: schemas.Table, columns: Collection[str]) -> Iterator[pa.Table]:
    batches = row_groups.read(path, table, list(columns))
    schema = _empty(table, columns).schema
    while together := list(islice(batches, _TOGETHER)):
        yield pa.Table.from_batches(together).select(list(columns)).cast(schema)


def _empty(table: schemas.Table, columns: Collection[str]) -> pa.Table:
    return table.schema.empty_table().select(list(columns))
