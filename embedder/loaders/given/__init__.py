"""Negatives that somebody else mined: n-tuples of sentence-transformers, FlagEmbedding JSONL, a TREC run."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, model_validator

from embedder.errors import SourceError
from embedder.loaders import Source, beir
from embedder.loaders.cells import Format, Found, columns_of, format_of, read
from embedder.loaders.columns import TRAIN
from embedder.loaders.given import run, tuples
from embedder.loaders.table import inside, named
from embedder.params.base import Model
from embedder.records import Record, Reject


class Options(Model):
    """Which form the negatives are in, and where.

    Attributes:
        form: `n-tuples`: rows of a query, a positive and negatives in order, of `mine_hard_negatives` for example.
            `flag`: query, pos, neg and their scores, of FlagEmbedding. `trec-run`: a run beside a BEIR folder.
        files: the files of each split, inside the folder `path`; null: `path` is the file.
        format: null: by the file's ending.
        header: whether the first row of CSV and TSV names the columns; without, they are "1", "2", ...
        quoting: whether quotes in CSV and TSV enclose cells; null: in CSV, and not in TSV.
        columns: the names of columns, where they differ from the form's own.
        run: the file of a trec-run inside the BEIR folder `path`.
        splits: of the BEIR folder of a trec-run, see the loader `beir`.
        dev_share: makes the splits anew, that share of the groups dev; null: as the source says.
    """

    loader: Literal["given"]
    form: Literal["n-tuples", "flag", "trec-run"]
    files: Annotated[dict[beir.Split, str | list[str]], Field(min_length=1)] | None = None
    format: Format | None = None
    header: bool = True
    quoting: bool | None = None
    columns: tuples.Names = tuples.Names()
    run: str | None = None
    splits: Annotated[dict[beir.Split, beir.FileName], Field(min_length=1)] | None = None
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = None

    labelled: ClassVar[bool] = False

    @model_validator(mode="after")
    def _keys_of_the_form(self) -> "Options":
        keys = ("files", "format", "header", "quoting", "columns") if self.form == "trec-run" else ("run", "splits")
        foreign = [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]
        if foreign:
            raise ValueError(f"form {self.form} has no {', '.join(foreign)}")
        if self.form == "trec-run" and self.run is None:
            raise ValueError("form trec-run needs run: the file of the run inside path")
        return self


def load(options: Model, path: Path) -> Source:
    """Open what somebody mined.

    Raises:
        SourceError: a file is missing or not what `options` say; while reading, too.
    """
    chosen = cast("Options", options)
    if chosen.run is not None:
        return _run(chosen, chosen.run, path)
    facts: dict[str, object] = {}
    files = _files(chosen, path)  # what is missing is said before anything is read
    return Source(_records(chosen, files, path, facts), facts, dev_share=chosen.dev_share)


def _run(options: Options, name: str, path: Path) -> Source:
    splits = {} if options.splits is None else {"splits": options.splits}
    source = beir.load(beir.Options(loader="beir", dev_share=options.dev_share, **splits), path)
    file = inside(path, name)
    mined = run.records(file, named(file, path), source.facts)
    return Source(chain(source.records, mined), source.facts, dev_share=source.dev_share)


def _files(options: Options, path: Path) -> list[tuple[beir.Split, Path]]:
    if options.files is not None:
        listed = {split: [names] if isinstance(names, str) else names for split, names in options.files.items()}
        return [(split, inside(path, name)) for split, names in listed.items() for name in names]
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; name its files: source.files: {{train: mined.jsonl}}")
    return [(TRAIN, path)]


def _records(
    options: Options, files: list[tuple[beir.Split, Path]], path: Path, facts: dict[str, object]
) -> Iterator[Record]:
    mined = tuples.n_tuple if options.form == "n-tuples" else tuples.flag
    for split, file in files:
        count, name = 0, named(file, path)
        for number, row in _rows(options, file, name):
            count += 1
            if isinstance(row, Reject):
                yield row
            else:
                yield from tuples.records(mined(row, options.columns), split, name, number)
        facts[name] = {"rows": count}


def _rows(options: Options, file: Path, name: str) -> Iterator[Found]:
    form = options.format or format_of(file)
    found = columns_of(file, form, header=options.header, quoting=options.quoting)
    if options.form == "n-tuples":
        options.columns.check_negatives(found, file)
    columns = options.columns.needed(found)
    return read(file, form, name=name, header=options.header, quoting=options.quoting, columns=columns)
