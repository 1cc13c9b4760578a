"""Which task is measured how: one model on the dev split of one dataset."""

from collections.abc import Callable

from embedder.evaluation.classification import classification
from embedder.evaluation.clustering import clustering
from embedder.evaluation.dev import DevSet, Scores
from embedder.evaluation.ranked import rankable, reranking, retrieval, similarity
from embedder.evaluation.rankers import Dense, Encoder, Ranker
from embedder.params.models import Terms

RANKED: dict[str, Callable[[DevSet, Ranker], Scores]] = {"retrieval": retrieval, "reranking": reranking}

Reader = Callable[[Terms], Encoder]
"""A model, which reads each dataset with its own instruction."""


def measure(data: DevSet, encoder: Encoder, seed: int) -> Scores:
    """Measure a model that makes vectors on the dev split of a dataset."""
    if data.task == "clustering":
        return clustering(data, encoder, seed)
    if data.task == "classification":
        return classification(data, encoder)
    if data.task == "sts":
        return similarity(data, Dense(encoder))
    return RANKED[data.task](data, Dense(encoder))


def unmeasurable(data: DevSet) -> str | None:
    """Say why a dataset cannot be measured, or nothing where it can."""
    if not data.dev.texts:
        return f"no dev query but {data.set_aside:,} set aside" if data.set_aside else "no dev query"
    if data.task == "reranking" and not len(rankable(data)):
        return "no dev query with both a positive and another judged passage"
    return None
