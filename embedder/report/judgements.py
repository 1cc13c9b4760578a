"""What a judge said of the kept candidates, in counts, and what that changed."""

from collections.abc import Mapping
from typing import Any

from embedder.report.html import Html, tag
from embedder.report.parts import count, facts, hint

_NAMES = {
    "kept_before": "kept by the rules",
    "judged": "of these judged",
    "failed": "asked in vain",
    "not_asked": "not asked about",
    "judged_negatives": "graded not relevant before",
    "relevant": "called relevant",
    "near_copies_of_relevant": "near copies of those",
    "relabelled": "of these made positives",
    "kept_after": "kept after the judge",
}
# A person fails nobody: what has no verdict was put off, or was answered with unsure.
_OF_PERSON = {"failed": "without an answer", "not_asked": "not labelled"}


def judgements(judged: Mapping[str, Any]) -> list[Html]:
    """Make the part of one dataset; nothing where there is no judge.

    Args:
        judged: the judge's report.json, as far as it goes.
    """
    kind, counts = judged.get("kind") or "none", judged.get("counts") or {}
    if kind == "none" or not counts:
        return []
    names = _NAMES | (_OF_PERSON if kind == "person" else {})
    threshold = judged.get("threshold")
    named = [(words, count(counts.get(name))) for name, words in names.items()]
    return [
        tag("h4", "What the judge said"),
        facts([*named, ("relevant from a score of", "" if threshold is None else f"{threshold:g}")]),
        *(hint(f"{said[:1].upper()}{said[1:]}.") for said in judged.get("words") or []),
    ]
