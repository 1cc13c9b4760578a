"""Facts about how the tasks are measured, with encoders whose vectors are known."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from embedder import schemas, teachers
from embedder.bootstrap import observe
from embedder.errors import TableError
from embedder.evaluation import suite
from embedder.evaluation.classification import baselines, capped, classification, format_tokens
from embedder.evaluation.clustering import clustering, majority_labels
from embedder.evaluation.dev import DevSet, Labelled, dev_set, scopes_of
from embedder.evaluation.lexical import Lexical, measure_lexical
from embedder.evaluation.measuring import Reader
from embedder.evaluation.ranked import reranking, retrieval, similarity
from embedder.evaluation.rankers import Dense, Encoder, Side
from embedder.params.base import Model
from embedder.params.models import LABEL_TASKS, Dataset, Evaluate
from embedder.teachers.bm25 import Options as Bm25

BM25 = Bm25(kind="bm25", method="lucene", k1=1.5, b=0.75, delta=0.5, stem=True, stop_words=True)
LabelRow = tuple[str, str, list[str]]
SETTINGS = Evaluate(lexical="bm25", bootstrap_samples=100, confidence=0.95, seed=17)


def _entry(task: str, positive_at: float = 1) -> Dataset:
    labelled = task in LABEL_TASKS
    entry = {"task": task, "positive_at": positive_at, "label_mode": "label" if labelled else None, "negative_at": 0}
    rest = {
        "instruction": "find",
        "instruct_passages": False,
        "language": "en",
        "licence": "CC0-1.0",
        "path": "faq",
        "weight": 1,
    }
    return Dataset.model_validate({**entry, **rest, "ingest": {}, "filter": {}, "source": Model()})


def _queries(rows: Sequence[tuple[str, str, str, list[str] | None]]) -> pa.Table:
    ids, texts, splits, labels = zip(*rows, strict=True)
    columns = {"query_id": ids, "text": texts, "split": splits, "group_id": ids, "labels": labels}
    return schemas.build(schemas.QUERIES, {name: list(column) for name, column in columns.items()})


def ranked_set(
    task: str, qrels: Sequence[tuple[str, str, float]], passages: Sequence[str], positive_at: float = 1
) -> DevSet:
    """Return a dev set whose texts are their ids; queries that start with t are train queries."""
    ids = sorted({query for query, _, _ in qrels})
    columns = (list(column) for column in zip(*qrels, strict=True))
    titles = [""] * len(passages)
    return dev_set(
        "faq",
        _entry(task, positive_at),
        _queries([(query, query, "train" if query.startswith("t") else "dev", None) for query in ids]),
        schemas.build(schemas.CORPUS, {"passage_id": list(passages), "title": titles, "text": list(passages)}),
        schemas.build(schemas.QRELS, dict(zip(("query_id", "passage_id", "relevance"), columns, strict=True))),
    )


def _label_set(rows: Sequence[LabelRow]) -> DevSet:
    ids = [f"{i:04d}" for i in range(len(rows))]
    empty = {name: pa.array([], pa.string()) for name in ("passage_id", "title", "text", "query_id")}
    return dev_set(
        "topic",
        _entry("classification"),
        _queries([(i, text, split, labels) for i, (text, split, labels) in zip(ids, rows, strict=True)]),
        schemas.build(schemas.CORPUS, {name: empty[name] for name in ("passage_id", "title", "text")}),
        schemas.build(
            schemas.QRELS,
            {"query_id": empty["query_id"], "passage_id": empty["passage_id"], "relevance": pa.array([], pa.float32())},
        ),
    )


def vectors_of(vectors: Mapping[str, Sequence[float]]) -> Encoder:
    """Return an encoder that looks vectors up, made unit vectors."""

    def encode(texts: Sequence[str], side: Side) -> np.ndarray:
        del side
        rows = np.array([vectors[text] for text in texts], dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    return encode


def test_retrieval_is_ndcg_over_the_whole_corpus_with_ties_by_passage_id() -> None:
    """A positive at rank 2, behind a passage with the same score and a smaller id, gives 1 / log2(3)."""
    data = ranked_set("retrieval", [("q", "b", 1), ("t", "c", 1)], ["a", "b", "c"])
    scores = retrieval(data, Dense(vectors_of({"q": [1, 0], "a": [1, 1], "b": [1, 1], "c": [0, 1]})))
    assert scores.unit_ids == ["q"]
    assert scores.values.tolist() == [pytest.approx(1 / math.log2(3))]
    assert scores.gold_ranks.tolist() == [2]


def test_retrieval_gains_are_graded_and_stop_at_positive_at() -> None:
    """With positive_at 2, grades 3 and 2 gain 3 and 2; grade 1 gains nothing, at rank 1 or elsewhere."""
    data = ranked_set("retrieval", [("q", "a", 1), ("q", "b", 2), ("q", "c", 3)], ["a", "b", "c"], positive_at=2)
    scores = retrieval(data, Dense(vectors_of({"q": [1, 0], "a": [9, 1], "b": [5, 1], "c": [1, 1]})))
    expected = (2 / math.log2(3) + 3 / math.log2(4)) / (3 + 2 / math.log2(3))
    assert scores.values.tolist() == [pytest.approx(expected)]


def test_what_lies_below_rank_10_counts_nothing_but_keeps_its_rank() -> None:
    """A positive at rank 12 has nDCG@10 0 and gold rank 12."""
    passages = [f"{i:02d}" for i in range(15)]
    vectors = {name: [20.0 - i, float(i)] for i, name in enumerate(passages)}
    data = ranked_set("retrieval", [("q", "11", 1)], passages)
    scores = retrieval(data, Dense(vectors_of({"q": [1, 0], **vectors})))
    assert (scores.values.tolist(), scores.gold_ranks.tolist()) == ([0.0], [12])


def test_bm25_does_not_retrieve_what_shares_no_word() -> None:
    """With BM25 a positive without a common word is never found: nDCG 0, no gold rank."""
    data = ranked_set("retrieval", [("red fish", "blue bird", 1)], ["blue bird", "red fish swims"])
    scores = measure_lexical(data, BM25)
    assert (scores.values.tolist(), scores.gold_ranks.tolist()) == ([0.0], [0])


def test_reranking_is_map_over_judged_passages_alone() -> None:
    """Unjudged passages do not count, however well they score; queries with one kind of passage are left out."""
    qrels = [("q", "a", 0), ("q", "b", 1), ("q", "c", 0), ("q", "d", 1), ("r", "a", 1)]
    data = ranked_set("reranking", qrels, ["a", "b", "c", "d", "e"])
    vectors = {"q": [1, 0], "r": [1, 0], "a": [9, 1], "b": [8, 1], "c": [7, 1], "d": [6, 1], "e": [99, 1]}
    scores = reranking(data, Dense(vectors_of(vectors)))
    assert scores.unit_ids == ["q"]
    assert scores.values.tolist() == [pytest.approx((1 / 2 + 2 / 4) / 2)]
    assert scores.gold_ranks.tolist() == [2]


def test_reranking_ties_stand_by_passage_id_for_bm25_too() -> None:
    """Where no judged passage shares a word with the query all tie at the floor, and the smaller id comes first."""
    data = ranked_set("reranking", [("red", "blue bird", 0), ("red", "calm sea", 1)], ["blue bird", "calm sea", "red"])
    assert measure_lexical(data, BM25).values.tolist() == [0.5]


def test_sts_is_spearman_of_cosine_and_grade_over_pairs() -> None:
    """Each judged pair is one unit; the figure is scipy's Spearman of its cosines and grades."""
    passages = {"a": [9.0, 1], "b": [3.0, 1], "c": [1.0, 1], "d": [1.0, 9]}
    grades = [4.0, 3.0, 3.0, 0.0]
    data = ranked_set("sts", [("q", name, grade) for name, grade in zip(passages, grades, strict=True)], [*passages])
    scores = similarity(data, Dense(vectors_of({"q": [1, 0], **passages})))
    assert scores.unit_ids == ["q|a", "q|b", "q|c", "q|d"]
    assert observe(scores.statistic, 4) == pytest.approx(spearmanr(scores.values, grades).statistic)


def test_permuting_the_tables_changes_nothing() -> None:
    """Queries, corpus and qrels in another order give the same values, because tables are sorted by their keys."""
    qrels = [("q", "a", 0), ("q", "b", 1), ("r", "c", 1), ("r", "a", 0)]
    vectors = {"q": [1, 0], "r": [0, 1], "a": [1, 1], "b": [2, 1], "c": [1, 2]}
    first = ranked_set("reranking", qrels, ["a", "b", "c"])
    second = ranked_set("reranking", qrels[::-1], ["c", "a", "b"])
    ranker = Dense(vectors_of(vectors))
    assert reranking(first, ranker).values.tolist() == reranking(second, ranker).values.tolist() == [1.0, 1.0]


def _blobs(labels: Sequence[str], per_label: int, split: str) -> tuple[list[LabelRow], dict[str, list[float]]]:
    """Texts whose vectors lie around one direction for each label."""
    generator = np.random.default_rng(len(labels))
    rows: list[LabelRow] = []
    vectors: dict[str, list[float]] = {}
    for place, label in enumerate(labels):
        for i in range(per_label):
            text = f"{split} {label} {i}"
            rows.append((text, split, [label]))
            vectors[text] = (np.eye(len(labels))[place] + 0.05 * generator.standard_normal(len(labels))).tolist()
    return rows, vectors


def test_clusters_are_found_within_a_scope() -> None:
    """Labels of two scopes that lie in the same places are told apart only because each scope is clustered alone."""
    rows, vectors = _blobs(["a/x", "a/y"], 10, "dev")
    more, same_places = _blobs(["b/x", "b/y"], 10, "dev")
    data = _label_set(rows + more)
    scores = clustering(data, vectors_of(vectors | same_places), seed=17)
    assert observe(scores.statistic, 40) == pytest.approx(1.0)
    assert scores.facts["ami"] == pytest.approx(1.0)
    assert scores.values.tolist() == [1.0] * 40


def test_scopes_need_exactly_one_slash_in_every_label() -> None:
    """One label without a slash, or with two, makes one scope of all."""
    data = _label_set([("1", "dev", ["a/x"]), ("2", "train", ["b/y"])])
    assert (scopes_of(data, data.dev), scopes_of(data, data.train)) == (["a"], ["b"])
    for other in ("plain", "a/b/c"):
        data = _label_set([("1", "dev", ["a/x"]), ("2", "train", [other])])
        assert scopes_of(data, data.dev) == [""]


def test_a_cluster_is_named_by_its_commonest_label() -> None:
    """The majority label of a cluster, the smallest of equals, is what its documents are measured by."""
    labels, clusters = np.array([0, 0, 1, 2, 1]), np.array([0, 0, 0, 1, 1])
    assert majority_labels(labels, clusters, np.zeros(5, np.int64)).tolist() == [0, 0, 0, 1, 1]


def test_a_probe_learns_labels_that_lie_apart() -> None:
    """Labels in different directions are classified without a mistake; the commonest label alone gets its share."""
    train, vectors = _blobs(["x", "y", "z"], 20, "train")
    dev, more = _blobs(["x", "y", "z"], 4, "dev")
    data = _label_set([*train, ("train w", "train", ["x"]), *dev])
    scores = classification(data, vectors_of(vectors | more | {"train w": [1, 0, 0]}))
    assert scores.values.tolist() == [1.0] * 12
    assert baselines(data)["majority"] == pytest.approx(4 / 12)


def test_any_true_label_is_right() -> None:
    """A prediction is right when it is one of several true labels, first or not."""
    train, vectors = _blobs(["x", "y"], 10, "train")
    data = _label_set([*train, ("dev 1", "dev", ["x", "y"]), ("dev 2", "dev", ["y"])])
    scores = classification(data, vectors_of(vectors | {"dev 1": [0, 1], "dev 2": [1, 0]}))
    assert scores.values.tolist() == [1.0, 0.0]


def test_a_dev_scope_without_train_texts_is_never_right() -> None:
    """Where a scope has no train text nothing can be predicted, and that counts as wrong."""
    data = _label_set([("train", "train", ["a/x"]), ("dev", "dev", ["b/x"])])
    assert classification(data, vectors_of({"train": [1, 0], "dev": [1, 0]})).values.tolist() == [0.0]


def test_the_cap_chooses_texts_by_hash_not_by_order() -> None:
    """At most so many texts of a label are kept, the same ones whatever order they come in."""
    ids = [str(i) for i in range(50)]
    train = Labelled(ids, ids, [("x",)] * 50)
    chosen = capped(train, 10).query_ids
    assert len(chosen) == 10
    assert set(capped(train.take(np.arange(49, -1, -1)), 10).query_ids) == set(chosen) != set(ids[:10])


def test_format_is_shapes_and_punctuation() -> None:
    """Of a text its format keeps no word: shapes of words and numbers, and punctuation as it stands."""
    assert format_tokens("Fit 2 models, see FFT_1.") == ["Xx", "9", "x", ",", "x", "X", "_", "9", "."]


def _loaders(vectors: Mapping[str, Sequence[float]]) -> dict[str, Callable[[], Reader]]:
    def load() -> Reader:
        return lambda entry: vectors_of(vectors if entry.instruction == "find" else {})

    return {"base": load, "tuned": load}


def test_the_suite_measures_every_model_and_counts_what_it_left_out() -> None:
    """A dataset without dev queries is named with its reason; base, tuned and bm25 each have a row per query."""
    faq = ranked_set("retrieval", [("q", "sea", 1), ("r", "sky", 1)], ["sea", "sky"])
    empty = ranked_set("retrieval", [("t", "a", 1)], ["a"])
    entries = {"faq": _entry("retrieval"), "empty": _entry("retrieval")}
    vectors = {"q": [3, 1], "r": [1, 3], "sea": [2, 1], "sky": [1, 2]}
    outcome = suite.evaluate({"faq": faq, "empty": empty}, entries, _loaders(vectors), BM25, SETTINGS)
    assert outcome.report["left_out"] == {"empty": "no dev query"}
    assert outcome.scores.column("model").to_pylist() == ["base", "base", "bm25", "bm25", "tuned", "tuned"]
    assert outcome.rows[0].base == outcome.rows[0].tuned == 1.0
    assert outcome.rows[0].bm25 == 0.0
    assert outcome.rows[0].outcome == "not better"


def test_nothing_to_evaluate_is_an_error() -> None:
    """Without a single dev query the suite says what to do."""
    empty = ranked_set("retrieval", [("t", "a", 1)], ["a"])
    with pytest.raises(TableError, match="no dev query"):
        suite.evaluate({"empty": empty}, {"empty": _entry("retrieval")}, _loaders({}), BM25, SETTINGS)


def test_the_lexical_row_needs_a_corpus_index_of_its_own() -> None:
    """BM25 ranks the passage that holds the query's words first, ties by passage_id."""
    data = ranked_set("retrieval", [("red fish", "b red fish", 1)], ["a red fish", "b red fish", "sea"])
    ranker = Lexical(partial(teachers.build, BM25))
    assert ranker.top(data, 3).tolist() == [[0, 1, -1]]
