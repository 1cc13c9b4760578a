"""Facts about HTML: what comes from data stays text."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.report.html import Html, data_block, document, tag
from tests.report.made_up import HOSTILE


def digest(source: str) -> str:
    """The hash by which a policy allows a style or a script."""
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


@given(st.text(), st.text())
def test_a_tag_escapes_text_and_attributes(text: str, value: str) -> None:
    """Whatever the text, it comes back as one element's text and one attribute's value."""
    made = tag("b", text, title=value)
    assert made.count("<") == 2
    assert made.count('"') == 2
    assert tag("p", made) == f"<p>{made}</p>"
    assert tag("p", Html("<i></i>")) == "<p><i></i></p>"


@given(
    st.recursive(
        st.text() | st.sampled_from(HOSTILE), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_cannot_end_its_element(value: object) -> None:
    """Data comes back as it was, and holds nothing that HTML or JavaScript reads as more than text."""
    block = data_block("data", value)
    written = block.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == value


def test_data_holds_no_number_that_json_lacks() -> None:
    """A number that is not finite is a bug, not a page that fails to open."""
    with pytest.raises(ValueError, match="JSON"):
        data_block("data", [float("nan")])


def test_the_policy_allows_the_pages_own_style_and_script_alone() -> None:
    """The policy names both by their hashes, and lets nothing else be loaded, run or sent."""
    page = document("title", tag("p", "text"), data={"some": [1]})
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert style
    assert script
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest(style[1])}'; script-src 'sha256-{digest(script[1])}'"
    assert policy.replace("'", "&#x27;") in page
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_a_page_without_data_runs_nothing() -> None:
    """Where there is nothing to read there is no script, and the policy allows none."""
    page = document("title", tag("p", "text"))
    assert "<script" not in page
    assert "script-src" not in page


def test_the_script_makes_no_markup_of_text() -> None:
    """The page's script has no way to parse HTML or to run text."""
    page = document("title", data={})
    script = page[page.index("<script>") :]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"):
        assert way not in script
