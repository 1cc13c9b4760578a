"""BEIR folders (Thakur et al. 2021, arXiv 2104.08663): corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv, plain or .gz."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints

from embedder.errors import SourceError
from embedder.loaders import Source
from embedder.loaders.cells import read
from embedder.loaders.columns import number, text_of
from embedder.loaders.lines import lines
from embedder.loaders.table import inside, named
from embedder.params.base import Model
from embedder.records import Passage, Qrel, Query, Record, Reject

Split = Literal["train", "dev"]
FileName = Annotated[str, StringConstraints(pattern=r"^[^/\\]+$")]

# query, passage, relevance; TREC's form has an iteration between the first two.
_CELLS = {3: (0, 1, 2), 4: (0, 2, 3)}
# How headers call the columns of judgements, with - for _ and blanks.
_HEADER = frozenset(
    """
    query-id queryid query qid topic topic-id corpus-id corpusid doc-id docid docno did document-id document passage-id
    passageid passage pid iter iteration score relevance rel label grade judgement judgment
    """.split()  # noqa: SIM905 - a list literal would take a line each
)


class Options(Model):
    """Which qrels are read.

    Attributes:
        splits: the file of qrels/ that each split is read from; a split without file is left out.
        dev_share: makes the splits anew, that share of the groups dev; null: as the files say.
    """

    loader: Literal["beir"]
    splits: dict[Split, FileName] = Field(default={"train": "train", "dev": "dev"}, min_length=1)
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = None

    labelled: ClassVar[bool] = False


def load(options: Model, path: Path) -> Source:
    """Open a BEIR folder.

    Raises:
        SourceError: a file is missing or cannot be read; while reading, too.
    """
    chosen = cast("Options", options)
    corpus, queries = _file(path, "corpus.jsonl"), _file(path, "queries.jsonl")
    qrels = {split: found for split, name in chosen.splits.items() if (found := _maybe(path, f"qrels/{name}.tsv"))}
    gone = [name for split, name in chosen.splits.items() if split not in qrels]
    if gone and (not qrels or "splits" in chosen.model_fields_set):
        there = ", ".join(sorted(file.name for file in (path / "qrels").glob("*.tsv*"))) or "nothing"
        missing = ", ".join(f"{name}.tsv" for name in gone)
        raise SourceError(
            f"{path / 'qrels'}: has no {missing}, it has {there}; name its files: source.splits: {{train: NAME}}"
        )
    facts: dict[str, object] = {}
    return Source(_records(path, corpus, queries, qrels, facts), facts, dev_share=chosen.dev_share)


def _file(folder: Path, name: str) -> Path:
    if found := _maybe(folder, name):
        return found
    raise SourceError(
        f"{folder}: has no {name} nor {name}.gz; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/"
    )


def _maybe(folder: Path, name: str) -> Path | None:
    """Return the file `name` of a folder, plain or packed; one that is a link to elsewhere is refused."""
    return next((inside(folder, each) for each in (name, f"{name}.gz") if (folder / each).is_file()), None)


def _records(
    path: Path, corpus: Path, queries: Path, qrels: dict[Split, Path], facts: dict[str, object]
) -> Iterator[Record]:
    yield from _texts(corpus, "passage", _passage, facts)
    yield from _texts(queries, "query", _query, facts)
    for split, file in qrels.items():
        yield from _qrels(file, named(file, path), split, facts)


def _texts(
    file: Path, kind: str, record: Callable[[Mapping[str, object], str, int], Record], facts: dict[str, object]
) -> Iterator[Record]:
    count = 0
    for place, row in read(file, "jsonl"):
        count += 1
        # A broken line is a passage or a query that is lost, so it counts among them.
        yield row._replace(kind=kind) if isinstance(row, Reject) else record(row, file.name, place)
    facts[file.name] = {"lines": count}


def _query(row: Mapping[str, object], file: str, place: int) -> Query:
    return Query(text_of(row.get("_id")), text_of(row.get("text")), None, None, None, file, place)


def _passage(row: Mapping[str, object], file: str, place: int) -> Passage:
    return Passage(text_of(row.get("_id")), text_of(row.get("title")), text_of(row.get("text")), file, place)


def _qrels(file: Path, at: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    count, header = 0, False
    for place, line in lines(file):
        cells = _cells(line)
        if place == 1 and _is_header(cells):
            header = True
        elif line is None:
            count += 1
            yield Reject("qrel", "", "line_too_long", at, place)
        elif cells:
            count += 1
            yield _qrel(cells, split, at, place)
    facts[at] = {"lines": count, "header": header}


def _cells(line: str | None) -> list[str]:
    """Cut a line at its tabs, or at its white space where tabs don't make a judgement."""
    cells = (line or "").rstrip().split("\t")
    return cells if len(cells) in _CELLS else (line or "").split()


def _is_header(cells: list[str]) -> bool:
    """Whether a first line names the columns; only known names tell it from a judgement with a broken grade."""
    names = {cell.strip().lower().replace("_", "-").replace(" ", "-") for cell in cells}
    return len(cells) in _CELLS and number(cells[-1]) is None and bool(names & _HEADER)


def _qrel(cells: list[str], split: Split, at: str, place: int) -> Qrel | Reject:
    where = _CELLS.get(len(cells))
    if where is None:
        return Reject("qrel", "", "not_three_cells", at, place)
    relevance = number(cells[where[2]])
    if relevance is None:
        return Reject("qrel", "", "relevance_not_a_number", at, place)
    return Qrel(cells[where[0]], cells[where[1]], relevance, at, place, split)
