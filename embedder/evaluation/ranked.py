"""Tasks that rank or compare: retrieval, reranking, sts."""

import numpy as np
from scipy import sparse

from embedder import metrics
from embedder.bootstrap import mean_of, spearman_of
from embedder.evaluation.dev import DevSet, Floats, Ints, Scores, words
from embedder.evaluation.rankers import Ranker

CUTOFF = 10
GOLD_DEPTH = 1000


def retrieval(dev: DevSet, ranker: Ranker) -> Scores:
    """nDCG@10 of each dev query against the whole corpus.

    A positive gains its relevance; what lies below `positive_at` gains nothing. Gold ranks are looked up to 1,000. A
    passage that is the query itself is left out of the ranking, unless it is a positive (as in BEIR: Thakur et al.
    2021, arXiv 2104.08663).
    """
    found = ranker.top(dev, min(GOLD_DEPTH + 1, len(dev.passages)))
    found = without(found, dev.own_passages)[:, :GOLD_DEPTH]
    shape = (len(dev.dev.texts), len(dev.passages))
    kept = dev.positive
    gains = sparse.csr_matrix((dev.relevance[kept], (dev.rows[kept], dev.columns[kept])), shape=shape)
    rows = np.repeat(np.arange(shape[0]), found.shape[1])
    gained = np.asarray(gains[rows, np.maximum(found, 0).ravel()]).reshape(found.shape) * (found >= 0)
    values = metrics.ndcg(gained[:, :CUTOFF], ideal_gains(gains, CUTOFF))
    gold_ranks = np.where((gained > 0).any(axis=1), (gained > 0).argmax(axis=1) + 1, 0)
    return _per_query(dev, np.arange(shape[0]), values, gold_ranks)


def without(found: Ints, own: Ints) -> Ints:
    """Take one passage out of each ranking.

    Args:
        found: [queries, k] passages, best first, -1 where there is none.
        own: [queries] what to take out, -1 for nothing.

    Returns:
        [queries, k]; the others move up, and a -1 fills the place at the end.
    """
    out = found.copy()
    for row in np.flatnonzero(own >= 0):
        rest = found[row][found[row] != own[row]]
        out[row] = np.append(rest, np.full(found.shape[1] - len(rest), -1))
    return out


def reranking(dev: DevSet, ranker: Ranker) -> Scores:
    """Average precision of each dev query's judged passages, as ranked by the model; ties by passage_id.

    Queries whose judged passages are all positives, or none, cannot be ranked wrong or right and are left out.
    """
    scores = ranker.pairs(dev, dev.rows, dev.columns)
    order = np.lexsort((dev.columns, -scores, dev.rows))
    starts = np.searchsorted(dev.rows, np.arange(len(dev.dev.texts) + 1))
    queries = rankable(dev)
    lists = [dev.positive[order[starts[query] : starts[query + 1]]] for query in queries]
    values = np.array([metrics.average_precision(relevant) for relevant in lists])
    gold_ranks = np.array([int(relevant.argmax()) + 1 for relevant in lists], dtype=np.int64)
    return _per_query(dev, queries, values, gold_ranks)


def rankable(dev: DevSet) -> Ints:
    """Return the dev queries with a positive and with another judged passage, as indices."""
    judged = np.bincount(dev.rows, minlength=len(dev.dev.texts))
    positive = np.bincount(dev.rows[dev.positive], minlength=len(dev.dev.texts))
    return np.flatnonzero((positive > 0) & (positive < judged))


def similarity(dev: DevSet, ranker: Ranker) -> Scores:
    """Spearman's correlation of cosine and grade over the judged pairs of the dev split."""
    cosines = ranker.pairs(dev, dev.rows, dev.columns).astype(np.float64)
    ids = [f"{dev.dev.query_ids[i]}|{dev.passage_ids[j]}" for i, j in zip(dev.rows, dev.columns, strict=True)]
    lengths = words(dev.dev.texts, dev.language)[dev.rows], words(dev.passages, dev.language)[dev.columns]
    none = np.zeros(len(ids), dtype=np.int64)
    return Scores(ids, cosines, none, *lengths, spearman_of(cosines, dev.relevance))


def ideal_gains(gains: sparse.csr_matrix, k: int) -> Floats:
    """Return the `k` largest gains of each row in descending order, [rows, k], filled up with zeros."""
    rows = np.repeat(np.arange(gains.shape[0]), np.diff(gains.indptr))
    order = np.lexsort((-gains.data, rows))
    place = np.arange(len(order)) - gains.indptr[rows]
    first = place < k
    ideal = np.zeros((gains.shape[0], k))
    ideal[rows[first], place[first]] = gains.data[order[first]]
    return ideal


def _per_query(dev: DevSet, queries: Ints, values: Floats, gold_ranks: Ints) -> Scores:
    gold = np.full(len(dev.dev.texts), -1, dtype=np.int64)
    rows, columns = dev.rows[dev.positive][::-1], dev.columns[dev.positive][::-1]
    gold[rows] = columns  # the last write, the smallest passage_id, stays
    gold_words = np.append(words(dev.passages, dev.language), 0)[gold]
    ids = [dev.dev.query_ids[i] for i in queries]
    return Scores(
        ids, values, gold_ranks, words(dev.dev.texts, dev.language)[queries], gold_words[queries], mean_of(values)
    )
