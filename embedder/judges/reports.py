"""What is said of asking a judge: its cost before, its counts after."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from embedder.contamination.estimate import Contamination
from embedder.judges import Answers, Cost


def cost_line(cost: Cost) -> str:
    """Say in one line what asking will take."""
    said = f"{cost.pairs:,} pairs, {cost.stored:,} of them answered before"
    if not cost.tokens:
        return said
    money = "at an unknown price" if cost.money is None else f"for {cost.money:,.2f}"
    return f"{said}; about {cost.tokens:,} tokens for the others, {money}"


def answers_report(answers: Answers, identity: Mapping[str, object]) -> dict[str, Any]:
    """Return what report.json says of a judge's answers: they add up to the pairs."""
    answered = int(np.count_nonzero(~np.isnan(answers.scores)))
    failed = {reason: len(places) for reason, places in sorted(answers.failures.items())}
    left = len(answers.scores) - answered - sum(failed.values())
    pairs = {"all": len(answers.scores), "answered": answered, "failed": failed, "not_asked": left}
    return {"revision": revision(identity), "pairs": pairs, **answers.facts}


def blind_line(found: Contamination) -> str:
    """Say in one line that a judge is no better than chance."""
    errors = ((found.sensitivity, "sensitivity"), (found.specificity, "specificity"))
    said = ", ".join(f"{name} {error.estimate:.0%}" for error, name in errors if error)
    return (
        f"may be no better than chance at telling known positives from random passages ({said}), so nothing that it says "
        "is acted upon and nothing is written; correct its entry, the threshold above all, or take another judge"
    )


def failed(answers: Answers) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return which pairs were asked about in vain."""
    return np.concatenate([np.empty(0, np.int64), *answers.failures.values()])


def revision(identity: Mapping[str, object]) -> str:
    """Return 40 hex digits of the SHA-256 of all that changes an answer."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:40]
