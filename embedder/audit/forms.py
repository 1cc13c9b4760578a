"""In which form a source is: said by its names, endings and columns, or by whoever asks."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedder.audit import gathered, rows, shards
from embedder.audit.advice import advising
from embedder.audit.evidence import Evidence
from embedder.audit.gathered import Grades
from embedder.audit.held_out import DEV, splits_of
from embedder.errors import SourceError, unknown
from embedder.loaders import beir, cells, given
from embedder.loaders.table import named
from embedder.params.base import Model, describe

if TYPE_CHECKING:
    from embedder.records import Record

ENDINGS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_RUNS = ("*.trec", "*.run", "run*.txt", "run*.tsv", "*.trec.gz")
_RUN = re.compile(r"\.(trec|run)(\.gz)?$")
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_GRADES = Grades()


@dataclass(frozen=True)
class Asked:
    """What whoever asks says of the source; None where its names must say it.

    Attributes:
        loader: one of LOADERS.
        columns: which column holds what.
        header: whether the first row of CSV and TSV names the columns.
        quoting: whether quotes in CSV and TSV enclose cells; None: in CSV, and not in TSV.
        revision: of a Hub dataset, 40 hex.
        config: of a Hub dataset.
        split: of a Hub dataset.
        run: a TREC run inside a BEIR folder.
        grades: what graded judgements mean.
    """

    loader: str | None = None
    columns: str | None = None
    header: bool = True
    quoting: bool | None = None
    revision: str | None = None
    config: str | None = None
    split: str = "train"
    run: str | None = None
    grades: Grades = _GRADES


@dataclass(frozen=True)
class Form:
    """How a source is read.

    Attributes:
        says: what it was recognised as, in words.
        fill: takes it into the evidence.
        licences: of each dataset, as a source elsewhere states it; None: files beside the source say it.
    """

    says: str
    fill: Callable[[Evidence], None]
    licences: Mapping[str, str] | None = None


def recognise(source: str, asked: Asked) -> Form:
    """Say in which form a source is.

    Raises:
        SourceError: there is no such source, or its form is not known.
    """
    loader = asked.loader or _loader(source)
    if loader not in LOADERS:
        raise SourceError(f"--loader: {unknown('loader', loader, LOADERS)}")
    return LOADERS[loader](source, asked)


def _loader(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return "shards" if path.suffix.lower() == ".parquet" and shards.is_shard(path) else "table"
    if _HUB.fullmatch(source):
        return "hub"
    raise SourceError(f"{source}: no such file or folder, and no name of a Hub dataset (owner/name); correct it")


def _folder(path: Path) -> str:
    if any((path / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
        return "beir"
    if _shards(path):
        return "shards"
    if _tables(path):
        return "table"
    endings = ", ".join(ENDINGS)
    raise SourceError(f"{path}: holds no corpus.jsonl (BEIR), no shard and no table ({endings}); give a file of it")


def _beir(source: str, asked: Asked) -> Form:
    path = Path(source)
    found = splits_of(path)
    if not found:
        raise SourceError(f"{path / 'qrels'}: has no .tsv; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/")
    train = "train" if "train" in found else found[0]
    dev = next((name for name in ("dev", "test", "validation") if name in found and name != train), None)
    splits = {"train": train} | ({"dev": dev} if dev else {})
    read = f"BEIR folder (qrels: {', '.join(splits.values())}"
    run = asked.run or _run(path)
    if run is None:
        return Form(f"{read})", _records(beir, {"loader": "beir", "splits": splits}, path, asked))
    options = {"loader": "given", "form": "trec-run", "run": run, "splits": splits}
    return Form(f"{read}; run: {run})", _records(given, options, path, asked))


def _records(loader: Any, options: Mapping[str, object], path: Path, asked: Asked) -> Callable[[Evidence], None]:  # noqa: ANN401 - a module
    def fill(evidence: Evidence) -> None:
        with advising():
            found: Iterable[Record] = loader.load(loader.Options.model_validate(options), path).records
            gathered.fill(evidence, found, asked.grades)

    return fill


def _run(folder: Path) -> str | None:
    found = sorted({path.name for pattern in _RUNS for path in folder.glob(pattern)})
    if len(found) > 1:
        raise SourceError(f"{folder}: has several runs ({', '.join(found)}); say which: --run {found[0]}")
    return found[0] if found else None


def _from_shards(source: str, _: Asked) -> Form:
    path = Path(source)
    files = [path] if path.is_file() else _shards(path)
    if not files:
        raise SourceError(f"{path}: holds no shard; materialize writes them (data/materialize/train)")
    return Form(f"training shards ({len(files)} files)", lambda evidence: shards.fill(evidence, files))


def _shards(path: Path) -> list[Path]:
    folder = path / "train" if (path / "train").is_dir() else path
    return [file for file in sorted(folder.glob("*.parquet")) if shards.is_shard(file)]


def _from_table(source: str, asked: Asked) -> Form:
    path = Path(source)
    files = [path] if path.is_file() else _tables(path)
    if not files:
        raise SourceError(f"{path}: no such file; correct SOURCE")
    if run := next((file for file in files if _RUN.search(file.name.lower())), None):
        raise SourceError(f"{run}: is a run, which holds no texts; audit its BEIR folder with --run {run.name}")
    columns = {file: _columns(file, asked) for file in files}
    plans = [(file, _chosen(str(file), columns[file], asked, _no_header(file, asked))) for file in files]
    said = sorted({rows.said(roles) for _, roles in plans})
    left = rows.unread((columns[file], roles) for file, roles in plans)
    names = ", ".join(named(file, path) for file in files)

    def fill(evidence: Evidence) -> None:
        for file, roles in plans:
            split = "dev" if len(files) > 1 and DEV.search(file.name.lower()) else "train"
            place = rows.Place(f"{split}/", named(file, path))
            rows.fill(evidence, _read(file, asked, roles, place.file), roles, place)

    return Form(f"{'; '.join(said)} from {names}{left}", fill)


def _tables(path: Path) -> list[Path]:
    found = [file for folder in (path, path / "data") if folder.is_dir() for file in sorted(folder.iterdir())]
    return [file for file in found if file.is_file() and file.name.lower().removesuffix(".gz").endswith(ENDINGS)]


def _read(file: Path, asked: Asked, roles: rows.Roles, name: str) -> Iterator[cells.Found]:
    form, columns = cells.format_of(file), rows.columns_of(roles)
    with advising():
        yield from cells.read(file, form, name=name, header=asked.header, quoting=asked.quoting, columns=columns)


def _columns(file: Path, asked: Asked) -> list[str]:
    with advising():
        return cells.columns_of(file, cells.format_of(file), header=asked.header, quoting=asked.quoting)


def _no_header(file: Path, asked: Asked) -> str:
    separated = file.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
    return "; --no-header if the first row is data" if separated and asked.header else ""


def _chosen(where: str, columns: list[str], asked: Asked, hint: str = "") -> rows.Roles:
    if asked.columns is None:
        if roles := rows.recognise(columns):
            return roles
        listed = ", ".join(columns[:30]) or "none"
        raise SourceError(
            f"{where}: its columns ({listed}) are no known form; say what they hold: "
            f"--columns ROLE=COLUMN,ROLE=COLUMN; roles: {', '.join(rows.GIVEN)}{hint}"
        )
    try:
        return rows.parse(asked.columns, columns)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error


def _from_hub(source: str, asked: Asked) -> Form:
    from embedder.loaders import arrow, hub

    if asked.revision is None:
        raise SourceError(
            f"{source}: no such file or folder; to read a Hub dataset of that name, pin its commit: --revision 40-HEX"
        )
    where = _repository(source, asked)
    data = hub.prepared(where, Path())(asked.split)
    roles = _chosen(source, data.column_names, asked)

    def fill(evidence: Evidence) -> None:
        found = arrow.rows(data, rows.columns_of(roles), asked.split)
        rows.fill(evidence, found, roles, rows.Place("train/", asked.split))

    # What lies in a folder ./owner/name is another dataset.
    licence = data.info.license
    licences = {where.name.rpartition("/")[2]: str(licence)} if licence else {}
    left = rows.unread([(data.column_names, roles)])
    return Form(f"{rows.said(roles)} from {source}, split {asked.split}{left}", fill, licences)


def _repository(source: str, asked: Asked) -> Any:  # noqa: ANN401 - embedder.loaders.hub is loaded on use
    from embedder.loaders import hub

    return _valid(hub.Repository, source, {"name": source, "revision": asked.revision, "config": asked.config})


def _from_mteb(source: str, asked: Asked) -> Form:
    from embedder.loaders import mteb

    options = _valid(
        mteb.Options,
        source,
        {
            "loader": "mteb",
            "name": source,
            "revision": asked.revision,
            "subset": asked.config,
            "splits": {asked.split: "train"},
        },
    )

    def fill(evidence: Evidence) -> None:
        gathered.fill(evidence, mteb.load(options, Path()).records, asked.grades)

    return Form(f"task of MTEB, split {asked.split}", fill, {})


def _valid(model: type[Model], source: str, options: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise SourceError(f"{source}: {describe(error)}") from error


LOADERS: Mapping[str, Callable[[str, Asked], Form]] = {
    "beir": _beir,
    "hub": _from_hub,
    "mteb": _from_mteb,
    "shards": _from_shards,
    "table": _from_table,
}
