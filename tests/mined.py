"""A mined dataset, `docs`, written as the stages would: two queries with candidates, one of dev, one without positive."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from embedder import layout, schemas
from embedder.filters import BIT
from tests import project, tables

MADE_BY = tables.MADE_BY | {"window": "3-5 without_positives"}
TEXTS = {
    "p1": "The first positive text",
    "p2": "A second positive, beyond depth",
    "p3": "the first positive text again",
    "p4": "too near the top",
    "p5": "a fine negative",
    "p6": "judged and not relevant",
    "p7": "far below",
    "p8": "only of the other query",
}
# query_id, rank, passage_id, score, relevance, the rules that refuse it in their order
Row = tuple[str, int, str, float, float | None, tuple[str, ...]]
ROWS: list[Row] = [
    ("q1", 1, "p1", 9.0, 1.0, ("is_positive", "before_rank_window")),
    ("q1", 2, "p3", 8.0, None, ("duplicates_positive", "before_rank_window", "margin_too_small")),
    ("q1", 3, "p4", 7.0, None, ("before_rank_window",)),
    ("q1", 4, "p5", 6.0, None, ()),
    ("q1", 5, "p6", 5.0, 0.0, ()),
    ("q1", 6, "p7", 4.0, None, ("after_rank_window",)),
    ("q2", 1, "p8", 3.5, 1.0, ("is_positive", "before_rank_window")),
    ("q2", 2, "p5", 2.5, None, ()),
]
JUDGED = [("q1", "p1", 1.0, 9.0, 1), ("q1", "p2", 1.0, 0.5, None), ("q1", "p6", 0.0, 5.0, 5), ("q2", "p8", 1.0, 3.5, 1)]


def write(folder: Path, texts: Mapping[str, str] = TEXTS, rows: Iterable[Row] = ROWS) -> None:
    """Write params.yaml and the tables of `docs` below `folder`, as far as the filter."""
    project.write_params(folder, project.tiny_params())
    queries = tables.queries({"q1": "What comes first?", "q2": "And then?", "q4": "Nothing fits"}, {"q3": "Held out"})
    aliases = {"kind": ["query"], "id": ["q0"], "merged_into": ["q1"]}
    for stage, table, data in (
        ("ingest", schemas.QUERIES, queries),
        ("ingest", schemas.CORPUS, tables.corpus(texts)),
        ("ingest", schemas.ALIASES, schemas.build(schemas.ALIASES, aliases)),
        ("mine", schemas.JUDGED, tables.judged(JUDGED)),
    ):
        schemas.write(folder / layout.table(stage, "docs", table.name), table, data)
    write_candidates(folder, rows)


def write_candidates(folder: Path, rows: Iterable[Row]) -> None:
    """Write the filter's candidates of `docs`."""
    columns: dict[str, list[object]] = {name: [] for name in schemas.CANDIDATES.schema.names}
    for query_id, rank, passage_id, score, relevance, refusing in rows:
        values = (query_id, rank, passage_id, score, relevance, 9.0, 9.0 - score)
        refused_by = sum(BIT[rule] for rule in refusing)
        for name, value in zip(columns, (*values, refusing[0] if refusing else "keep", refused_by), strict=True):
            columns[name].append(value)
    data = schemas.build(schemas.CANDIDATES, columns, MADE_BY)
    schemas.write(folder / layout.table("filter", "docs", "candidates"), schemas.CANDIDATES, data)
