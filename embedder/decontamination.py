"""Decontamination: no training text may be a near copy of any dataset's dev queries or their positives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from embedder.held_out import dev_positives
from embedder.near_copies import shingle, similar_pairs
from embedder.params.models import Dataset
from embedder.texts import normalise, passage_text


@dataclass(frozen=True)
class Contaminated:
    """What of a dataset is a near copy of a dev text: ids of training queries and of passages."""

    queries: frozenset[str]
    passages: frozenset[str]


@dataclass(frozen=True)
class Texts:
    """The texts of one dataset: training queries, dev queries, passages, and which passages answer dev queries."""

    train: Mapping[str, str]
    dev: Mapping[str, str]
    passages: Mapping[str, str]
    dev_positives: frozenset[str]


def texts_of(queries: pa.Table, corpus: pa.Table, qrels: pa.Table, entry: Dataset) -> Texts:
    """Gather the texts of a dataset; labels are no passages that could leak, and label tasks' passages no dev texts."""
    by_split = {
        split: dict(
            zip(
                *(queries.filter(pc.equal(queries["split"], split))[c].to_pylist() for c in ("query_id", "text")),
                strict=True,
            )
        )
        for split in ("train", "dev")
    }
    if entry.label_mode == "label":
        return Texts(by_split["train"], by_split["dev"], {}, frozenset())
    columns = corpus.to_pydict()
    joined = map(passage_text, columns["title"], columns["text"])
    passages = dict(zip(columns["passage_id"], joined, strict=True))
    answers = frozenset(dev_positives(queries, qrels, entry).to_pylist())
    return Texts(by_split["train"], by_split["dev"], passages, answers)


def contaminated(datasets: Mapping[str, Texts], threshold: float | None) -> dict[str, Contaminated]:
    """Find in each dataset what is a near copy (shingles of 5 words, Jaccard >= `threshold`) of any dev text of any.

    A threshold of None finds nothing.
    """
    if threshold is None:
        return {name: Contaminated(frozenset(), frozenset()) for name in datasets}
    train = _distinct(text for d in datasets.values() for text in [*d.train.values(), *d.passages.values()])
    dev = _distinct(
        text for d in datasets.values() for text in [*d.dev.values(), *(d.passages[p] for p in sorted(d.dev_positives))]
    )
    rows, _, _ = similar_pairs(shingle(train), shingle(dev), threshold)
    close = {train[row] for row in set(rows.tolist())}
    return {
        name: Contaminated(
            frozenset(query for query, text in d.train.items() if normalise(text) in close),
            frozenset(passage for passage, text in d.passages.items() if normalise(text) in close),
        )
        for name, d in datasets.items()
    }


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted({normalise(text) for text in texts})
