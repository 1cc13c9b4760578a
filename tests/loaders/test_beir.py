"""Tests of embedder.loaders.beir."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders import Source, load
from embedder.loaders.beir import Options
from embedder.records import Passage, Qrel, Query, Reject
from tests.sources import by_kind, ingested


def _folder(root: Path, *, packed: bool = False, **files: str) -> Path:
    """Write a BEIR folder; keyword `qrels_train` is the file qrels/train.tsv."""
    content = {
        "corpus.jsonl": '{"_id": "d1", "title": "T", "text": "one"}\n{"_id": 2, "text": "two", "metadata": {}}\n',
        "queries.jsonl": '{"_id": "q1", "text": "first"}\n{"_id": "q2", "text": "second"}\n',
        "qrels/train.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    }
    content |= {
        (name.replace("_", "/", 1) + (".tsv" if "_" in name else ".jsonl")): text for name, text in files.items()
    }
    for name, text in content.items():
        path = root / (f"{name}.gz" if packed else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode("utf-8", "surrogateescape")
        path.write_bytes(gzip.compress(data) if packed else data)
    return root


def _load(folder: Path, **how: object) -> Source:
    return load(Options.model_validate({"loader": "beir", **how}), folder)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder(tmp_path: Path, *, packed: bool) -> None:
    """Corpus, queries and judgements become records with their rows, plain or packed; a header is no judgement."""
    source = _load(_folder(tmp_path, packed=packed, qrels_dev="q2\t2\t0.5\n"))
    found = list(source.records)
    ending = ".gz" if packed else ""
    assert by_kind(found, Passage) == [
        Passage("d1", "T", "one", f"corpus.jsonl{ending}", 1), Passage("2", "", "two", f"corpus.jsonl{ending}", 2),
    ]  # fmt: skip
    assert [(row.query_id, row.text, row.split) for row in by_kind(found, Query)] == [
        ("q1", "first", None),
        ("q2", "second", None),
    ]
    assert by_kind(found, Qrel) == [
        Qrel("q1", "d1", 1.0, f"qrels/train.tsv{ending}", 2, "train"), Qrel("q2", "2", 0.5, f"qrels/dev.tsv{ending}", 1, "dev"),
    ]  # fmt: skip
    assert source.facts[f"qrels/train.tsv{ending}"] == {"lines": 1, "header": True}
    assert source.facts[f"qrels/dev.tsv{ending}"] == {"lines": 1, "header": False}


def test_trec_form_and_blanks_are_read(tmp_path: Path) -> None:
    """Judgements in TREC's four columns, cut by blanks or tabs, are read too."""
    found = list(_load(_folder(tmp_path, qrels_train="q1 0 d1 2\nq2\t0\t2\t1\n")).records)
    assert [(row.query_id, row.passage_id, row.relevance) for row in by_kind(found, Qrel)] == [
        ("q1", "d1", 2),
        ("q2", "2", 1),
    ]


def test_other_names_of_splits(tmp_path: Path) -> None:
    """Which file is which split is the entry's choice; a split without a file is left out."""
    folder = _folder(tmp_path, qrels_test="q2\td1\t1\n")
    found = list(_load(folder, splits={"dev": "test"}).records)
    assert [row.split for row in by_kind(found, Qrel)] == ["dev"]


def test_dirty_rows_are_refused_with_their_place(tmp_path: Path) -> None:
    """Lines that are no JSON, judgements without a grade or with other cells are listed with file and row."""
    folder = _folder(
        tmp_path,
        qrels_train="query_id\tcorpus_id\tx\nq1\td1\tx\nq1\td1\n\nq1\td1\t1\n",
        corpus='no\n{"_id": "d1", "text": "one"}\n',
    )
    found = by_kind(_load(folder).records, Reject)
    assert [(row.kind, row.reason, row.file, row.row) for row in found] == [
        ("passage", "not_json", "corpus.jsonl", 1),
        ("qrel", "relevance_not_a_number", "qrels/train.tsv", 2),
        ("qrel", "not_three_cells", "qrels/train.tsv", 3),
    ]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("corpus.jsonl", "has no corpus.jsonl nor corpus.jsonl.gz"),
        ("queries.jsonl", "has no queries.jsonl"),
        ("qrels/train.tsv", "has no train.tsv, dev.tsv, it has nothing; name its files"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, gone: str, said: str) -> None:
    """A folder without one of its files is refused with what a BEIR folder has."""
    folder = _folder(tmp_path)
    (folder / gone).unlink()
    with pytest.raises(SourceError, match=said):
        _load(folder)


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("query-id\tcorpus-id\tscore", True),
        ("QueryID 0 DocNo Rel", True),
        ("q1\td1\tone", False),
        ("q1\td1", False),
        ("query-id\tcorpus-id", False),
        ("query-id\td1\t1", False),
    ],
)
def test_only_known_names_are_a_header(tmp_path: Path, line: str, *, header: bool) -> None:
    """A first line with a broken grade or too few cells is a refused judgement, not a header."""
    source = _load(_folder(tmp_path, qrels_train=f"{line}\nq1\td1\t1\n"))
    judged = [row for row in source.records if isinstance(row, Qrel | Reject)]
    assert len(judged) == 2 - header
    assert source.facts["qrels/train.tsv"] == {"lines": 2 - header, "header": header}


def test_a_judgement_beyond_the_cap_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any text is counted and refused, not taken for a blank one."""
    monkeypatch.setattr("embedder.loaders.lines.MAX_LINE", 100)
    source = _load(_folder(tmp_path, qrels_train=f"q1\td1\t1\n{'x' * 200}\td1\t1\n\n"))
    assert by_kind(source.records, Reject) == [Reject("qrel", "", "line_too_long", "qrels/train.tsv", 2)]
    assert source.facts["qrels/train.tsv"] == {"lines": 2, "header": False}


def test_broken_texts_count_among_their_kind(tmp_path: Path) -> None:
    """A broken line of queries.jsonl is a query that is refused, one of corpus.jsonl a passage."""
    found = list(_load(_folder(tmp_path, queries='{"_id": "q1", "text": "first"}\n{"_id"\n', corpus="[]\n")).records)
    assert [(row.kind, row.file, row.row) for row in by_kind(found, Reject)] == [
        ("passage", "corpus.jsonl", 1),
        ("query", "queries.jsonl", 2),
    ]


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels"])
def test_links_to_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """A file of the folder, or its qrels, may not be a link that leads outside."""
    folder = _folder(tmp_path / "set")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="lies outside"):
        _load(folder)


@pytest.mark.parametrize("name", ["../../secret", "a/b", ""])
def test_qrels_stay_in_their_folder(name: str) -> None:
    """A split's name is a file's name and no path."""
    with pytest.raises(ValidationError):
        Options.model_validate({"loader": "beir", "splits": {"train": name}})


def test_through_ingest(tmp_path: Path) -> None:
    """A query of both splits is dev, one that nobody judged is refused, and every row is accounted for."""
    folder = _folder(
        tmp_path,
        qrels_dev="q1\td1\t1\n",
        queries='{"_id": "q1", "text": "first"}\n{"_id": "q2", "text": "  "}\n{"_id": "q3", "text": "third"}\n',
    )
    found = ingested(_load(folder))
    assert found.rows("queries") == [
        {"query_id": "q1", "text": "first", "split": "dev", "group_id": "q1", "labels": None}
    ]
    assert found.notes() == [("query", "q2", "empty_text"), ("query", "q3", "not_judged")]
    assert found.report["merged"]["qrel"] == 1


_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=10)
_LINE = st.one_of(
    _TEXT,
    st.builds(
        lambda i, t: json.dumps({"_id": i, "text": t}),
        st.one_of(_TEXT, st.integers(), st.none()),
        st.one_of(_TEXT, st.lists(_TEXT, max_size=2)),
    ),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_LINE, max_size=5),
    st.lists(_LINE, max_size=5),
    st.lists(st.lists(_TEXT, max_size=5).map("\t".join), max_size=5),
)
def test_hostile_folders_are_counted(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[str], queries: list[str], qrels: list[str]
) -> None:
    """Whatever the lines hold, ingest ends with counts that add up, or in the one error about ids with two texts."""
    texts = ["\n".join(line.encode("utf-8", "replace").decode() for line in part) for part in (corpus, queries, qrels)]
    folder = _folder(tmp_path_factory.mktemp("hostile"), corpus=texts[0], queries=texts[1], qrels_train=texts[2])
    try:
        found = ingested(_load(folder), check=False)
    except SourceError as error:
        assert "has one text at" in str(error) or "is empty" in str(error)  # noqa: PT017 - any other message is a fault
        return
    counts = [found.report[key] for key in ("read", "kept", "merged", "rejected")]
    for kind in counts[0]:
        read, kept, merged, rejected = (count.get(kind, 0) for count in counts)
        assert read == kept + merged + rejected
