"""The first page: results with their intervals, false negatives, what became of the candidates, a few queries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedder.report import plots
from embedder.report.html import Html, document, join, tag
from embedder.report.results import lines_to_show, shown
from embedder.report.samples import Sample

_LONGEST = 600
_FIRST = {"keep": 0, "is_positive": 1}
_OUTCOMES = "Better: the interval lies above 0. Not better: it does not reach above 0. Not resolvable here: it holds 0."


@dataclass(frozen=True)
class Section:
    """What the page says of one dataset; reports are read as far as they go.

    Attributes:
        name: the dataset.
        task: its task.
        instruction: its sentence.
        licence: of its texts.
        filtered: the filter's report.json.
        stored: the dataset's part of materialize's report.json.
        samples: a few of its queries.
    """

    name: str
    task: str
    instruction: str
    licence: str
    filtered: Mapping[str, Any]
    stored: Mapping[str, Any]
    samples: Sequence[Sample]


def render(results: Sequence[dict[str, str]], sections: Sequence[Section], teacher: str, student: str) -> str:
    """Write the whole page.

    Args:
        results: the lines of results.csv.
        sections: one for each dataset.
        teacher: the name of the teacher that mined.
        student: the name of the student that was tuned.
    """
    return document("results", _header(results, teacher, student), tag("main", *_main(results, sections)))


def _header(results: Sequence[dict[str, str]], teacher: str, student: str) -> Html:
    made = f"student {student}, negatives mined by {teacher}"
    leads = [tag("p", _lead(line), class_="lead") for line in results if not line["dataset"] and line["task"] in _LEADS]
    return tag("header", tag("p", made, class_="made"), tag("h1", "Did tuning help?"), *leads)


_LEADS = {"retrieval": "Retrieval, {row.metric}", "AVG": "The {row.note}"}


def _lead(line: dict[str, str]) -> Html:
    row = shown(line)
    what = _LEADS[row.task].format(row=row)
    verdict = tag("strong", row.outcome, class_=_class(row.outcome))
    figures = f". {row.base} before, {row.tuned} after: {row.difference} ({row.interval})."
    bm25 = f" BM25, which is not trained, has {row.bm25}." if row.bm25 else ""
    return join([f"{what}: ", verdict, figures, bm25])


def _main(results: Sequence[dict[str, str]], sections: Sequence[Section]) -> list[Html]:
    return [
        tag("h2", "Results on the dev split"),
        tag("p", _OUTCOMES, class_="hint"),
        _results(results),
        tag("h2", "False negatives that are known"),
        tag(
            "p",
            "Share of training rows that would hold another known positive among 7 negatives drawn at random from a "
            "window of ranks. Unknown positives come on top.",
            class_="hint",
        ),
        _false_negatives(sections),
        tag("h2", "Datasets"),
        *(_section(section) for section in sections),
    ]


def _results(results: Sequence[dict[str, str]]) -> Html:
    ends = [abs(float(line[end])) for line in results for end in ("low", "high", "difference")]
    scale = 1.05 * max(ends, default=0.0) or 1.0
    names = ("", "metric", "queries", "base", "tuned", "BM25", "change", "interval", "outcome")
    return _table(names, [_result(line, scale) for line in lines_to_show(results)], "results")


def _result(line: dict[str, str], scale: float) -> tuple[str, list[str]]:
    row = shown(line)
    low, middle, high = (float(line[key]) for key in ("low", "difference", "high"))
    picture = tag("div", plots.interval(low, middle, high, scale, row.outcome), _note(row.interval))
    outcome = tag("div", tag("span", row.outcome, class_=_class(row.outcome)), _note(row.needed))
    name = tag("div", row.dataset, _note(row.note))
    cells = [name, row.metric, row.queries, row.base, row.tuned, row.bm25, row.difference, picture, outcome]
    return "" if line["dataset"] else "task", cells


def _false_negatives(sections: Sequence[Section]) -> Html:
    windows = {s.name: s.filtered.get("known_false_negatives") or [] for s in sections}
    most = max((float(window["share"]) for found in windows.values() for window in found), default=0.0)
    rows = [row for name, found in windows.items() for row in _windows(name, found, most)]
    if not rows:
        return tag("p", "None is known: no query of the train split has more than one positive.")
    return _table(("dataset", "ranks", "rows", "share", ""), rows, "windows")


def _windows(name: str, found: Sequence[Mapping[str, Any]], most: float) -> Iterator[tuple[str, list[str]]]:
    for place, window in enumerate(found):
        share, ranks = float(window["share"]), f"{window['min_rank']} to {window['max_rank']}"
        picture = plots.bar(share, most, f"{name}, ranks {ranks}: {share:.2%}")
        cells = [name if place == 0 else "", ranks, _count(window["rows"]), f"{share:.2%}", picture]
        yield "first" if place == 0 else "", cells


def _section(section: Section) -> Html:
    verdicts = {name: int(count) for name, count in (section.filtered.get("verdicts") or {}).items()}
    return tag(
        "section",
        tag("h3", section.name, tag("small", section.task), tag("small", section.licence)),
        tag("p", section.instruction, class_="hint"),
        _facts(section),
        _verdicts(verdicts),
        *(_sample(sample) for sample in section.samples),
        id=section.name,
    )


def _facts(section: Section) -> Html:
    queries = section.stored.get("queries") or {}
    named = {
        "queries mined": queries.get("mined"),
        "candidates": section.filtered.get("candidates"),
        "rows stored": section.stored.get("rows"),
        "queries stored": queries.get("stored"),
        "short of negatives": queries.get("short"),
        **{f"dropped: {reason}": count for reason, count in (queries.get("dropped") or {}).items()},
    }
    pairs = [
        tag("div", tag("dt", name), tag("dd", _count(value))) for name, value in named.items() if value is not None
    ]
    return tag("dl", *pairs)


def _verdicts(verdicts: Mapping[str, int]) -> Html:
    if not verdicts:
        return tag("p", "There is no report of the filter.")
    total = sum(verdicts.values())
    order = sorted(verdicts, key=lambda name: (_FIRST.get(name, len(_FIRST)), -verdicts[name], name))
    found = {name: verdicts[name] for name in order if verdicts[name]}
    said = ", ".join(f"{name} {count:,}" for name, count in found.items())
    keys = [
        tag("li", tag("i", class_=_kind(name)), f"{name} ", tag("b", f"{count:,}"), f" {count / total:.1%}")
        for name, count in found.items()
    ]
    picture = plots.stack([(_kind(name), count) for name, count in found.items()], said)
    return tag("div", picture, tag("ul", *keys, class_="legend"), class_="verdicts")


def _sample(sample: Sample) -> Html:
    rows = [
        (
            _kind(line.verdict),
            [
                "deeper" if line.rank is None else str(line.rank),
                "" if line.score is None else f"{line.score:.3f}",
                tag("span", tag("i", class_=_kind(line.verdict)), line.verdict.replace("_", " ")),
                tag("pre", _cut(line.text)),
            ],
        )
        for line in sample.lines
    ]
    table = _table(("rank", "score", "verdict", "passage"), rows, "passages")
    return tag("details", tag("summary", sample.query or sample.query_id), table)


def _table(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], kind: str) -> Html:
    """Make a table; every cell carries its column's name, which a narrow screen shows beside it."""
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    body = [
        tag("tr", *(tag("td", c, data_label=n or None) for n, c in zip(names, cells, strict=True)), class_=row or None)
        for row, cells in rows
    ]
    return tag("div", tag("table", head, tag("tbody", *body), class_=kind), class_="wide")


def _note(text: str) -> Html:
    return tag("span", text, class_="note") if text else Html("")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def _class(outcome: str) -> str:
    return f"outcome {outcome.replace(' ', '-')}"


def _kind(verdict: str) -> str:
    return f"v v-{verdict.replace('_', '-')}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
