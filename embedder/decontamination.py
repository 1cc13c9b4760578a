"""Decontamination: no training text may be a near copy of any dataset's dev queries or their positives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from embedder import languages
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
    language: str | None

    @property
    def own_passages(self) -> dict[str, str]:
        """The passage that says what a training query says, by query."""
        passages = {normalise(text): passage for passage, text in self.passages.items()}
        found = {query: passages.get(normalise(text)) for query, text in self.train.items()}
        return {query: passage for query, passage in found.items() if passage is not None}

    @property
    def training_texts(self) -> list[str]:
        """What may be trained on."""
        return [*self.train.values(), *self.passages.values()]

    @property
    def dev_texts(self) -> list[str]:
        """What is measured on."""
        return [*self.dev.values(), *(self.passages[passage] for passage in sorted(self.dev_positives))]


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
        return Texts(by_split["train"], by_split["dev"], {}, frozenset(), entry.language)
    columns = corpus.to_pydict()
    joined = map(passage_text, columns["title"], columns["text"])
    passages = dict(zip(columns["passage_id"], joined, strict=True))
    answers = frozenset(dev_positives(queries, qrels, entry).to_pylist())
    return Texts(by_split["train"], by_split["dev"], passages, answers, entry.language)


def contaminated(datasets: Mapping[str, Texts], threshold: float | None) -> dict[str, Contaminated]:
    """Find in each dataset what is a near copy (shingles of 5, Jaccard >= `threshold`) of any dev text of any.

    Shingles are of words, or of characters in languages without blanks. A text of one kind and a text of the other
    are only copies if they are equal. A threshold of None finds nothing.
    """
    if threshold is None:
        return {name: Contaminated(frozenset(), frozenset()) for name in datasets}
    held_out = set(_distinct(text for texts in datasets.values() for text in texts.dev_texts))
    close: set[str] = set()
    for unit in ("word", "character"):
        alike = [texts for texts in datasets.values() if languages.of(texts.language).unit == unit]
        train = _distinct(text for texts in alike for text in texts.training_texts)
        dev = _distinct(text for texts in alike for text in texts.dev_texts)
        rows, _, _ = similar_pairs(shingle(train, unit), shingle(dev, unit), threshold)
        close |= {train[row] for row in set(rows.tolist())} | held_out.intersection(train)
    return {
        name: Contaminated(
            frozenset(query for query, text in d.train.items() if normalise(text) in close),
            frozenset(passage for passage, text in d.passages.items() if normalise(text) in close),
        )
        for name, d in datasets.items()
    }


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted({normalise(text) for text in texts})
