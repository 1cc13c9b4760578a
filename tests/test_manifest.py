"""Tests of embedder.manifest."""

import json

from embedder.manifest import card, manifest
from tests import tables

ENTRIES = {"docs": tables.entry(licence="MIT"), "sts": tables.entry("sts", licence="CC0-1.0", weight=2.0)}
FILES = [{"path": "train/docs-00000.parquet", "rows": 2, "bytes": 10, "sha256": "0"}, {"path": "b", "rows": 1234}]
COUNTS = {"docs": {"rows": 2, "teacher": "bm25"}, "sts": {"rows": 1234, "teacher": "bm25"}}


def test_the_manifest_says_what_made_the_files() -> None:
    """It lists the files, all rows, the settings, and of each dataset counts, licence, source and what made it."""
    content = manifest(FILES, COUNTS, ENTRIES, tables.settings())
    assert (content["rows"], content["files"]) == (1236, FILES)
    assert content["materialize"] == tables.settings().model_dump(mode="json")
    datasets = content["datasets"]
    assert isinstance(datasets, dict)
    assert datasets["sts"] == {
        "rows": 1234,
        "teacher": "bm25",
        "task": "sts",
        "instruction": "Find it",
        "licence": "CC0-1.0",
        "weight": 2.0,
        "path": "somewhere",
        "source": {},
    }
    assert json.loads(json.dumps(content)) == content


def test_the_card_names_every_dataset_and_licence() -> None:
    """The card has a line a dataset with its rows and licence; several licences are `other` to the Hub."""
    content = manifest(FILES, COUNTS, ENTRIES, tables.settings())
    text = card(content, ENTRIES, {"docs": 2, "sts": 1234})
    assert "| docs | retrieval | 2 | MIT | `somewhere` |" in text
    assert "| sts | sts | 1,234 | CC0-1.0 | `somewhere` |" in text
    assert "\nlicense: other\n" in text
    assert "1,236 training rows" in text
    one = {"docs": ENTRIES["docs"]}
    assert "\nlicense: mit\n" in card(
        manifest(FILES, {"docs": COUNTS["docs"]}, one, tables.settings()), one, {"docs": 2}
    )
