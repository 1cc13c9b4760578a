"""A mined dataset as it lies in the workspace, or as a git revision or DVC experiment left it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedder import layout, schemas
from embedder.comparison.compare import Mined
from embedder.errors import EmbedderError, TableError
from embedder.texts import passage_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCK = Path("dvc.lock")
# What a comparison reads; columns that came later need not have been there.
_RUN = ("query_id", "rank", "passage_id")
_JUDGED = ("query_id", "relevance", "rank")
_CANDIDATES = ("query_id", "rank", "passage_id", "score", "positive_score", "verdict")
_SHARD = ("query_id", "positive_id", "negative_ids")


@dataclass(frozen=True)
class Snapshot:
    """The tables of a dataset in a file system that is laid out as a project; `revision` is None in the workspace."""

    dataset: str
    files: "AbstractFileSystem"
    revision: str | None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "workspace" if self.revision is None else self.revision

    def mined(self) -> Mined:
        """Read what is compared.

        Raises:
            TableError: a table is missing or unreadable.
        """
        shards = [self._read(path, _SHARD) for path in self._shards()]
        return Mined(
            run=self._read(layout.table("mine", self.dataset, "run"), _RUN),
            judged=self._read(layout.table("mine", self.dataset, "judged"), _JUDGED),
            candidates=self._read(self._candidates(), _CANDIDATES),
            shards=pa.concat_tables(shards) if shards else None,
        )

    def made_by(self) -> dict[str, str]:
        """What made the candidates: teacher, revision, depth, window."""
        return schemas.metadata(self._read(self._candidates(), ("rank",)))

    def passages(self, passage_ids: Collection[str]) -> dict[str, str]:
        """The texts of those passages that there are."""
        rows = self._rows("corpus", "passage_id", passage_ids, ("passage_id", "title", "text"))
        return {row["passage_id"]: passage_text(row["title"], row["text"]) for row in rows}

    def queries(self, query_ids: Collection[str]) -> dict[str, str]:
        """The texts of those queries that there are."""
        return {
            row["query_id"]: row["text"] for row in self._rows("queries", "query_id", query_ids, ("query_id", "text"))
        }

    def ingested(self) -> str | None:
        """The hash of the ingested tables; None where dvc.lock says nothing of them."""
        if not self.files.exists(LOCK.as_posix()):
            return None
        return self.outputs().get(layout.folder("ingest", self.dataset))

    def outputs(self) -> Mapping[Path, str]:
        """The outputs that dvc.lock names, and the hash of each."""
        from ruamel.yaml import YAML

        content = YAML(typ="safe", pure=True).load(self.files.read_bytes(LOCK.as_posix())) or {}
        stages = (content.get("stages") or {}).values()
        return {Path(out["path"]): str(out.get("md5")) for stage in stages for out in stage.get("outs", ())}

    def _rows(self, table: str, key: str, ids: Collection[str], columns: Sequence[str]) -> list[dict[str, str]]:
        asked = pc.field(key).isin(pa.array(sorted(ids), pa.string()))
        rows: list[dict[str, str]] = self._read(layout.table("ingest", self.dataset, table), columns, asked).to_pylist()
        return rows

    def _candidates(self) -> Path:
        judged = layout.table("judge", self.dataset, "candidates")
        there = self.files.exists(judged.as_posix()) if self.revision is None else judged.parent in self.outputs()
        return judged if there else layout.table("filter", self.dataset, "candidates")

    def _shards(self) -> list[Path]:
        # Not one star: another dataset's name may go on where this one's ends.
        pattern = layout.SHARDS / f"{self.dataset}-{'[0-9]' * 5}.parquet"
        return sorted(layout.SHARDS / Path(path).name for path in self.files.glob(pattern.as_posix()))

    def _read(self, path: Path, columns: Sequence[str], rows: pc.Expression | None = None) -> pa.Table:
        from dvc_data.index.index import DataIndexDirError

        try:
            with self.files.open(path.as_posix(), "rb") as file:
                return pq.read_table(file, columns=list(columns), filters=rows).select(list(columns))
        except (FileNotFoundError, DataIndexDirError) as error:
            raise TableError(f"{path}: {self._missing()}") from error
        except (pa.ArrowInvalid, KeyError, OSError) as error:
            raise TableError(f"{path} of {self.name}: not such a table ({error}); run its stage again there") from error

    def _missing(self) -> str:
        if self.revision is None:
            return "no such table; run the stage that writes it (dvc repro)"
        return (
            f"what revision '{self.revision}' made of it is not in DVC's cache; dvc fetch --all-commits gets it from a "
            f"remote, git checkout {self.revision} and dvc repro make it again"
        )


def workspace(dataset: str) -> Snapshot:
    """The dataset as it lies in the project's folder."""
    from fsspec.implementations.local import LocalFileSystem

    return Snapshot(dataset, LocalFileSystem(), None)


def at(revision: str, dataset: str) -> Snapshot:
    """The dataset as a revision left it, read from DVC's cache or, where it has one, its remote.

    Args:
        revision: a git revision, or the name of a DVC experiment.
        dataset: a dataset that was mined there.

    Raises:
        EmbedderError: there is no such revision, it has no dvc.lock, or the dataset was not mined there.
        TableError: its tables are not in the cache.
    """
    snapshot = Snapshot(dataset, _open(revision), revision)
    if not snapshot.files.exists(LOCK.as_posix()):
        raise EmbedderError(
            f"revision '{revision}' has no {LOCK}, so nobody knows what it made; commit {LOCK} after dvc repro, or "
            "name an experiment (dvc exp show)"
        )
    outputs = snapshot.outputs()
    for stage in ("ingest", "mine", "filter"):
        if layout.folder(stage, dataset) not in outputs:
            raise EmbedderError(
                f"dataset '{dataset}' was not mined at revision '{revision}': {LOCK} there has no "
                f"{layout.folder(stage, dataset)}"
            )
    return snapshot


def _open(revision: str) -> "AbstractFileSystem":
    """The project's files at a revision; the project may lie in a folder of its git repository."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from fsspec.implementations.dirfs import DirFileSystem
    from scmrepo.exceptions import SCMError

    advice = "give a commit, branch, tag or experiment: git log, dvc exp show"
    if not revision:
        raise EmbedderError(f"--against names no revision; {advice}")
    past = DVCFileSystem(rev=revision, subrepos=True)
    try:
        # Opens it: asked for a file first, it would take any mistake for a file that is not there.
        root = Path(past.repo.scm.root_dir).resolve()
    except (DvcException, SCMError) as error:
        raise EmbedderError(f"unknown revision '{revision}' ({error}); {advice}") from error
    return DirFileSystem(Path.cwd().resolve().relative_to(root).as_posix(), past)
