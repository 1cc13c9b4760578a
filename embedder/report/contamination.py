"""How many unjudged kept candidates are relevant after all: bounds and the judge's estimate, in a dataset's section."""

from collections.abc import Mapping, Sequence
from typing import Any

from embedder.report.html import Html, tag
from embedder.report.parts import count, hint, interval, percent
from embedder.report.parts import facts as figures

Json = Mapping[str, Any]


def contamination(lower: Json | None, judged: Json | None, judge: str) -> list[Html]:
    """Make the part of one dataset.

    Args:
        lower: the filter's lower bound; None where it reports none.
        judged: what the judge's labels say; None without.
        judge: its name.
    """
    parts = [*_lower(lower), *_estimate(judged, judge)]
    if not parts:
        return []
    without = "Without a judge there is no estimate and no upper bound: set judge in params.yaml."
    return [
        tag("h4", "How many unjudged kept candidates are relevant after all?"),
        *parts,
        *([] if judged else [hint(without)]),
    ]


def _lower(found: Json | None) -> list[Html]:
    if not found or found.get("lower") is None:
        return []
    evidence: Mapping[str, int] = found.get("evidence") or {}
    kinds = [f"{kind.replace('_', ' ')} {number:,}" for kind, number in evidence.items() if number]
    said = f"{count(found['any'])} of {count(found['kept'])} unjudged kept candidates have evidence against them"
    apart = f" {count(found['judged'])} judged ones are kept too and not counted." if found.get("judged") else ""
    shares = f" ({interval(found['low'], found['high'])})"
    return [
        tag("p", "At least ", tag("strong", percent(found["lower"])), f"{shares}: {said}", _listed(kinds), apart),
        *_hints([found["words"]] if found.get("words") else []),
        *_twins(found.get("teacher_twin")),
    ]


def _twins(found: Json | None) -> list[Html]:
    """Say how many candidates a dense teacher cannot tell from a positive, or why that is not known."""
    if not found:
        return []
    if found.get("candidates") is None:
        return _hints([found["words"]])
    number, more = count(found["candidates"]), count(found["without_evidence"])
    limits = found["thresholds"].items()
    named = [f"{member or 'the teacher'} from a cosine of {limit:.3f}" for member, limit in limits if limit is not None]
    said = f"Teacher twins: {number}, {more} of them without evidence ({', '.join(named)})."
    return [tag("p", said), *_hints([found["words"]])]


def _listed(kinds: Sequence[str]) -> str:
    return f": {', '.join(kinds)}." if kinds else "."


def _estimate(found: Json | None, judge: str) -> list[Html]:
    if not found:
        return []
    share: Json | None = found.get("contamination")
    if share is None:
        reason = found.get("cannot_tell") or "no share can be told"
        return [tag("p", tag("strong", "No estimate"), f" by the judge {judge}: {reason}."), *_limits(found)]
    if found.get("upper_only"):
        said = tag("p", "At most ", tag("strong", percent(found["upper"])), f" by the judge {judge}: ", _UNRESOLVED)
    else:
        ends = interval(share["low"], share["high"])
        said = tag("p", "About ", tag("strong", percent(share["estimate"])), f" ({ends}) by the judge {judge}.")
    return [said, *_limits(found)]


_UNRESOLVED = "its sample cannot tell a smaller share from none, so only this bound is stated."


def _limits(found: Json) -> list[Html]:
    asked: Mapping[str, Mapping[str, int]] = found.get("asked") or {}
    labels = sum(kind["labels"] for kind in asked.values())
    failed = sum(kind["failed"] for kind in asked.values())
    named = [
        ("pairs labelled", count(labels)),
        ("without an answer", count(failed) if failed else ""),
        ("called relevant", _measured(found.get("observed"))),
        ("sensitivity", _measured(found.get("sensitivity"))),
        ("specificity", _measured(found.get("specificity"))),
        ("resolves", _share(found.get("resolves"))),
        ("not sampled, nothing said of", _share(found.get("unlabelled_share") or None)),
        ("left when it drops what it calls relevant", _left(found)),
    ]
    return [figures(named), *_hints(found.get("words") or [])]


def _hints(words: Sequence[str]) -> list[Html]:
    return [hint(f"{said[:1].upper()}{said[1:]}.") for said in words]


def _left(found: Json) -> str:
    after: Json | None = found.get("after_judge")
    if not after:
        return ""
    return f"at most {percent(after['upper'])}" if found.get("upper_only") else _measured(after)


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _measured(share: Json | None) -> str:
    return f"{percent(share['estimate'])} ({interval(share['low'], share['high'])})" if share else ""
