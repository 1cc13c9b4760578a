"""A model that reads queries and passages apart: vectors from the store, search by inner product."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import compress
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from embedder import layout
from embedder.errors import TeacherError
from embedder.locking import locked
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.pretrained import Pretrained
from embedder.prompts import prompts
from embedder.search.cosines import cosines
from embedder.search.engines import engine
from embedder.search.ivf import FEWEST, InvertedFile, recall
from embedder.search.pairs import Ints, Vectors
from embedder.search.streamed import Merge, top_k
from embedder.teachers import Block, Corpus, Cosines, Queries
from embedder.teachers.found import Find, Shards, block, pairs_of_best, with_judged
from embedder.teachers.readings import Readings
from embedder.vectors.keys import text_keys

# Large enough for a product to run at the machine's peak, small enough to be forgotten beside a model.
_SHARD_BYTES = 2**28
_AGREE_ON = 100
_QUERIES_SHARE = 8

Positive = Annotated[int, Field(ge=1)]


class Exact(Model):
    """Every passage is compared with every query."""

    kind: Literal["exact"]


class Ivf(Model):
    """Only the `probes` nearest of `lists` parts of the corpus are compared with a query.

    Attributes:
        lists: into how many the corpus is cut.
        probes: how many of them are searched.
        sample: on how many queries recall is measured against exact search.
        min_recall: at less than this share of the exactly best passages the teacher is refused.
    """

    kind: Literal["ivf"]
    lists: Positive
    probes: Positive
    sample: Positive
    min_recall: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _probed(self) -> "Ivf":
        if self.probes > self.lists:
            raise ValueError(f"probes {self.probes} are more than lists {self.lists}")
        return self


class Options(Pretrained):
    """A model, how it reads, and how its vectors are searched.

    Attributes:
        query_length: in tokens, prompt and special tokens included.
        passage_length: the same of passages.
        dimensions: of its vectors.
        parameters: without embeddings; for estimates of time alone.
        index: exact, or a part of the corpus.
        agreement_sample: on how many passages a 16-bit dtype is compared with float32; 0 for none.
    """

    kind: Literal["dense"]
    query_length: Annotated[int, Field(ge=8)]
    passage_length: Annotated[int, Field(ge=8)]
    dimensions: Positive
    parameters: Positive
    index: Annotated[Exact | Ivf, Field(discriminator="kind")]
    agreement_sample: Annotated[int, Field(ge=0)]


class Dense:
    """One model over one corpus."""

    def __init__(self, options: Options, corpus: Corpus, runtime: Runtime) -> None:
        self._options, self._corpus, self._runtime = options, corpus, runtime
        self._what = f"teacher '{options.name}'"
        self._readings = Readings(options, runtime, self._what, parameters=options.parameters)
        self._prompts = prompts(
            options.query_prompt,
            options.passage_prompt,
            corpus.instruction,
            instruct_passages=corpus.instruct_passages,
        )
        self._report: dict[str, object] = {"weights": self._weights(), "dimensions": options.dimensions}

    @property
    def revision(self) -> str:
        """A hash of all that fixes its scores: weights, how it reads this dataset, how it searches."""
        written = self._options.model_dump(mode="json", exclude={"name", "licence", "parameters", "agreement_sample"})
        content = json.dumps([written, self._weights(), asdict(self._prompts)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:40]

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield one block: of each query its best passages, and its judged ones."""
        if not queries.ids:
            return
        with locked(layout.VECTORS):
            vectors, shards = self._read(self._readings, queries.texts, self._corpus.texts)
            self._readings.release()
            if self._options.agreement_sample and self._options.dtype != "float32":
                self._report["agreement"] = self._agreement(queries.texts)
            most = np.minimum(queries.most, len(self._corpus.ids))
            best = pairs_of_best(most, vectors, self._finder(vectors, shards, queries))
            found = with_judged(best, vectors, shards, queries)
        yield block(found, len(queries.ids))

    def report(self) -> Mapping[str, object]:
        """Return the dimensions, the recall of an index that is not exact, the agreement of a 16-bit dtype."""
        return self._report

    def cosines(self) -> Mapping[str, Cosines]:
        """Return what compares passages by their stored vectors."""
        return {"": self._cosines}

    def _cosines(self, left: Ints, right: Ints) -> Vectors:
        """Compare passages that were read to score; neither other passages nor the model are looked at."""
        wanted = np.zeros(len(self._corpus.ids), bool)
        wanted[left] = wanted[right] = True
        at = np.cumsum(wanted) - 1
        keys, rows = text_keys(compress(self._corpus.texts, wanted.tolist())), self._shard_rows
        with locked(layout.VECTORS):
            space = self._readings.space(self._prompts.passage, self._options.passage_length)
            return cosines(lambda: space.shards(keys, rows), at[left], at[right], rows)

    @property
    def _shard_rows(self) -> int:
        return max(1, _SHARD_BYTES // (4 * self._options.dimensions))

    def _weights(self) -> dict[str, str]:
        from embedder.pretrained.loading import identity

        return identity(self._options)

    def _read(self, readings: Readings, asked: Sequence[str], texts: Collection[str]) -> tuple[Vectors, Shards]:
        """Return the vectors of queries, and what streams those of passages."""
        options = self._options
        queries = readings.fill(asked, self._prompts.query, options.query_length, f"{self._what}: queries")
        # Before the passages, which may take hours.
        if queries.dimensions != options.dimensions:
            raise TeacherError(
                f"{self._what}: its vectors have {queries.dimensions} dimensions, not {options.dimensions}; "
                "correct `dimensions` in its entry"
            )
        vectors = queries.vectors(text_keys(asked))
        if len(set(asked)) > 1 and (vectors == vectors[0]).all():
            raise TeacherError(f"{self._what}: gives all {len(set(asked)):,} queries one vector; correct `pooling`")
        passages = readings.fill(texts, self._prompts.passage, options.passage_length, f"{self._what}: passages")
        keys, rows = text_keys(texts), self._shard_rows
        return vectors, lambda: passages.shards(keys, rows)

    def _finder(self, vectors: Vectors, shards: Shards, queries: Queries) -> Find:
        """Return what searches: exactly, or in an inverted file whose recall is good enough."""
        exact, index, size = self._engine(), self._options.index, len(self._corpus.ids)
        if isinstance(index, Exact):
            return lambda asked, k: top_k(asked, shards(), k, exact)
        if queries.everything or queries.deep or size < FEWEST * index.lists:
            why = f"the corpus has {size} passages" if size < FEWEST * index.lists else "ranks of any depth are wanted"
            self._report["index"] = {"exact": why}
            return lambda asked, k: top_k(asked, shards(), k, exact)
        inverted, depth = InvertedFile(shards, index.lists, size), int(queries.most.max())
        sample = vectors[evenly(len(vectors), index.sample)]
        measured = recall(inverted.top_k(sample, depth, index.probes)[0], top_k(sample, shards(), depth, exact)[0])
        self._report["index"] = {"recall": round(measured, 6), "depth": depth, "queries": len(sample)}
        if measured < index.min_recall:
            raise TeacherError(
                f"{self._what}: its index finds {measured:.4f} of the {depth} best passages, less than min_recall "
                f"{index.min_recall}; raise `probes`, or set `index` to kind: exact"
            )
        return lambda asked, k: inverted.top_k(asked, k, index.probes)

    def _in_float32(self) -> Readings:
        options = self._options
        return Readings(options, self._runtime, self._what, parameters=options.parameters, dtype="float32")

    def _engine(self) -> Merge:
        return engine(self._readings.device, self._runtime.threads)

    def _agreement(self, asked: Sequence[str]) -> dict[str, object]:
        """Compare with float32 on texts at even distances: the mean overlap of each query's best passages."""
        wanted = set(evenly(len(self._corpus.texts), self._options.agreement_sample).tolist())
        texts = [text for place, text in enumerate(self._corpus.texts) if place in wanted]
        some = [asked[i] for i in evenly(len(asked), max(1, len(texts) // _QUERIES_SHARE))]
        k, best = min(_AGREE_ON, len(texts)), []
        for readings in (self._readings, self._in_float32()):
            vectors, shards = self._read(readings, some, texts)
            readings.release()
            best.append(top_k(vectors, shards(), k, self._engine())[0])
        said = {"passages": len(texts), "queries": len(some)}
        return said | {f"top_{k}_overlap_with_float32": round(recall(*best), 6)}


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Dense:
    """Make ready; models are loaded and texts read when scores are asked for."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of dense: {options!r}")
    return Dense(options, corpus, runtime)


def evenly(size: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` places of `size` at even distances, ascending."""
    return np.unique(np.linspace(0, size - 1, min(most, size)).astype(np.int64))
