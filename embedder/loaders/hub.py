"""Datasets of the Hugging Face Hub at a pinned commit, or in a local folder of the same form; their code is never run."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, model_validator

from embedder.errors import SourceError, unknown
from embedder.loaders import Source, arrow
from embedder.loaders.columns import Columns, number, records, text_of
from embedder.params.base import Model
from embedder.records import Qrel, Record, Reject

Split = Literal["train", "dev"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAVED = ("state.json", "dataset_dict.json")
_QREL = ("query-id", "corpus-id", "score")


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value):
        raise ValueError(f"'{value}' is no commit; give its 40 hex digits: branches and tags move")
    return value


def _dataset(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"'{value}' is no dataset of the Hub; give it as owner/dataset")
    return value


Name = Annotated[str, AfterValidator(_dataset)]
Commit = Annotated[str, AfterValidator(_commit)]


class Repository(Model):
    """A dataset and one of its configurations.

    Attributes:
        name: `owner/dataset` on the Hub; null: the folder at `path`, and in a part the source's own.
        config: null: the dataset's only one.
        revision: the commit of `name`, 40 hex.
    """

    name: Name | None = None
    config: str | None = None
    revision: Commit | None = None

    @model_validator(mode="after")
    def _pinned(self) -> "Repository":
        if (self.name is None) != (self.revision is None):
            raise ValueError("name and revision go together: the revision is the commit of the named dataset, 40 hex")
        return self


class Part(Repository):
    """Where a part of a dataset in BEIR's form is: a split of a configuration, here or in another dataset."""

    split: str


class Parts(Model):
    """A dataset in BEIR's form: texts under `_id`, `title`, `text`; judgements under `query-id`, `corpus-id`, `score`."""

    corpus: Part
    queries: Part
    qrels: Annotated[dict[Split, Part], Field(min_length=1)]


class Options(Repository):
    """Which dataset is read, and what its columns hold; exactly one of `columns` and `parts`.

    Attributes:
        splits: the dataset's splits -> train or dev; others are not read. Goes with `columns`.
        columns: which column holds what.
        parts: where corpus, queries and qrels are.
        dev_share: makes the splits anew, that share of the groups dev; null: as the source says.
        label_names: what a label is called where its id says little.
    """

    loader: Literal["hub"]
    splits: dict[str, Split] = Field(default={})
    columns: Columns | None = None
    parts: Parts | None = None
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    label_names: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _one_form(self) -> "Options":
        if (self.columns is None) == (self.parts is None):
            raise ValueError("name exactly one of: columns, parts")
        if (self.columns is None) == bool(self.splits):
            raise ValueError("splits go with columns, as {train: train, validation: dev}; parts name their own")
        if self.columns is not None and self.columns.split:
            raise ValueError("splits name the splits, and so does columns.split; keep one")
        if self.parts is not None and self.config:
            raise ValueError("parts name their own config")
        return self

    @property
    def labelled(self) -> bool:
        """Whether rows are texts with labels."""
        return self.columns is not None and self.columns.labelled


def load(options: Model, path: Path) -> Source:
    """Open a dataset; what the cache lacks is downloaded.

    Raises:
        SourceError: it cannot be reached or read, or has no such revision, config, split or column.
    """
    chosen = cast("Options", options)
    facts: dict[str, object] = {"revision": chosen.revision} if chosen.revision else {}
    found = _rows(chosen, path, facts) if chosen.columns else _parts(chosen, path, facts)
    one_label = chosen.columns is not None and chosen.columns.label is not None
    return Source(found, facts, one_label=one_label, dev_share=chosen.dev_share, label_names=chosen.label_names)


def _rows(options: Options, path: Path, facts: dict[str, object]) -> Iterator[Record]:
    columns = cast("Columns", options.columns)
    splits = prepared(options, path)
    opened = {name: splits(name) for name in options.splits}
    for name, split in options.splits.items():
        counts = {"rows": 0}
        yield from records(arrow.rows(opened[name], columns.names, name), columns, split, {}, name, counts)
        facts[name] = counts


def _parts(options: Options, path: Path, facts: dict[str, object]) -> Iterator[Record]:
    parts = cast("Parts", options.parts)

    def part(which: Part) -> Any:  # noqa: ANN401 - datasets has no types
        own = {} if which.name else {"name": options.name, "revision": options.revision}
        return prepared(which.model_copy(update=own), path)(which.split)

    corpus, queries = {"rows": 0}, {"rows": 0}
    yield from arrow.passages(part(parts.corpus), "corpus", corpus)
    yield from arrow.queries(part(parts.queries), None, "queries", queries)
    facts.update(corpus=corpus, queries=queries)
    for split, where in parts.qrels.items():
        yield from _qrels(part(where), split, facts)


def _qrels(data: Any, split: Split, facts: dict[str, object]) -> Iterator[Record]:  # noqa: ANN401 - datasets has no types
    at, count = f"qrels/{split}", 0
    for count, row in arrow.rows(data, _QREL, at):
        query_id, passage_id, grade = (row[column] for column in _QREL)
        ids = text_of(query_id), text_of(passage_id)
        relevance = number(grade)
        if relevance is None:
            yield Reject("qrel", "\t".join(ids), "relevance_not_a_number", at, count)
        else:
            yield Qrel(*ids, relevance, at, count, split)
    facts[at] = {"rows": count}


def prepared(where: Repository, path: Path) -> Callable[[str], Any]:
    """Build a dataset in the cache, and return what opens one of its splits."""
    import datasets

    said = f"{where.name}@{where.revision}" if where.name else str(path)
    if not where.name:
        _check_folder(path)
    try:
        builder = datasets.load_dataset_builder(where.name or str(path), where.config, revision=where.revision)
        _check_revision(where, builder.hash)
        if not where.name:
            _check_files(path, builder.config.data_files)
        _bound(builder.config)
        builder.download_and_prepare()
    except SourceError:
        raise
    except Exception as error:
        # The library lets through whatever file formats, the file system and the network raise.
        raise SourceError(f"{said}: {arrow.reason(error)}; {_advice(error)}") from error

    def split(name: str) -> Any:  # noqa: ANN401 - datasets has no types
        if name not in builder.info.splits:
            raise SourceError(f"{said}: {unknown('split', name, builder.info.splits)}")
        return builder.as_dataset(split=name)

    return split


def _bound(config: Any) -> None:  # noqa: ANN401 - datasets has no types
    """Keep a Parquet file from being read ahead whole while it is converted, which takes its size in memory."""
    from pyarrow.dataset import ParquetFragmentScanOptions

    if hasattr(config, "fragment_scan_options"):
        config.fragment_scan_options = ParquetFragmentScanOptions(pre_buffer=False)


def _check_revision(where: Repository, found: str) -> None:
    """Refuse what the library takes instead: without network another cached revision, or a folder ./owner/dataset."""
    if where.revision and found != where.revision:
        raise ConnectionError(f"this commit cannot be reached, and {found} is here instead")


def _check_files(path: Path, files: Mapping[str, Sequence[str]] | None) -> None:
    """Refuse what a folder's card or links name elsewhere: other files of this machine, and addresses."""
    folder = path.resolve()
    for name in (str(name) for names in (files or {}).values() for name in names):
        if "://" in name or not Path(name).resolve().is_relative_to(folder):
            raise SourceError(f"{name}: lies outside {path}; sources stay inside their path, also what README.md names")


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise SourceError(f"{path}: no such folder; correct path, or give the name of a dataset on the Hub")
    if script := next(iter(sorted(path.glob("*.py"))), None):
        raise SourceError(
            f"{script}: code of a dataset is never run; convert its data to Parquet and remove the script"
        )
    if any((path / name).exists() for name in _SAVED):
        raise SourceError(f"{path}: was written by save_to_disk; write its splits with to_parquet instead")


def _advice(error: Exception) -> str:
    from datasets.exceptions import DatasetNotFoundError

    if isinstance(error, ConnectionError):
        return "connect once to fill the cache, or point path at a copy and leave name out"
    if isinstance(error, DatasetNotFoundError):
        return "correct name and revision; if access is restricted, ask for it on its page and run 'hf auth login'"
    if isinstance(error, FileNotFoundError):
        return "it needs files in Parquet, CSV, JSONL or Arrow"
    return "correct its source, or convert its files to Parquet"
