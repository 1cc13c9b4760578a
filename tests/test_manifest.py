"""Tests of embedder.manifest."""

import json
import re

import pytest
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from embedder.licences import hub_licence
from embedder.manifest import card, manifest
from embedder.params.models import Dataset
from tests import tables

ENTRIES = {
    "docs": tables.entry(licence="MIT"),
    "sts": tables.entry("sts", licence="CC0-1.0", language="no", weight=2.0),
}
FILES = [{"path": "train/docs-00000.parquet", "rows": 2, "bytes": 10, "sha256": "0"}, {"path": "b", "rows": 1234}]
COUNTS = {"docs": {"rows": 2, "teacher": "bm25"}, "sts": {"rows": 1234, "teacher": "bm25"}}


def card_of(entries: dict[str, Dataset], rows: int = 7) -> str:
    """Write the card of datasets with `rows` rows each."""
    unknown = dict.fromkeys(entries, ("not measured", "not measured"))
    return card({"rows": rows * len(entries)}, entries, dict.fromkeys(entries, rows), unknown)


def head_of(text: str) -> dict[str, object]:
    """Read a card's head as the Hub's own library does."""
    return dict(DatasetCard(text).data.to_dict())  # type: ignore[no-untyped-call]  # the library's


def test_the_manifest_says_what_made_the_files() -> None:
    """It lists the files, all rows, the settings, and of each dataset counts, licence, source and what made it."""
    content = manifest(FILES, COUNTS, ENTRIES, tables.settings(), {})
    assert (content["rows"], content["files"]) == (1236, FILES)
    assert content["materialize"] == tables.settings().model_dump(mode="json")
    datasets = content["datasets"]
    assert isinstance(datasets, dict)
    assert datasets["sts"] == {
        "rows": 1234,
        "teacher": "bm25",
        "task": "sts",
        "instruction": "Find it",
        "language": "no",
        "licence": "CC0-1.0",
        "weight": 2.0,
        "path": "somewhere",
        "source": {},
    }
    assert json.loads(json.dumps(content)) == content


def test_the_card_names_every_dataset_and_licence() -> None:
    """The card has a line a dataset with task, language, rows, licence, source, and what is known of false negatives."""
    content, rows = manifest(FILES, COUNTS, ENTRIES, tables.settings(), {}), {"docs": 2, "sts": 1234}
    said = {"docs": ("8.1% (7.0% to 9.2%)", "at least 0.12%"), "sts": ("not measured", "not measured")}
    text = card(content, ENTRIES, rows, said)
    assert "| docs | retrieval | en | 2 | MIT | somewhere | 8.1% (7.0% to 9.2%) | at least 0.12% |" in text
    assert "| sts | sts | no | 1,234 | CC0-1.0 | somewhere | not measured | not measured |" in text
    assert "known\npositives: an optimistic stand-in" in text
    assert "the share of unjudged kept candidates that are relevant" in text
    assert "1,236 training rows" in text


def test_the_hub_reads_the_cards_head() -> None:
    """The head is the Hub's: languages (`no` is Norwegian), licences, size, tags, where the files lie."""
    head = head_of(card_of(ENTRIES, 617))
    assert head == {
        "configs": [{"config_name": "default", "data_files": "train/*.parquet"}],
        "language": ["en", "no"],
        "license": "other",
        "license_name": "cc0-1.0-and-mit",
        "size_categories": ["1K<n<10K"],
        "tags": ["embeddings", "hard-negatives"],
        "task_categories": ["sentence-similarity"],
    }


@pytest.mark.parametrize(
    ("licences", "head"),
    [
        (["MIT", "mit"], {"license": "mit"}),
        (["CC BY-SA 4.0", "CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["ODbL-1.0"], {"license": "odbl"}),
        (["MIT", "GPL-3.0-or-later"], {"license": "other", "license_name": "gpl-3.0-and-mit"}),
        (["Our terms, 2024"], {"license": "other", "license_name": "our-terms-2024"}),
        (["1.0"], {"license": "other", "license_name": "1.0"}),
        (["\u5229\u7528\u898f\u7d04"], {"license": "other", "license_name": "unnamed"}),
    ],
)
def test_a_licence_is_the_hubs_or_other_with_a_name(licences: list[str], head: dict[str, str]) -> None:
    """One licence that the Hub knows is called by its name there; all else is `other` and named."""
    data = head_of(card_of({f"d{n}": tables.entry(licence=one) for n, one in enumerate(licences)}))
    assert {key: value for key, value in data.items() if key.startswith("license")} == head


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("BSD 3-Clause", "bsd-3-clause"),
        ("PDDL-1.0", "pddl"),
        ("CC0-1.0", "cc0-1.0"),
        ("AGPL-3.0-only", "agpl-3.0"),
        ("apache", None),
        ("", None),
    ],
)
def test_the_hubs_word_for_a_licence(licence: str, name: str | None) -> None:
    """SPDX ids and usual spellings become the Hub's identifiers; what it doesn't know has none."""
    assert hub_licence(licence) == name


def test_restricting_licences_are_pointed_out_in_one_line() -> None:
    """The card names the datasets that forbid commercial use or derivatives, and says nothing where none does."""
    licences = {"a": "MIT", "b": "CC-BY-NC-4.0", "c": "CC-BY-NC-ND-4.0"}
    text = card_of({name: tables.entry(licence=licence) for name, licence in licences.items()})
    assert "\n**Restricted by licence** (no commercial use: b, c; no derivatives: c): " in text
    assert "Restricted" not in card_of(ENTRIES)


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M"), (10**12, "1B<n<10B")],
)
def test_sizes_are_the_hubs(rows: int, size: str) -> None:
    """The number of rows falls into one of the Hub's classes."""
    assert head_of(card_of({"d": tables.entry()}, rows))["size_categories"] == [size]


@given(licence=st.text(min_size=1), path=st.text(min_size=1))
def test_a_users_text_stays_in_its_cell(licence: str, path: str) -> None:
    """Whatever a licence or a path holds, the table keeps its rows and columns, without HTML, and the head is read."""
    text = card_of({"d": tables.entry(licence=licence, path=path)})
    row = next(line for line in text.splitlines() if line.startswith("| d |"))
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 9
    assert "<" not in row
    assert ">" not in row
    assert head_of(text)["license"]


def test_markdown_of_a_user_is_shown_and_not_read() -> None:
    """Links, emphasis, code, entities and control characters in a licence are shown as they are."""
    text = card_of({"d": tables.entry(licence="[x](javascript:0) *a* `b` &amp; \x1b\u202e\n| c")})
    assert r"| \[x\](javascript:0) \*a\* \`b\` &amp;amp; " + "\ufffd\ufffd" + r" \| c | somewhere |" in text
