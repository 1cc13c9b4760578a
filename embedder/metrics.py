"""The figures of evaluation: arrays in, arrays out; leading axes are kept, so a bootstrap computes all samples at once."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def ndcg(gains: Floats, ideal: Floats) -> Floats:
    """Return nDCG with linear gains and a log2 discount (Jarvelin and Kekalainen 2002), as trec_eval computes it.

    Args:
        gains: [..., k] the gain at each rank, best rank first, 0 where nothing was retrieved.
        ideal: [..., k] the largest gains a ranking could have, in descending order; the first is above 0.

    Returns:
        [...] between 0 and 1.
    """
    return np.asarray(_dcg(gains) / _dcg(ideal), dtype=np.float64)


def average_precision(relevant: NDArray[np.bool_]) -> float:
    """Return the mean over relevant ranks of the precision there; the list holds at least one relevant passage.

    Args:
        relevant: [n] whether the passage at each rank is relevant, best rank first.
    """
    ranks = np.flatnonzero(relevant) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def spearman(left: Floats, right: Floats) -> Floats:
    """Return Spearman's correlation along the last axis, ties at their mean rank; 0 where a side is constant."""
    from scipy.stats import rankdata

    first, second = rankdata(left, axis=-1), rankdata(right, axis=-1)
    first -= first.mean(axis=-1, keepdims=True)
    second -= second.mean(axis=-1, keepdims=True)
    scale = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return np.asarray((first * second).sum(axis=-1) / np.where(scale > 0, scale, 1.0), dtype=np.float64)


def v_measure(counts: NDArray[np.integer]) -> Floats:
    """Return the V-measure (Rosenberg and Hirschberg 2007) with beta 1: 2 MI / (H(labels) + H(clusters)).

    Args:
        counts: [..., labels, clusters] how many documents each label has in each cluster.

    Returns:
        [...] between 0 and 1; 1 where there is one label and one cluster.
    """
    apart = _entropy(counts.sum(axis=-1)) + _entropy(counts.sum(axis=-2))
    joint = _entropy(counts.reshape(*counts.shape[:-2], -1))
    told = np.where(apart > 0, 2 * (apart - joint) / np.where(apart > 0, apart, 1.0), 1.0)
    return np.asarray(np.clip(told, 0.0, 1.0), dtype=np.float64)


def adjusted_mutual_information(labels: Ints, clusters: Ints) -> float:
    """Return AMI (Vinh et al. 2010): the mutual information less what random clusters of these sizes share."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(labels, clusters))


def _dcg(gains: Floats) -> Floats:
    return np.asarray((gains / np.log2(np.arange(2, gains.shape[-1] + 2))).sum(axis=-1), dtype=np.float64)


def _entropy(counts: NDArray[np.integer]) -> Floats:
    """Entropy along the last axis in nats; 0 where nothing is counted."""
    from scipy.special import xlogy

    total = np.maximum(counts.sum(axis=-1), 1)
    return np.asarray(np.log(total) - xlogy(counts, counts).sum(axis=-1) / total, dtype=np.float64)
