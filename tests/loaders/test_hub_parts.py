"""Facts about datasets in BEIR's form on the Hub: corpus, queries and qrels in configurations or repositories."""

from pathlib import Path
from typing import Any

import datasets
import pytest

from embedder.errors import SourceError
from embedder.loaders.hub import load
from embedder.records import Passage, Qrel, Query, Reject
from tests.loaders.test_hub import REVISION, cached, options, read

pytestmark = pytest.mark.usefixtures("cache")


def test_the_three_parts_of_beir(tmp_path: Path, cache: Path, folder: Path) -> None:
    """Corpus, queries and qrels may be configurations, or another dataset; ids may be numbers; titles may be missing."""
    beir = tmp_path / "beir"
    configs = {
        "corpus": [{"_id": 7, "title": "T", "text": "long"}, {"_id": 8, "title": None, "text": "other"}],
        "queries": [{"_id": "q1", "text": "ask"}],
        "qrels": [{"query-id": "q1", "corpus-id": 7, "score": 2}, {"query-id": "q1", "corpus-id": 8, "score": None}],
    }
    for config, rows in configs.items():
        (beir / config).mkdir(parents=True)
        datasets.Dataset.from_list(rows).to_parquet(beir / config / "test.parquet")
    listed = "\n".join(f"- {{config_name: {name}, data_files: [{{split: test, path: {name}/*}}]}}" for name in configs)
    (beir / "README.md").write_text(f"---\nconfigs:\n{listed}\n---\n")
    parts: dict[str, Any] = {name: {"config": name, "split": "test"} for name in ("corpus", "queries")}
    here = {**parts, "qrels": {"dev": {"config": "qrels", "split": "test"}}}
    source = load(options(parts=here, columns=None, splits={}), beir)
    assert read(source) == [
        Passage("7", "T", "long", "corpus", 1),
        Passage("8", "", "other", "corpus", 2),
        Query("q1", "ask", None, None, None, "queries", 1),
        Qrel("q1", "7", 2.0, "qrels/dev", 1, "dev"),
        Reject("qrel", "q1\t8", "relevance_not_a_number", "qrels/dev", 2),
    ]
    assert source.facts == {"corpus": {"rows": 2}, "queries": {"rows": 1}, "qrels/dev": {"rows": 2}}
    cached(cache, folder, REVISION)
    there = {**parts, "qrels": {"train": {"name": "owner/name", "revision": REVISION, "split": "train"}}}
    with pytest.raises(SourceError, match="qrels/train: unknown column 'query-id'"):
        read(load(options(parts=there, columns=None, splits={}), beir))
