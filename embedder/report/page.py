"""The page of a run: results with their intervals, false negatives, what there is to see of each dataset, queries."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embedder.report import pictures
from embedder.report.data import page_data
from embedder.report.dataset import Section, render_section
from embedder.report.html import Html, document, join, tag
from embedder.report.parts import count, hint, note, table
from embedder.report.results import lines_to_show, shown

# Of all datasets together.
QUERIES = 2_000
_OUTCOMES = "Better: the interval lies above 0. Not better: it does not reach above 0. Not resolvable here: it holds 0."


def render(
    results: Sequence[dict[str, str]], sections: Sequence[Section], teacher: str, student: str, verdict: str = ""
) -> str:
    """Write the whole page.

    Args:
        results: the lines of results.csv.
        sections: one for each dataset.
        teacher: the name of the teacher that mined.
        student: the name of the student that was tuned.
        verdict: what the run made of it, in one line.
    """
    body = _header(results, teacher, student, verdict), _contents(sections), tag("main", *_main(results, sections))
    return document("results and mined negatives", *body, data=page_data(sections))


def _header(results: Sequence[dict[str, str]], teacher: str, student: str, verdict: str) -> Html:
    made = f"student {student}, negatives mined by {teacher}"
    leads = [tag("p", _lead(line), class_="lead") for line in results if not line["dataset"] and line["task"] in _LEADS]
    return tag("header", tag("p", made, class_="made"), tag("h1", "Did tuning help?"), *_whole(verdict), *leads)


def _whole(verdict: str) -> list[Html]:
    outcome, _, why = verdict.partition(":")
    return [tag("p", tag("strong", outcome, class_=_class(outcome)), f":{why}", class_="lead")] if verdict else []


_LEADS = {"retrieval": "Retrieval, {row.metric}", "AVG": "The {row.note}"}


def _lead(line: dict[str, str]) -> Html:
    row = shown(line)
    what = _LEADS[row.task].format(row=row)
    verdict = tag("strong", row.outcome, class_=_class(row.outcome))
    figures = f". {row.base} before, {row.tuned} after: {row.difference} ({row.interval})."
    bm25 = f" BM25, which is not trained, has {row.bm25}." if row.bm25 else ""
    return join([f"{what}: ", verdict, figures, bm25])


def _contents(sections: Sequence[Section]) -> Html:
    places = {
        "results": "Results",
        "false-negatives": "False negatives",
        **{f"dataset-{section.name}": section.name for section in sections},
        "queries": "Queries",
    }
    links = [tag("a", name, href=f"#{place}") for place, name in places.items()]
    return tag("nav", *links, aria_label="On this page")


def _main(results: Sequence[dict[str, str]], sections: Sequence[Section]) -> list[Html]:
    return [
        tag("h2", "Results on the dev split", id="results"),
        hint(_OUTCOMES),
        _results(results),
        tag("h2", "False negatives that are known", id="false-negatives"),
        hint(
            f"Share of training rows that would hold another known positive among {_draws(sections)}negatives drawn at "
            "random from a window of ranks. Unknown positives come on top."
        ),
        _false_negatives(sections),
        tag("h2", "Datasets"),
        *(render_section(section) for section in sections),
        tag("h2", "Queries", id="queries"),
        _queries(sections),
    ]


def _results(results: Sequence[dict[str, str]]) -> Html:
    ends = [abs(float(line[end])) for line in results for end in ("low", "high", "difference")]
    scale = 1.05 * max(ends, default=0.0) or 1.0
    names = ("", "metric", "queries", "base", "tuned", "BM25", "change", "interval", "outcome")
    return table(names, [_result(line, scale) for line in lines_to_show(results)], "results")


def _result(line: dict[str, str], scale: float) -> tuple[str, list[str]]:
    row = shown(line)
    low, middle, high = (float(line[key]) for key in ("low", "difference", "high"))
    picture = tag("div", pictures.interval(low, middle, high, scale, row.outcome), note(row.interval))
    outcome = tag("div", tag("span", row.outcome, class_=_class(row.outcome)), note(row.needed))
    name = tag("div", row.dataset, note(row.note))
    cells = [name, row.metric, row.queries, row.base, row.tuned, row.bm25, row.difference, picture, outcome]
    return "" if line["dataset"] else "task", cells


def _false_negatives(sections: Sequence[Section]) -> Html:
    windows = {s.name: s.filtered.get("known_false_negatives") or [] for s in sections}
    most = max((float(window["share"]) for found in windows.values() for window in found), default=0.0)
    rows = [row for name, found in windows.items() for row in _windows(name, found, most)]
    if not rows:
        return tag("p", "None is known: no query of the train split has more than one positive.")
    return table(("dataset", "ranks", "rows", "share", ""), rows, "windows")


def _draws(sections: Sequence[Section]) -> str:
    """Say how many negatives are meant; nothing where reports do not tell, or tell several."""
    found = {w.get("draws") for section in sections for w in section.filtered.get("known_false_negatives") or []}
    known = found.pop() if len(found) == 1 else None
    return "" if known is None else f"{known:,} "


def _windows(name: str, found: Sequence[Mapping[str, Any]], most: float) -> Iterator[tuple[str, list[str]]]:
    for place, window in enumerate(found):
        share, ranks = float(window["share"]), f"{window['min_rank']} to {window['max_rank']}"
        picture = pictures.bar(share, most, f"{name}, ranks {ranks}: {share:.2%}")
        cells = [name if place == 0 else "", ranks, count(window["rows"]), f"{share:.2%}", picture]
        yield "first" if place == 0 else "", cells


def _queries(sections: Sequence[Section]) -> Html:
    """Make the place of the table; the page's script fills it."""
    number = sum(len(section.inspection.sampled) for section in sections)
    return tag(
        "section",
        hint(
            f"{number:,} queries drawn at random, as many of each dataset. Open one to see its positives and candidates; "
            "the words that tell a near copy from its positive are marked."
        ),
        tag("div", tag("p", "The list of queries needs JavaScript."), id="browser"),
        class_="browser",
    )


def _class(outcome: str) -> str:
    return f"outcome {outcome.replace(' ', '-')}"
