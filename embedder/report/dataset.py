"""The section of one dataset: what was mined, what the rules did, what they let through, what is left to train on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.leak.rows import Row
from embedder.report.contamination import contamination
from embedder.report.html import Html, tag
from embedder.report.inspection import Inspection
from embedder.report.judgements import judgements
from embedder.report.parts import count, facts, hint, note, passage
from embedder.report.pass_through import pass_through
from embedder.report.pictures import Ridge, ridges
from embedder.report.tallies import Scale, Tally, median
from embedder.report.verdicts import verdicts

Ints = NDArray[np.int64]
_CLOSEST = "those that come closest to a positive, or above it, by the teacher's score"
# Top to bottom; a CSS class each.
_GROUPS = {"positives": "r-positives", "kept": "r-kept", "refused": "r-refused"}


@dataclass(frozen=True)
class Section:
    """What the page says of one dataset; reports are read as far as they go.

    Attributes:
        name: the dataset.
        task: its task.
        instruction: its sentence.
        licence: of its texts.
        filtered: the filter's report.json.
        judged: the judge's report.json.
        stored: the dataset's part of materialize's report.json.
        sampling: how materialize drew negatives; empty where it says nothing.
        leak: the rows of leak.csv.
        inspection: its candidates.
    """

    name: str
    task: str
    instruction: str
    licence: str
    filtered: Mapping[str, Any]
    judged: Mapping[str, Any]
    stored: Mapping[str, Any]
    sampling: str
    leak: Sequence[Row]
    inspection: Inspection


def render_section(section: Section) -> Html:
    """Make the section; its id is the dataset's name after `dataset-`."""
    found = section.inspection
    judge = found.made_by.get("judge", "none")
    return tag(
        "section",
        tag("h3", section.name, tag("small", section.task), tag("small", section.licence)),
        hint(section.instruction),
        _overview(section),
        *verdicts(found.tally.refused_by),
        *_warnings(section.filtered),
        tag("div", _scores(found.tally), _ranks(found.tally), class_="pair"),
        *pass_through(section.leak, section.sampling),
        *judgements(section.judged),
        *contamination(section.filtered.get("contamination"), section.judged.get("contamination"), judge),
        *_shortages(section.stored),
        *_hardest(found),
        tag("button", f"Look through queries of {section.name}", type="button", class_="look", hidden="",
            data_dataset=section.name),
        id=f"dataset-{section.name}",
    )  # fmt: skip


def _overview(section: Section) -> Html:
    made_by, queries = section.inspection.made_by, section.stored.get("queries") or {}
    judge = made_by.get("judge", "none")
    return facts(
        [
            ("teacher", made_by.get("teacher", "")),
            ("judge", "" if judge == "none" else judge),
            ("window", _words(made_by.get("window", ""))),
            ("queries mined", count(queries.get("mined"))),
            ("queries stored", count(queries.get("stored"))),
            ("training rows", count(section.stored.get("rows"))),
        ]
    )


def _warnings(filtered: Mapping[str, Any]) -> list[Html]:
    """Say which rules are on and refuse nothing, as nobody wrote what they ask for."""
    rules = filtered.get("rules_without_data") or []
    said = "on, but without data to ask of: nothing is refused by"
    return [tag("p", tag("strong", "Warning: "), f"{said} {', '.join(rules)}.")] if rules else []


def _scores(tally: Tally) -> Html:
    caption = tag("b", "Scores"), " of the teacher"
    return _distributions(caption, tally.scores, tally.score_scale, {}, ".2f")


def _ranks(tally: Tally) -> Html:
    caption = tag("b", "Ranks"), " in the run"
    return _distributions(caption, tally.ranks, tally.rank_scale, tally.deeper, ".0f")


def _distributions(
    caption: Sequence[str], counts: Mapping[str, Ints], scale: Scale, deeper: Mapping[str, int], how: str
) -> Html:
    rows = [
        Ridge(name, kind, counts[name].tolist(), _remark(scale, counts[name], deeper.get(name, 0), how))
        for name, kind in _GROUPS.items()
        if name in counts and (counts[name].any() or deeper.get(name))
    ]
    label = "; ".join(f"{row.name}: {row.remark}" for row in rows)
    return tag(
        "figure",
        tag("figcaption", *caption, note("each row is drawn to its own tallest bar")),
        ridges(rows, scale.low, scale.high, label),
    )


def _remark(scale: Scale, counts: Ints, deeper: int, how: str) -> str:
    middle = median(scale, counts)
    half = "" if middle is None else f", median {middle:{how}}"
    return f"{int(counts.sum()):,}{half}" + (f"; {deeper:,} lie deeper" if deeper else "")


def _shortages(stored: Mapping[str, Any]) -> list[Html]:
    queries = stored.get("queries") or {}
    if not queries:
        return []
    per_row = (stored.get("negatives") or {}).get("per_row") or {}
    negatives = ", ".join(f"{number} in {count(rows)}" for number, rows in sorted(per_row.items(), key=_most))
    named = [
        ("queries short of negatives", count(queries.get("short"))),
        ("rows whose positive the judge made one", count(stored.get("rows_with_relabelled_positive") or None)),
        *((f"queries dropped: {_words(reason)}", count(n)) for reason, n in (queries.get("dropped") or {}).items()),
        *((f"passages dropped: {_words(reason)}", count(n)) for reason, n in (stored.get("passages_dropped") or {}).items()),
        *((f"candidates passed over: {_words(reason)}", count(n)) for reason, n in (stored.get("candidates_passed_over") or {}).items() if n),
    ]  # fmt: skip
    return [
        tag("h4", "Shortages"),
        facts(named),
        *([hint(f"Negatives a training row: {negatives}.")] if negatives else []),
    ]


def _most(entry: tuple[str, int]) -> int:
    return -entry[1]


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _hardest(found: Inspection) -> list[Html]:
    if not found.hardest.num_rows:
        return []
    judged = found.hardest["judge_score"].null_count < found.hardest.num_rows
    after = ", and after those what the judge called not relevant" if judged else ""
    positives: dict[str, str] = {}
    for row in found.positives.to_pylist():
        positives.setdefault(row["query_id"], row["passage_id"])
    cards = [_card(row, positives.get(row["query_id"]), found) for row in found.hardest.to_pylist()]
    return [
        tag("h4", "The hardest kept negatives"),
        hint(f"Of all that nobody graded, {_CLOSEST}{after}; one a query. Are they really not relevant?"),
        tag("div", *cards, class_="cards"),
    ]


def _card(row: Mapping[str, Any], positive: str | None, found: Inspection) -> Html:
    figures = [f"rank {row['rank']}", f"score {row['score']:.3f}"]
    figures += [f"margin {row['margin']:.3f}"] if row["margin"] is not None else []
    figures += [f"judge {row['judge_score']:.3f}"] if row["judge_score"] is not None else []
    known = [_labelled("positive", "is_positive", found.passages[positive])] if positive is not None else []
    return tag(
        "article",
        tag("h5", found.queries[row["query_id"]], dir="auto"),
        *known,
        _labelled(f"kept: {', '.join(figures)}", "keep", found.passages[row["passage_id"]]),
    )


def _labelled(what: str, verdict: str, text: str) -> Html:
    return tag("div", tag("p", what, class_=f"edge-name v v-{verdict.replace('_', '-')}"), passage(text), class_="edge")
