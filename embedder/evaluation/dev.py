"""What is measured on: the dev split of a dataset, as texts and arrays; and what comes out, as values per unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import languages
from embedder.bootstrap import Statistic
from embedder.params.models import Terms
from embedder.texts import normalise, passage_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """Texts with their true labels, the first of which trains a probe and names a cluster's class."""

    query_ids: list[str]
    texts: list[str]
    labels: list[tuple[str, ...]]

    def take(self, chosen: Ints) -> "Labelled":
        """Return the texts at these indices."""
        return Labelled(*([column[i] for i in chosen] for column in (self.query_ids, self.texts, self.labels)))


@dataclass(frozen=True)
class DevSet:
    """The dev queries of one dataset, its whole corpus, and their judgements.

    Attributes:
        name: the dataset.
        task: retrieval, reranking, sts, classification or clustering.
        dev: the dev queries, sorted by query_id; labels are empty outside label tasks.
        train: the train queries of a label task, which train the probe.
        passage_ids: sorted.
        passages: the joined texts of the corpus, in that order.
        rows: [n] indices into the dev queries, ascending: one judgement each.
        columns: [n] indices into the corpus, ascending within a row.
        relevance: [n] as the source grades it.
        positive_at: the relevance from which a passage is a positive.
        language: ISO 639 code; None: words between blanks, as they are.
        set_aside: how many dev queries are not here because a model was chosen by them or by others of their groups.
    """

    name: str
    task: str
    dev: Labelled
    train: Labelled
    passage_ids: list[str]
    passages: list[str]
    rows: Ints
    columns: Ints
    relevance: Floats
    positive_at: float
    language: str | None
    set_aside: int = 0

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each judgement makes its passage a positive."""
        return self.relevance >= self.positive_at

    @cached_property
    def own_passages(self) -> Ints:
        """[queries] the passage that has a query's text, -1 where there is none or it is a positive."""
        passages = {normalise(text): i for i, text in enumerate(self.passages)}
        own = np.array([passages.get(normalise(text), -1) for text in self.dev.texts], dtype=np.int64)
        relevant = own[self.rows] == self.columns
        own[self.rows[relevant & self.positive]] = -1
        return own


@dataclass(frozen=True)
class Scores:
    """What one model got on one dataset.

    Attributes:
        unit_ids: the queries measured; for sts the pairs, "query_id|passage_id".
        values: [units] nDCG@10, average precision, the cosine, or how often right: 1 or 0, for clusters a share.
        gold_ranks: [units] the best rank of a positive, 0 where there is none or it lies too deep.
        query_words: [units] length of the query.
        gold_words: [units] length of its first positive by passage_id, 0 where there is none.
        statistic: the dataset's figure, computed from any draw of the units.
        facts: figures beside it.
    """

    unit_ids: list[str]
    values: Floats
    gold_ranks: Ints
    query_words: Ints
    gold_words: Ints
    statistic: Statistic
    facts: Mapping[str, float] = field(default_factory=dict)


def dev_set(name: str, entry: Terms, queries: pa.Table, corpus: pa.Table, qrels: pa.Table) -> DevSet:
    """Cut the dev split out of the tables of ingest."""
    titles, texts = (corpus.column(column).to_pylist() for column in ("title", "text"))
    dev = _labelled(queries, "dev")
    passage_ids = corpus.column("passage_id").to_pylist()
    places = (
        pc.index_in(qrels.column(column), pa.array(ids, pa.string())).to_numpy(zero_copy_only=False)
        for column, ids in (("query_id", dev.query_ids), ("passage_id", passage_ids))
    )
    rows, columns = (np.nan_to_num(place, nan=-1).astype(np.int64) for place in places)
    order = np.lexsort((columns, rows))
    order = order[rows[order] >= 0]
    return DevSet(
        name,
        entry.task,
        dev,
        _labelled(queries, "train"),
        passage_ids,
        [passage_text(*pair) for pair in zip(titles, texts, strict=True)],
        rows[order],
        columns[order],
        qrels.column("relevance").to_numpy().astype(np.float64)[order],
        float(np.float32(entry.positive_at)),  # relevance is float32, so its bound is too
        entry.language,
    )


def scopes_of(data: DevSet, part: Labelled) -> list[str]:
    """Return for each text the scope within which its label is asked for.

    Where every label of a dataset holds exactly one slash, such as `scipy/stats`, what stands before it is the scope;
    otherwise there is one scope.
    """
    labels = [label for texts in (data.dev, data.train) for one in texts.labels for label in one]
    scoped = all(label.count("/") == 1 for label in labels)
    return [one[0].split("/")[0] if scoped else "" for one in part.labels]


def words(texts: Sequence[str], language: str | None) -> Ints:
    """Count the words of each text, split at white space; its characters where no blanks tell words apart."""
    count = len if languages.of(language).blanks else _characters
    return np.array([count(text.split()) for text in texts], dtype=np.int64)


def _characters(parts: Sequence[str]) -> int:
    return sum(map(len, parts))


def _labelled(queries: pa.Table, split: str) -> Labelled:
    rows = queries.filter(pc.equal(queries.column("split"), split)).to_pydict()
    labels = [tuple(one or ()) for one in rows["labels"]]
    return Labelled(rows["query_id"], rows["text"], labels)
