"""What a licence forbids, as far as its name tells."""

import re

# Of the name's words, between blanks: NCSA is no NC, and the Academic Free License is free.
_RESTRICTIONS = {
    "no commercial use": r"\bnc\b|\bnon ?commercial|\bno commercial",
    "no derivatives": r"\bnd\b|\bno ?deriv",
    "research only": r"\bresearch|\bacademic\b(?! free)",
    "evaluation only": r"\bevaluation only",
    "proprietary": r"\bproprietary",
}


def restrictions(licence: str) -> list[str]:
    """Say what a licence forbids or is limited to; nothing where its name says nothing of it."""
    words = re.sub(r"[^a-z0-9.]+", " ", licence.lower())
    return [said for said, pattern in _RESTRICTIONS.items() if re.search(pattern, words)]
