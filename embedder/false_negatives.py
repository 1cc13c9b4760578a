"""What was measured of false negatives, for those who get the shards: numbers for the manifest, words for the card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedder import layout
from embedder.leak.rows import NOT_IDENTIFIABLE, read_csv
from embedder.leak.strata import ALL

STAND_IN = "known positives: an optimistic stand-in"


def measured(dataset: str) -> dict[str, Any]:
    """Gather what filter and judge measured of a dataset; null for what neither did.

    Returns:
        `pass_through` of the setting in force, as a share with its interval, null where labels cannot tell it.
        `contamination` of the kept candidates: `lower` bound from copies and judgements, and from a judge's labels an
        `estimate` with its interval or no more than an `upper` bound, all of what the filter kept; `removed`, how many of
        those the judge took away; `after_judge`, the same estimate of what it left, where it was asked about everything
        that nobody had judged and always answered.
    """
    filtered, judged = (_report(layout.report(stage, dataset)) for stage in ("filter", "judge"))
    return {
        "pass_through": _pass_through(layout.folder("filter", dataset) / "leak.csv"),
        "contamination": _contamination(filtered.get("contamination") or {}, judged),
    }


def in_words(found: Mapping[str, Any]) -> tuple[str, str]:
    """Say both figures in a few words each, for a table."""
    share, kept = found["pass_through"], found["contamination"]
    passed = "not measured"
    if share is not None:
        passed = NOT_IDENTIFIABLE if share["estimate"] is None else _interval(share)
    return passed, _contaminated(kept)


def _contaminated(kept: Mapping[str, Any]) -> str:
    """Say the most that is known: what a judge estimated, or bounds from above, or evidence without a judge."""
    before = " before the judge's removals" if kept["removed"] else ""
    if kept["after_judge"] is not None:
        return f"{_estimated(kept['after_judge'])} after the judge"
    if kept["upper"] is not None:
        return f"{_estimated(kept)}{before or ' by the judge'}"
    if kept["lower"] is None:
        return "not measured"
    return f"at least {_share(kept['lower'])}{before}" if kept["lower"] else f"no evidence of any{before}"


def _pass_through(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    row = next((row for row in read_csv(path) if row.current and row.stratum == ALL), None)
    if row is None:
        return None
    return {
        "about": STAND_IN,
        "estimate": row.pass_through,
        "low": row.low,
        "high": row.high,
        "positives": row.positives,
        "not_identifiable": row.not_identifiable,
    }


def _contamination(bound: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    judged, counts = report.get("contamination") or {}, report.get("counts") or {}
    only = bool(judged.get("upper_only"))
    # What is left after the judge is known if it said something of everything.
    whole = not (counts.get("not_asked") or counts.get("failed"))
    after = judged.get("after_judge") if whole else None
    return {
        "lower": bound.get("lower"),
        **_known(judged.get("contamination"), judged.get("upper"), only=only),
        "removed": counts.get("relevant", 0) + counts.get("near_copies_of_relevant", 0),
        "after_judge": after and _known(after, after.get("upper"), only=only),
    }


def _known(interval: Mapping[str, Any] | None, upper: float | None, *, only: bool) -> dict[str, Any]:
    shown = None if interval is None or only else {name: interval[name] for name in ("estimate", "low", "high")}
    return {"estimate": shown, "upper": upper}


def _estimated(found: Mapping[str, Any]) -> str:
    return f"below {_share(found['upper'])}" if found["estimate"] is None else _interval(found["estimate"])


def _interval(found: Mapping[str, Any]) -> str:
    return f"{_share(found['estimate'])} ({_share(found['low'])} to {_share(found['high'])})"


def _share(value: float) -> str:
    return f"{100 * value:.2g}%" if value < 0.01 else f"{value:.1%}"  # noqa: PLR2004 - two digits of what is small


def _report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found
