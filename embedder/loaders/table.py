"""Tables: JSONL, CSV, TSV and Parquet files whose columns a map names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, model_validator

from embedder.errors import SourceError
from embedder.loaders import Source
from embedder.loaders.cells import Format, format_of, read
from embedder.loaders.columns import TRAIN, Columns, records
from embedder.params.base import Model
from embedder.records import Record

Split = Literal["train", "dev"]


class Options(Model):
    """Which files there are, how they are written, and what their columns hold.

    Attributes:
        files: the files of each split, inside the folder `path`; null: `path` is the file.
        format: null: by the file's ending.
        header: whether the first row of CSV and TSV names the columns; without, they are "1", "2", ...
        quoting: whether quotes in CSV and TSV enclose cells; null: in CSV, and not in TSV.
        columns: which column holds what.
        splits: the names that the column `columns.split` has for the splits.
        dev_share: makes the splits anew, that share of the groups dev; null: as the source says, train where it doesn't.
        label_names: what a label is called where its id says little.
    """

    loader: Literal["table"]
    files: Annotated[dict[Split, str | list[str]], Field(min_length=1)] | None = None
    format: Format | None = None
    header: bool = True
    quoting: bool | None = None
    columns: Columns
    splits: dict[str, Split] = Field(default={"train": "train", "dev": "dev"})
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    label_names: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _one_source_of_splits(self) -> "Options":
        if self.files and self.columns.split:
            raise ValueError("files name the splits, and so does columns.split; keep one")
        if self.columns.split is None and "splits" in self.model_fields_set:
            raise ValueError("splits are names in a column: name it in columns.split, or name files: {train: FILE}")
        return self

    @property
    def labelled(self) -> bool:
        """Whether rows are texts with labels."""
        return self.columns.labelled


def load(options: Model, path: Path) -> Source:
    """Open the files of a table.

    Raises:
        SourceError: a file is missing or not what `options` say; while reading, too.
    """
    chosen = cast("Options", options)
    files_of(chosen, path)  # what is missing is said before anything is read
    facts: dict[str, object] = {}
    return Source(
        _records(chosen, path, facts),
        facts,
        one_label=chosen.columns.label is not None,
        dev_share=chosen.dev_share,
        label_names=chosen.label_names,
    )


def files_of(options: Options, path: Path) -> list[tuple[Split | None, Path]]:
    """Return each file with its split, None where a column says it.

    Raises:
        SourceError: a file is missing, or lies outside `path`.
    """
    if options.files is None:
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; name its files: source.files: {{train: train.csv, dev: dev.csv}}")
        return [(None if options.columns.split else TRAIN, path)]
    return [
        (split, inside(path, name))
        for split, names in options.files.items()
        for name in ([names] if isinstance(names, str) else names)
    ]


def inside(folder: Path, name: str) -> Path:
    """Return the file `name` of a folder.

    Raises:
        SourceError: there is no such file, or it lies elsewhere.
    """
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise SourceError(f"{file}: lies outside {folder}; sources stay inside their path")
    if not file.is_file():
        raise SourceError(f"{file}: no such file; correct source.files or path")
    return file


def named(file: Path, path: Path) -> str:
    """Return what records and facts call a file: where it lies in `path`, or its own name where it is `path`.

    Bytes of a name that are no UTF-8 are written as escapes, so that reports can hold it.
    """
    name = file.name if file == path else file.relative_to(path).as_posix()
    return name.encode("utf-8", "backslashreplace").decode()


def _records(options: Options, path: Path, facts: dict[str, object]) -> Iterator[Record]:
    for split, file in files_of(options, path):
        counts: dict[str, int] = {}
        form = options.format or format_of(file)
        name = named(file, path)
        rows = read(
            file, form, name=name, header=options.header, quoting=options.quoting, columns=options.columns.names
        )
        yield from records(rows, options.columns, split, options.splits, name, counts)
        facts[name] = counts
