"""Facts about hostile files of negatives that somebody else mined: any content ends in records or in a SourceError."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.loaders import Source
from embedder.loaders.given import load
from embedder.records import Given, Passage, Qrel, Query, Reject, Repair
from tests.loaders.test_given import beir, options, write

_TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["\x00", "\ud800", "=1+1", "../x", "\u202e", " ", "NaN"]))
_CELLS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=2)),
    max_leaves=5,
)
_NAMES = st.sampled_from([
    "query", "anchor", "positive", "negative", "negative_1", "negative_02", "scores",
    "pos", "neg", "pos_scores", "neg_scores",
])  # fmt: skip
_ROWS = st.one_of(st.dictionaries(_NAMES, _CELLS, max_size=7), _CELLS)


def check(source: Source, name: str, rows: int) -> None:
    """Check that reading ends in records of known rows, or in a SourceError, and that all rows are counted."""
    try:
        found = list(source.records)
    except SourceError:
        return
    assert source.facts[name] == {"rows": rows}
    for record in found:
        assert 1 <= record.row <= rows
        match record:
            case Query() | Passage():
                assert isinstance(record.text, str)
            case Given():
                assert record.place >= 0
                assert record.score is None or isinstance(record.score, float)
            case _:
                assert isinstance(record, Qrel | Reject | Repair)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ROWS, max_size=4), st.sampled_from(["n-tuples", "flag"]))
def test_hostile_rows_of_jsonl(tmp_path_factory: pytest.TempPathFactory, rows: list[object], form: str) -> None:
    """Any JSON in any field ends in records, and every row is counted."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        check(load(options(form), write(Path(folder) / "mined.jsonl", *rows)), "mined.jsonl", len(rows))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=80), st.sampled_from(["n-tuples", "flag"]), st.sampled_from(["jsonl", "csv", "tsv", "parquet"])
)
def test_any_bytes_as_a_file(tmp_path_factory: pytest.TempPathFactory, content: bytes, form: str, ending: str) -> None:
    """Any bytes as a file of any ending end in records or in a SourceError."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        path = Path(folder) / f"mined.{ending}"
        path.write_bytes(b"query\tpos\n" * (ending == "tsv") + content)
        with suppress(SourceError):
            list(load(options(form), path).records)


_LINES = st.lists(st.lists(st.text(max_size=5), min_size=4, max_size=7).map(" ".join), max_size=5)


@settings(max_examples=100, deadline=None)
@given(_LINES, st.binary(max_size=40))
def test_hostile_runs(tmp_path_factory: pytest.TempPathFactory, lines: list[str], rest: bytes) -> None:
    """Any lines as a run end in one record each that is not blank, given or refused."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        path = beir(Path(folder) / "set")
        content = "\n".join(lines).encode("utf-8", "surrogatepass") + rest
        (path / "run").write_bytes(content)
        source = load(options("trec-run", run="run"), path)
        try:
            found = [record for record in source.records if record.file == "run"]
        except SourceError:
            return
        assert source.facts["run"] == {"lines": len(found)}
        assert len(found) <= content.count(b"\n") + 1
