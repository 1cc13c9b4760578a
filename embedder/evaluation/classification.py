"""Classification: a linear probe on the vectors, and what can be had without them."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.bootstrap import mean_of
from embedder.evaluation.dev import DevSet, Labelled, Scores, scopes_of, words
from embedder.evaluation.rankers import Encoder

CAP_PER_LABEL = 2000
_FORMAT = re.compile(r"[^\W\d_]+|\d+|_|[^\w\s]")

Predictor = Callable[[Labelled, Labelled], list[str]]
"""Labelled train texts, dev texts -> a label for each dev text."""


def classification(dev: DevSet, encoder: Encoder) -> Scores:
    """Accuracy on the dev texts of a logistic regression on the vectors of at most 2,000 train texts a label.

    A text with several labels trains its first; a prediction is right when it is any of the true labels.
    """

    def probe(train: Labelled, texts: Labelled) -> list[str]:
        return _regression(encoder(train.texts, "query"), train, encoder(texts.texts, "query"))

    values = right(dev, probe).astype(np.float64)
    none = np.zeros(len(values), dtype=np.int64)
    return Scores(dev.dev.query_ids, values, none, words(dev.dev.texts, dev.language), none, mean_of(values))


def baselines(dev: DevSet) -> dict[str, float]:
    """Accuracy of the commonest label, and of a probe that sees format alone: shapes of words, and punctuation."""
    return {"majority": float(right(dev, _majority).mean()), "format_only": float(right(dev, _format_only).mean())}


def right(dev: DevSet, predictor: Predictor) -> NDArray[np.bool_]:
    """Whether each dev text is given one of its labels, by a predictor trained within the text's scope."""
    train = capped(dev.train)
    train_scopes, dev_scopes = (np.array(scopes_of(dev, part)) for part in (train, dev.dev))
    out = np.zeros(len(dev.dev.texts), dtype=np.bool_)
    for scope in np.unique(dev_scopes):
        inside, known = np.flatnonzero(dev_scopes == scope), np.flatnonzero(train_scopes == scope)
        if len(known):
            asked = dev.dev.take(inside)
            given = predictor(train.take(known), asked)
            out[inside] = [label in labels for label, labels in zip(given, asked.labels, strict=True)]
    return out


def capped(train: Labelled, most: int = CAP_PER_LABEL) -> Labelled:
    """Keep at most `most` texts of each label, those with the smallest hashes of their query_ids."""
    order = sorted(range(len(train.texts)), key=lambda i: hashlib.sha256(train.query_ids[i].encode()).digest())
    seen: Counter[str] = Counter()
    kept = []
    for i in order:
        label = train.labels[i][0]
        seen[label] += 1
        if seen[label] <= most:
            kept.append(i)
    return train.take(np.array(sorted(kept), dtype=np.int64))


def format_tokens(text: str) -> list[str]:
    """Cut a text into punctuation marks and shapes of words: "Fit 2 models." -> Xx 9 x ."""
    return [_shape(token) for token in _FORMAT.findall(text)]


def _shape(token: str) -> str:
    if token.isdigit():
        return "9"
    if not token.isalpha():
        return token
    return "X" if token.isupper() else "x" if token.islower() else "Xx"


def _majority(train: Labelled, texts: Labelled) -> list[str]:
    counts = Counter(labels[0] for labels in train.labels)
    return [min(counts, key=lambda label: (-counts[label], label))] * len(texts.texts)


def _format_only(train: Labelled, texts: Labelled) -> list[str]:
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=_format_runs, binary=True)
    return _regression(counter.fit_transform(train.texts), train, counter.transform(texts.texts))


def _format_runs(text: str) -> list[str]:
    tokens = format_tokens(text)
    return [*tokens, *(" ".join(pair) for pair in pairwise(tokens)), f"length {len(tokens) // 4}"]


def _regression(known: Any, train: Labelled, asked: Any) -> list[str]:  # noqa: ANN401 - dense or sparse [n, d]
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    labels = [labels[0] for labels in train.labels]
    if len(set(labels)) == 1:
        return [labels[0]] * asked.shape[0]
    with threadpool_limits(limits=1):
        return [str(label) for label in LogisticRegression(max_iter=1000).fit(known, labels).predict(asked)]
