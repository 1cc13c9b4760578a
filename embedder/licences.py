"""What a licence forbids, as far as its name tells, and what the Hub calls it."""

import json
import re
from collections.abc import Iterator, Mapping

# Of the name's words, between blanks: NCSA is no NC, and the Academic Free License is free.
_RESTRICTIONS = {
    "no commercial use": r"\bnc\b|\bnon ?commercial|\bno commercial",
    "no derivatives": r"\bnd\b|\bno ?deriv",
    "research only": r"\bresearch|\bacademic\b(?! free)",
    "evaluation only": r"\bevaluation only",
    "proprietary": r"\bproprietary",
    # They bind by what the text forbids, which no name tells: Gemma's, Llama's, the OpenRAIL family's, NVIDIA's.
    "terms of its own": r"\b(gemma|llama|deepseek|tongyi|qianwen|falcon|stability|nvidia|custom|terms)|rail\b|rail m\b",
}
_UNSTATED = frozenset(
    {"", "n a", "na", "no", "none", "null", "other", "tbd", "unclear", "unknown", "unspecified", "unstated"}
)
# https://huggingface.co/docs/hub/repositories-licenses: what `license:` may hold; `other` asks for a `license_name`.
_HUB_LICENCES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl
    lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 osl-3.0 pddl postgresql unknown
    unlicense wtfpl zlib
    """.split()  # noqa: SIM905 - a list literal would take a line each
)
# SPDX says more exactly what the Hub has as a family: GPL-3.0-or-later, ODbL-1.0, Zlib.
_SPDX_ENDINGS = ("-only", "-or-later", "-1.0", "")


def restrictions(licence: str) -> list[str]:
    """Say what a licence forbids or is limited to; nothing where its name says nothing of it.

    Who states no licence has forbidden all that the law does not allow.
    """
    if not is_stated(licence):
        return ["licence not stated"]
    words = _words(licence)
    return [said for said, pattern in _RESTRICTIONS.items() if re.search(pattern, words)]


def is_stated(licence: str) -> bool:
    """Tell a licence from words that say that there is none, or that nobody knows: `not specified`, `unknown`, `other`."""
    words = re.sub(r"\blicen[cs]es?\b", "", _words(licence)).strip(" .")
    return words not in _UNSTATED and not re.fullmatch(
        r"(not|none|no) (\w+ ?)?(said|specified|stated|known|given|provided|available)", words
    )


def restricted(licences: Mapping[str, str]) -> str:
    """Say which of several things have a licence that forbids something: "no commercial use: a, b".

    Args:
        licences: by the name of what has them.
    """
    found: dict[str, list[str]] = {}
    for name, licence in licences.items():
        for what in restrictions(licence):
            found.setdefault(what, []).append(name)
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in found.items())


def hub_licence(licence: str) -> str | None:
    """What the Hub calls a licence, as `cc-by-4.0` for `CC BY 4.0`; None where it has no word for it."""
    spelt = _slug(licence)
    found = (spelt.removesuffix(ending) for ending in _SPDX_ENDINGS)
    return next((name for name in found if name in _HUB_LICENCES), None)


def licence_lines(licences: set[str]) -> Iterator[str]:
    """Yield the lines of a card's head: one licence by the Hub's name; several, or an unknown one, as `other` with a name."""
    names = sorted({hub_licence(licence) or _slug(licence) for licence in licences})
    if len(names) == 1 and names[0] in _HUB_LICENCES:
        yield f"license: {names[0]}"
    else:
        yield f"license: other\nlicense_name: {json.dumps('-and-'.join(names))}"


def _words(licence: str) -> str:
    return re.sub(r"[^a-z0-9.]+", " ", licence.lower())


def _slug(licence: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-.") or "unnamed"
