"""What became of the candidates: counts per verdict, and what they would be with some rules off."""

from collections.abc import Mapping

import numpy as np

from embedder.filters import BIT, KEEP, VERDICTS
from embedder.filters import verdicts as first_refusals
from embedder.report.html import Html, tag
from embedder.report.parts import colour, dot, hint
from embedder.report.pictures import stack

# What is judged relevant is no negative, whatever the rules are.
_FIXED = frozenset({KEEP, "is_positive"})
_SWITCHES = (
    "A candidate is counted under the first rule that refuses it. Switch a rule off to see what it alone refuses: "
    "nothing but this picture changes."
)


def verdicts(refused_by: Mapping[int, int]) -> list[Html]:
    """Show how many candidates have each verdict; the page's script counts anew when a rule is switched off.

    Args:
        refused_by: how many candidates each set of rules refuses.
    """
    counts, total = count_verdicts(refused_by), sum(refused_by.values())
    if not total:
        return [tag("h4", "Candidates"), tag("p", "There are no candidates.")]
    order = [KEEP, *(name for name, bit in BIT.items() if any(refused & bit for refused in refused_by))]
    said = ", ".join(f"{name} {counts[name]:,}" for name in order)
    rows = [tag("li", *_entry(name, counts[name], total), data_verdict=name) for name in order]
    return [
        tag("h4", f"What became of {total:,} candidates"),
        stack([(colour(name), counts[name]) for name in order], said),
        tag("ul", *rows, class_="legend verdicts"),
        *([hint(_SWITCHES)] if set(order) - _FIXED else []),
    ]


def count_verdicts(refused_by: Mapping[int, int]) -> dict[str, int]:
    """Count candidates by the first rule that refuses them."""
    sets = np.array(list(refused_by), dtype=np.int32)
    counts = dict.fromkeys(VERDICTS, 0)
    for verdict, number in zip(first_refusals(sets).tolist(), refused_by.values(), strict=True):
        counts[VERDICTS[verdict]] += number
    return counts


def _entry(name: str, number: int, total: int) -> list[Html]:
    # The script enables the boxes; without it they would do nothing.
    box = [] if name in _FIXED else [tag("input", type="checkbox", checked="", disabled="", value=name)]
    figures = [tag("b", f"{number:,}"), tag("span", f"{number / total:.1%}"), tag("em")]
    return [tag("label", *box, dot(name), tag("span", name.replace("_", " ")), *figures)]
