"""Facts about the figures of evaluation."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_mutual_info_score, average_precision_score, ndcg_score, v_measure_score

from embedder import metrics

GAINS = arrays(np.float64, (3, 10), elements=st.integers(0, 4).map(float))
CODES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def _counts(labels: list[int], clusters: list[int]) -> np.ndarray:
    counts = np.zeros((5, 5), dtype=np.int64)
    np.add.at(counts, (labels, clusters), 1)
    return counts


def test_ndcg_by_hand() -> None:
    """One positive at rank 2 of a query with one gives 1 / log2(3); graded gains count linearly, as in trec_eval."""
    ideal = np.array([[1.0, 0, 0], [3.0, 1, 0]])
    gains = np.array([[0, 1.0, 0], [1.0, 0, 3.0]])
    graded = (1 + 3 / math.log2(4)) / (3 + 1 / math.log2(3))
    np.testing.assert_allclose(metrics.ndcg(gains, ideal), [1 / math.log2(3), graded])


@given(GAINS)
def test_ndcg_is_that_of_sklearn(gains: np.ndarray) -> None:
    """Over all gains of a query, in any order, nDCG is sklearn's for scores without ties."""
    gains[:, 0] += 1
    ideal = -np.sort(-gains, axis=1)
    ours = metrics.ndcg(gains, ideal)
    falling = np.tile(np.arange(10, 0, -1.0), (3, 1))
    theirs = [ndcg_score(gains[i : i + 1], falling[i : i + 1]) for i in range(3)]
    np.testing.assert_allclose(ours, theirs)


def test_average_precision_by_hand() -> None:
    """Positives at ranks 1, 3 and 4 of 5 give the mean of 1/1, 2/3 and 3/4."""
    relevant = np.array([True, False, True, True, False])
    assert metrics.average_precision(relevant) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


@given(st.lists(st.booleans(), min_size=1, max_size=30).filter(any))
def test_average_precision_is_that_of_sklearn(relevant: list[bool]) -> None:
    """Where no scores tie, average precision is sklearn's."""
    falling = -np.arange(len(relevant), dtype=float)
    theirs = average_precision_score(relevant, falling)
    assert metrics.average_precision(np.array(relevant)) == pytest.approx(theirs)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40))
def test_spearman_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    """With ties on both sides Spearman is scipy's; a constant side has no order, which counts 0."""
    left, right = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    ours = metrics.spearman(left, right)
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert ours == 0
    else:
        assert ours == pytest.approx(spearmanr(left, right).statistic)


@given(CODES)
def test_v_measure_is_that_of_sklearn(pairs: list[tuple[int, int]]) -> None:
    """From the table of counts V-measure is sklearn's from the lists, empty rows and columns or not."""
    labels, clusters = map(list, zip(*pairs, strict=True))
    assert metrics.v_measure(_counts(labels, clusters)) == pytest.approx(v_measure_score(labels, clusters))


@given(CODES, st.permutations(range(5)), st.randoms(use_true_random=False))
def test_clustering_figures_ignore_names_and_order(
    pairs: list[tuple[int, int]], names: list[int], random: Random
) -> None:
    """Renaming clusters and shuffling documents changes neither V-measure nor AMI."""
    labels, clusters = map(list, zip(*pairs, strict=True))
    renamed = [(label, names[cluster]) for label, cluster in pairs]
    random.shuffle(renamed)
    labels_2, clusters_2 = map(list, zip(*renamed, strict=True))
    first, second = metrics.v_measure(np.stack([_counts(labels, clusters), _counts(labels_2, clusters_2)]))
    assert first == pytest.approx(second)
    shared = metrics.adjusted_mutual_information(np.array(labels_2), np.array(clusters_2))
    assert shared == pytest.approx(adjusted_mutual_info_score(labels, clusters))
