"""Tests of embedder.licences."""

import pytest

from embedder.licences import restricted, restrictions


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("CC-BY-NC-4.0", ["no commercial use"]),
        ("CC BY-ND 4.0", ["no derivatives"]),
        ("cc_by_nc_nd_3.0", ["no commercial use", "no derivatives"]),
        ("PolyForm Non-Commercial", ["no commercial use"]),
        ("PolyForm-Noncommercial-1.0.0", ["no commercial use"]),
        ("CC BY NoDerivs", ["no derivatives"]),
        ("for research purposes only", ["research only"]),
        ("Academic use", ["research only"]),
        ("evaluation only", ["evaluation only"]),
        ("Proprietary", ["proprietary"]),
        ("Academic Free License v3.0", []),
        ("NCSA", []),
        ("CC-BY-SA-4.0", []),
        ("", ["licence not stated"]),
        ("not specified", ["licence not stated"]),
        ("No license", ["licence not stated"]),
        ("unknown", ["licence not stated"]),
        ("Gemma", ["terms of its own"]),
        ("llama3.1", ["terms of its own"]),
        ("CreativeML OpenRAIL-M", ["terms of its own"]),
        ("bigscience-bloom-rail-1.0", ["terms of its own"]),
        ("Unlicense", []),
        ("no rights reserved", []),
        ("MIT", []),
    ],
)
def test_what_a_licence_forbids(licence: str, said: list[str]) -> None:
    """`nc`, `nd`, research and the like, as words of a licence, restrict; as letters of another word they don't."""
    assert restrictions(licence) == said


def test_who_restricts_what_is_one_line() -> None:
    """Each restriction names all that have it; without one nothing is said."""
    licences = {"a": "MIT", "b": "CC-BY-NC-4.0", "c": "CC-BY-NC-ND-4.0"}
    assert restricted(licences) == "no commercial use: b, c; no derivatives: c"
    assert restricted({"a": "MIT"}) == restricted({}) == ""
