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
from embedder.params.base import Model
from embedder.records import Passage, Qrel, Query, Record, Reject

Split = Literal["train", "dev"]
FileName = Annotated[str, StringConstraints(pattern=r"^[^/\\]+$")]

# query, passage, relevance; TREC's form has an iteration between the first two.
_CELLS = {3: (0, 1, 2), 4: (0, 2, 3)}


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
    qrels = {split: found for split, name in chosen.splits.items() if (found := _maybe(path / "qrels", f"{name}.tsv"))}
    if not qrels:
        names = ", ".join(f"{name}.tsv" for name in chosen.splits.values())
        raise SourceError(f"{path / 'qrels'}: has none of {names}; name its files: source.splits: {{train: NAME}}")
    facts: dict[str, object] = {}
    return Source(_records(corpus, queries, qrels, facts), facts, dev_share=chosen.dev_share)


def _file(folder: Path, name: str) -> Path:
    if found := _maybe(folder, name):
        return found
    raise SourceError(
        f"{folder}: has no {name} nor {name}.gz; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/"
    )


def _maybe(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)


def _records(corpus: Path, queries: Path, qrels: dict[Split, Path], facts: dict[str, object]) -> Iterator[Record]:
    yield from _texts(corpus, _passage, facts)
    yield from _texts(queries, _query, facts)
    for split, file in qrels.items():
        yield from _qrels(file, split, facts)


def _texts(
    file: Path, record: Callable[[Mapping[str, object], str, int], Record], facts: dict[str, object]
) -> Iterator[Record]:
    rows = 0
    for place, row in read(file, "jsonl"):
        rows += 1
        yield row if isinstance(row, Reject) else record(row, file.name, place)
    facts[file.name] = {"rows": rows}


def _query(row: Mapping[str, object], file: str, place: int) -> Query:
    return Query(text_of(row.get("_id")), text_of(row.get("text")), None, None, None, file, place)


def _passage(row: Mapping[str, object], file: str, place: int) -> Passage:
    return Passage(text_of(row.get("_id")), text_of(row.get("title")), text_of(row.get("text")), file, place)


def _qrels(file: Path, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    at = f"qrels/{file.name}"
    rows, header = 0, False
    for place, line in lines(file):
        cells = (line or "").rstrip().split("\t")
        if len(cells) not in _CELLS:
            cells = (line or "").split()
        if not cells:
            continue
        where = _CELLS.get(len(cells))
        relevance = number(cells[where[2]]) if where else None
        if place == 1 and relevance is None:
            header = True
            continue
        rows += 1
        if where is None or relevance is None:
            yield Reject("qrel", "", "relevance_not_a_number" if where else "not_three_cells", at, place)
        else:
            yield Qrel(cells[where[0]], cells[where[1]], relevance, at, place, split)
    facts[at] = {"rows": rows, "header": header}
