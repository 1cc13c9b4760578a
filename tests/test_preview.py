"""Tests of embedder.preview."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedder import preview, store
from embedder.ingestion import settling
from embedder.ingestion.gathering import TABLES
from embedder.loaders import Source
from tests import tables
from tests.sources import SETTINGS, records

LONG = "a passage of many words of which nearly all are the words of another passage but for one that is"


@contextmanager
def _settled(folder: Path, passages: dict[str, str]) -> Iterator[settling.Settled]:
    rows = records({"q": "what?"}, passages, [("q", next(iter(passages)), 1)])
    with store.opened(folder, TABLES) as opened:
        yield settling.settle(Source(rows), tables.entry(), SETTINGS, opened)


def test_near_copies_are_found_among_all_passages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passage of the sample has a near copy wherever in the corpus it stands, and is none of itself."""
    passages = {
        "n1": f"{LONG} one",
        "n2": f"{LONG} two",
        **{f"p{i}": f"passage {i} on its own {i * 7}" for i in range(8)},
    }
    monkeypatch.setattr(preview, "_BLOCK", 3)
    with _settled(tmp_path, passages) as settled:
        assert preview.copies(settled, "en") == preview.Copies(exact=0.0, near=0.2, sampled=10)


def test_copies_of_texts_without_blanks_are_compared_by_characters(tmp_path: Path) -> None:
    """Where words have no blanks, near copies are told by characters; counted in words each text would be one."""
    passages = {
        "a": "日本語の文章はほとんど同じである。" * 3 + "甲",
        "b": "日本語の文章はほとんど同じである。" * 3 + "乙",
    }
    with _settled(tmp_path, passages) as settled:
        assert preview.copies(settled, "ja").near == 1.0
        assert preview.copies(settled, "en").near == 0.0


def test_exact_copies_are_a_share_of_what_was_read(tmp_path: Path) -> None:
    """Passages whose text another had before them count as exact copies."""
    with _settled(tmp_path, {"a": "same", "b": "SAME", "c": "other", "d": "third"}) as settled:
        assert preview.copies(settled, None).exact == 0.25


def test_samples_and_lengths(tmp_path: Path) -> None:
    """At most five rows of each table are shown, always the same ones; lengths are characters, titles included."""
    with _settled(tmp_path, {f"p{i}": "x" * i for i in range(1, 11)}) as settled:
        shown = preview.samples(settled)
        assert {name: len(rows) for name, rows in shown.items()} == {"queries": 1, "corpus": 5, "qrels": 1}
        assert shown == preview.samples(settled)
        assert preview.lengths(settled)["corpus"] == [1, 1, 3, 5, 8, 10, 10]
        assert preview.lengths(settled)["queries"] == [5] * 7
