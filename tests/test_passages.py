"""Tests of embedder.passages."""

from pathlib import Path

import pytest

from embedder import schemas
from embedder.errors import TableError
from embedder.passages import PassageTexts, passage_ids, texts_of


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of more than one batch."""
    count = 2_500
    columns = {
        "passage_id": [f"p{i:04d}" for i in range(count)],
        "title": [f"title {i}" if i % 2 else "" for i in range(count)],
        "text": [f"text {i}" for i in range(count)],
    }
    schemas.write(tmp_path / "corpus.parquet", schemas.CORPUS, schemas.build(schemas.CORPUS, columns))
    return tmp_path / "corpus.parquet"


def test_all_passages_are_read_in_order(corpus: Path) -> None:
    """Ids and joined texts come in the table's order, as often as they are asked for."""
    texts = PassageTexts(corpus)
    assert list(texts) == list(texts)
    assert (len(texts), len(passage_ids(corpus))) == (2500, 2500)
    assert dict(zip(passage_ids(corpus), texts, strict=True))["p0001"] == "title 1\ntext 1"


def test_some_passages_are_read_by_id(corpus: Path) -> None:
    """Those that are there have their joined texts; an id that nobody has is left out."""
    found = texts_of(corpus, {"p2499", "p0000", "none"})
    assert found == {"p0000": "text 0", "p2499": "title 2499\ntext 2499"}
    assert texts_of(corpus, []) == {}


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    """Whoever reads it says which file is missing."""
    with pytest.raises(TableError, match=r"corpus\.parquet: no such table"):
        texts_of(tmp_path / "corpus.parquet", ["p"])
