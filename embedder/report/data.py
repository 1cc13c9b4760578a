"""What the page's script reads: counts to recount, queries to list, texts to open them with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from embedder.filters import BIT
from embedder.report.dataset import Section
from embedder.report.inspection import Inspection

_PLACES = 4


def page_data(sections: Sequence[Section]) -> dict[str, object]:
    """Return the page's blocks of JSON: `inspection`, read when the page opens, and `passages`, when a query does.

    A query's positives are rows of [passage, rank, score, judge_score, relabelled], its candidates rows of [passage,
    rank, score, margin, judge_score, refused_by, relevance], where a passage is a place in the texts of its dataset.
    """
    places = [
        {passage_id: place for place, passage_id in enumerate(section.inspection.passages)} for section in sections
    ]
    datasets = [
        {
            "name": section.name,
            "refusals": sorted(map(list, section.inspection.tally.refused_by.items())),
            "queries": _queries(section.inspection, at),
        }
        for section, at in zip(sections, places, strict=True)
    ]
    texts = {section.name: list(section.inspection.passages.values()) for section in sections}
    return {"inspection": {"rules": BIT, "datasets": datasets}, "passages": texts}


def _queries(found: Inspection, place: Mapping[str, int]) -> list[dict[str, Any]]:
    positives = _rows(found.positives.to_pylist(), place, ("rank", "score", "judge_score", "relabelled"))
    names = ("rank", "score", "margin", "judge_score", "refused_by", "relevance")
    candidates = _rows(found.candidates.to_pylist(), place, names)
    return [
        {
            "id": query_id,
            "text": found.queries[query_id],
            **{name: _short(value) for name, value in summary.items() if value is not None},
            "known": positives.get(query_id, []),
            "mined": candidates.get(query_id, []),
        }
        for query_id, summary in found.sampled.items()
    ]


def _rows(
    rows: Sequence[Mapping[str, Any]], place: Mapping[str, int], names: Sequence[str]
) -> dict[str, list[list[Any]]]:
    grouped: dict[str, list[list[Any]]] = {}
    for row in rows:
        cells = [place[row["passage_id"]], *(_short(row[name]) for name in names)]
        grouped.setdefault(row["query_id"], []).append(cells)
    return grouped


def _short(value: float | bool | None) -> float | bool | None:  # noqa: FBT001 - a cell of any column
    """Cut what nobody reads from a number; JSON has no number that is not finite."""
    if not isinstance(value, float):
        return value
    return round(value, _PLACES) if math.isfinite(value) else None
