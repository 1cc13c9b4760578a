"""The run that came with the source: what somebody else mined, with the scores or the order it has there."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.errors import TableError, TeacherError
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Queries


class Options(Model):
    """Nothing to choose: the source says it all."""

    kind: Literal["given"]


class Given:
    """The run of one corpus."""

    def __init__(self, path: Path, corpus: Corpus) -> None:
        with path.open("rb") as file:
            self.revision = hashlib.file_digest(file, "sha256").hexdigest()[:40]
        self._run = schemas.read(path, schemas.GIVEN)
        self._passages = pc.index_in(self._run["passage_id"], pa.array(corpus.ids, pa.string()))
        if self._passages.null_count:
            raise TableError(f"{path}: names passages that the corpus does not have; run ingest again")

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield one block: each query's given passages with their scores, without scores by their places.

        What was not given is not retrieved, and its score is unknown.
        """
        found = pc.index_in(self._run["query_id"], pa.array(queries.ids, pa.string()))
        asked = np.flatnonzero(pc.is_valid(found))
        query = pc.drop_null(found).to_numpy().astype(np.int64)
        order = asked[np.argsort(query, kind="stable")]
        indptr = np.cumsum([0, *np.bincount(query, minlength=len(queries.ids))])
        floor = np.full(len(queries.ids), -np.inf, dtype=np.float32)
        yield Block(indptr, self._passages.to_numpy().astype(np.int32)[order], self._scores()[order], floor)

    def _scores(self) -> NDArray[np.float32]:
        if schemas.metadata(self._run)["scores"] == "given":
            return np.asarray(self._run["score"].to_numpy())
        return np.asarray(-self._run["rank"].to_numpy(), dtype=np.float32)

    def report(self) -> Mapping[str, object]:
        """Return nothing: the options say it all."""
        return {}


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Given:
    """Read the run that came with the source.

    Raises:
        TeacherError: none did.
        TableError: it does not belong to the corpus.
    """
    del runtime
    if not isinstance(options, Options):
        raise TypeError(f"not options of given: {options!r}")
    if corpus.given is None:
        raise TeacherError(
            "teacher of kind 'given': no negatives came with this dataset's source; read it with the loader 'given', "
            "or set another teacher"
        )
    return Given(corpus.given, corpus)
