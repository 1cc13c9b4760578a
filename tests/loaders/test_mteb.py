"""Facts about tasks of MTEB, on tasks with made-up data and on the real classes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders import Source
from embedder.loaders.mteb import _FORMS, Options, load
from embedder.records import Passage, Qrel, Query, Record, Reject

mteb = pytest.importorskip("mteb")
REVISION = "0123456789abcdef0123456789abcdef01234567"
BASES = {
    "Retrieval": mteb.abstasks.AbsTaskRetrieval,
    "Reranking": mteb.abstasks.AbsTaskRetrieval,
    "STS": mteb.abstasks.AbsTaskSTS,
    "Classification": mteb.abstasks.AbsTaskClassification,
    "MultilabelClassification": mteb.abstasks.AbsTaskMultilabelClassification,
    "Clustering": mteb.abstasks.AbsTaskClustering,
    "PairClassification": mteb.abstasks.AbsTaskPairClassification,
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def task(kind: str, data: object, base: Any = None, **metadata: object) -> Any:  # noqa: ANN401 - mteb is optional
    """Return a task of a real class, whose data is `data`, or what calling it does to the task."""
    plain: dict[str, Any] = {
        "name": "Local", "description": "Made up.", "dataset": {"path": "owner/name", "revision": REVISION},
        "type": kind, "eval_splits": ["test"], "eval_langs": ["eng-Latn"], "main_score": "any",
    }  # fmt: skip

    def load_data(self: Any, **_: object) -> None:  # noqa: ANN401 - mteb is optional
        if callable(data):
            data(self)
        else:
            self.dataset = data
        self.data_loaded = True

    about = mteb.abstasks.task_metadata.TaskMetadata(**(plain | metadata))
    members = {"metadata": about, "load_data": load_data, "_evaluate_subset": None}
    return type("Local", (base or BASES[kind],), members)()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a function
    """Return what opens a task as if mteb had it."""

    def open_(one: Any, **changes: Any) -> Source:  # noqa: ANN401 - mteb is optional
        monkeypatch.setattr(mteb, "get_task", lambda _: one)
        return load(options(**changes), Path("nowhere"))

    return open_


def options(**changes: Any) -> Options:  # noqa: ANN401 - of any type, wrong ones too
    """Return options that read the test split as dev."""
    return Options.model_validate({"loader": "mteb", "name": "Local", "splits": {"test": "dev"}} | changes)


def read(source: Source, kind: type[Record] | None = None) -> Sequence[Any]:
    """Read a source's records, those of one kind if it is given."""
    return [record for record in source.records if kind is None or isinstance(record, kind)]


def labels(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    """Read a source's texts and labels."""
    return [(query.text, query.labels) for query in read(source, Query)]


def judged(kind: str) -> Any:  # noqa: ANN401 - mteb is optional
    """Return a task of three passages, one query, and a candidate that nobody judged."""
    data = {
        "corpus": Dataset.from_list([{"id": f"p{i}", "title": "T", "text": f"text {i}"} for i in (1, 2, 3)]),
        "queries": Dataset.from_list([{"id": "q1", "text": "ask"}]),
        "relevant_docs": {"q1": {"p2": 2, "p1": 0}},
        "top_ranked": {"q1": ["p3", "p2"]},
    }
    return task(kind, {"default": {"test": data}})


def test_retrieval(opened: Any) -> None:  # noqa: ANN401 - a function
    """Corpus, queries and judgements are read in a fixed order; candidates of a first stage are no judgements."""
    source = opened(judged("Retrieval"))
    assert read(source) == [
        Passage("p1", "T", "text 1", "test/corpus", 1),
        Passage("p2", "T", "text 2", "test/corpus", 2),
        Passage("p3", "T", "text 3", "test/corpus", 3),
        Query("q1", "ask", "dev", None, None, "test/queries", 1),
        Qrel("q1", "p1", 0.0, "test/qrels", 1, "dev"),
        Qrel("q1", "p2", 2.0, "test/qrels", 2, "dev"),
    ]
    assert source.facts == {
        "mteb": mteb.__version__,
        "task_type": "Retrieval",
        "revision": REVISION,
        "test/corpus": {"rows": 3},
        "test/queries": {"rows": 1},
        "test/qrels": {"rows": 2},
    }


def test_reranking(opened: Any) -> None:  # noqa: ANN401 - a function
    """A candidate that nobody judged is judged 0, as mteb scores it."""
    qrels = read(opened(judged("Reranking")), Qrel)
    assert [(qrel.passage_id, qrel.relevance) for qrel in qrels] == [("p1", 0.0), ("p2", 2.0), ("p3", 0.0)]


def test_retrieval_in_the_form_of_version_1(opened: Any) -> None:  # noqa: ANN401 - a function
    """A task that fills queries, corpus and relevant_docs is read too."""

    def fill(self: Any) -> None:  # noqa: ANN401 - mteb is optional
        self.corpus = {"test": {"p1": {"title": "T", "text": "long"}}}
        self.queries = {"test": {"q1": "ask"}}
        self.relevant_docs = {"test": {"q1": {"p1": 1}}}

    found = read(opened(task("Retrieval", fill)))
    assert found == [
        Passage("p1", "T", "long", "test/corpus", 1),
        Query("q1", "ask", "dev", None, None, "test/queries", 1),
        Qrel("q1", "p1", 1.0, "test/qrels", 1, "dev"),
    ]


def test_sts(opened: Any) -> None:  # noqa: ANN401 - a function
    """Sentence 1 is the query, sentence 2 the passage, the score its relevance; the facts have the scale."""
    data = Dataset.from_dict({"sentence1": ["a", "b"], "sentence2": ["x", "y"], "score": [4.5, None]})
    source = opened(task("STS", {"test": data}))
    found = read(source)
    assert [record.text for record in found if isinstance(record, Query | Passage)] == ["a", "x", "b", "y"]
    assert [record.relevance for record in found if isinstance(record, Qrel)] == [4.5]
    assert [record.reason for record in found if isinstance(record, Reject)] == ["relevance_not_a_number"]
    assert (source.facts["grades"], source.facts["test"]) == ([0, 5], {"rows": 2})


def test_classification(opened: Any) -> None:  # noqa: ANN401 - a function
    """Labels are read from `label_text` where there is one, else from the task's column, classes by name."""
    plain = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]})
    source = opened(task("Classification", DatasetDict(train=plain, test=plain)), splits={"train": "train"})
    assert labels(source) == [("a", ("1",)), ("b", ("0",))]
    assert source.one_label
    named = plain.cast_column("label", ClassLabel(names=["cold", "warm"]))
    assert labels(opened(task("Classification", {"test": named}))) == [("a", ("warm",)), ("b", ("cold",))]
    worded = plain.add_column("label_text", ["hot", "icy"])
    assert labels(opened(task("Classification", {"test": worded}))) == [("a", ("hot",)), ("b", ("icy",))]


def test_multilabel_classification(opened: Any) -> None:  # noqa: ANN401 - a function
    """A text has any number of labels."""
    form = Features({"text": Value("string"), "label": List(ClassLabel(names=["red", "green"]))})
    data = Dataset.from_dict({"text": ["a", "b"], "label": [[1, 0], []]}, features=form)
    source = opened(task("MultilabelClassification", {"test": data}))
    assert labels(source) == [("a", ("green", "red")), ("b", ())]
    assert not source.one_label


def test_clustering(opened: Any) -> None:  # noqa: ANN401 - a function
    """A row is a text; of a hierarchy of labels the first counts."""
    data = Dataset.from_dict({"sentences": ["a", "b", "c"], "labels": [["math", "sets"], ["law"], []]})
    assert labels(opened(task("Clustering", {"test": data}))) == [("a", ("math",)), ("b", ("law",)), ("c", ())]
    flat = Dataset.from_dict({"sentences": ["a"], "labels": [3]})
    assert labels(opened(task("Clustering", {"test": flat}))) == [("a", ("3",))]


def test_clustering_in_sets(opened: Any) -> None:  # noqa: ANN401 - a function
    """In the old form a row is a set of texts with as many labels; another number of labels refuses the set."""
    data = Dataset.from_dict({"sentences": [["a", "b"], ["c"], ["d"]], "labels": [["x", "y"], [], ["x"]]})
    source = opened(task("Clustering", {"test": data}, mteb.abstasks.AbsTaskClusteringLegacy))
    found = read(source)
    assert [(query.text, query.labels, query.row) for query in found if isinstance(query, Query)] == [
        ("a", ("x",), 1),
        ("b", ("y",), 1),
        ("d", ("x",), 3),
    ]
    assert Reject("row", "", "labels_and_texts_differ_in_number", "test", 2) in found
    assert (source.facts["test"], source.one_label) == ({"rows": 4}, True)


def test_subsets(opened: Any) -> None:  # noqa: ANN401 - a function
    """Of several subsets one must be named; no other is loaded."""
    data = {name: {"test": Dataset.from_dict({"text": [name], "label": [1]})} for name in ("en", "de")}
    one = task("Classification", data, eval_langs={"en": ["eng-Latn"], "de": ["deu-Latn"]})
    assert labels(opened(one, subset="de")) == [("de", ("1",))]
    assert one.hf_subsets == ["de"]
    with pytest.raises(SourceError, match="name its subset, one of: de, en"):
        opened(one)
    with pytest.raises(SourceError, match="unknown subset 'fr'"):
        opened(one, subset="fr")


def test_what_is_refused(opened: Any) -> None:  # noqa: ANN401 - a function
    """Types without form, other modalities, a moved revision and a split that is not evaluated say so in one line."""
    with pytest.raises(SourceError, match=r"is PairClassification of text; .* Classification, Clustering, .*, STS"):
        opened(task("PairClassification", {}))
    with pytest.raises(SourceError, match="is Clustering of image"):
        opened(task("Clustering", {}, modalities=["image"]))
    with pytest.raises(SourceError, match=f"pins revision {REVISION}"):
        opened(judged("Retrieval"), revision="f" * 40)
    with pytest.raises(SourceError, match="evaluates test, not train; read other splits with the loader hub"):
        opened(judged("Retrieval"), splits={"train": "train"})
    with pytest.raises(SourceError, match="unknown split 'train'; there are: test"):
        read(opened(task("Classification", {"test": None}), splits={"train": "train"}))
    with pytest.raises(SourceError, match="unknown column 'sentence1'"):
        read(opened(task("STS", {"test": Dataset.from_dict({"a": ["x"]})})))
    assert read(opened(judged("Retrieval"), revision=REVISION))


def test_data_that_cannot_be_had_is_said_in_one_line(opened: Any) -> None:  # noqa: ANN401 - a function
    """Whatever a task raises while it loads is one line that says what to do."""

    def fail(_: object) -> None:
        raise ConnectionError("Couldn't reach\nthe Hub")

    source = opened(task("STS", fail))
    with pytest.raises(SourceError, match="mteb task Local: Couldn't reach the Hub; connect once"):
        read(source)


def test_an_unknown_task_is_refused() -> None:
    """A misspelt name says the close one."""
    with pytest.raises(SourceError, match=r"'STSBenchmrk' not found. Did you mean: 'STSBenchmark'"):
        load(options(name="STSBenchmrk"), Path("nowhere"))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mteb one line says what to install."""
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(SourceError, match=r"pip install 'embedder\[mteb\]'"):
        load(options(), Path("nowhere"))


@pytest.mark.parametrize(
    ("name", "kind", "subset"),
    [
        ("NFCorpus", "Retrieval", "default"),
        ("AskUbuntuDupQuestions", "Reranking", "default"),
        ("STS12", "STS", "default"),
        ("Banking77Classification", "Classification", "default"),
        ("MultiEURLEXMultilabelClassification", "MultilabelClassification", "en"),
        ("ArXivHierarchicalClusteringS2S", "Clustering", "default"),
        ("TwentyNewsgroupsClustering", "Clustering", "default"),
    ],
)
def test_real_tasks_have_what_is_read(name: str, kind: str, subset: str) -> None:
    """A real task of each type opens without its data: its revision is 40 hex, and it has the names that are used."""
    source = load(options(name=name, subset=subset), Path("nowhere"))
    revision = source.facts["revision"]
    assert (source.facts["task_type"], kind in _FORMS) == (kind, True)
    assert isinstance(revision, str)
    assert options(name=name, revision=revision).revision == revision
    one = mteb.get_task(name)
    wanted = {"STS": ["column_names", "min_score", "max_score"], "Retrieval": ["convert_v1_dataset_format_to_v2"]}
    for attribute in wanted.get(kind, [] if kind == "Reranking" else ["input_column_name", "label_column_name"]):
        assert getattr(one, attribute) is not None


def test_no_split_and_no_branch() -> None:
    """Options name at least one split, and no branch."""
    wrong: list[dict[str, Any]] = [{"splits": {}}, {"revision": "main"}, {"name": ""}]
    for changes in wrong:
        with pytest.raises(ValidationError):
            options(**changes)
