"""Tasks of MTEB (Muennighoff et al. 2022, arXiv 2210.07316), by name, with the optional extra `mteb`.

A benchmark's test split is for evaluation: read it as `{test: dev}`, of which nothing is mined and trained on. Give the
dataset weight 0 as well, and take what you train on from elsewhere.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from embedder.errors import SourceError, unknown
from embedder.loaders import Source, arrow
from embedder.loaders.cells import Found
from embedder.loaders.columns import Columns, number, records, text_of
from embedder.loaders.hub import Commit
from embedder.params.base import Model
from embedder.records import Qrel, Record, Reject

Split = Literal["train", "dev"]
# Libraries without types: tasks and their data.
Task = Any
Data = Any


class Options(Model):
    """Which task is read.

    Attributes:
        name: of the task.
        revision: the commit of its data, checked against the one that mteb pins; null: the pinned one, whichever it is.
        subset: the language subset; null: the task's only one.
        splits: the task's splits -> train or dev; others are not read.
        dev_share: makes the splits anew, that share of the groups dev; null: as `splits` says.
    """

    loader: Literal["mteb"]
    name: Annotated[str, Field(min_length=1)]
    revision: Commit | None = None
    subset: str | None = None
    splits: Annotated[dict[str, Split], Field(min_length=1)]
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = None


def load(options: Model, path: Path) -> Source:  # noqa: ARG001 - a task is found by its name
    """Open a task; what the cache lacks is downloaded while reading.

    Raises:
        SourceError: the extra is not installed, or there is no such task, revision, subset or split, or no form for
            its type; while reading, the data cannot be had.
    """
    chosen = cast("Options", options)
    mteb = _library()
    task = _task(mteb, chosen)
    subset = _subset(task, chosen.subset)
    _check(task, chosen)
    kind, revision = task.metadata.type, task.metadata.dataset.get("revision")
    facts: dict[str, object] = {"mteb": mteb.__version__, "task_type": kind, "revision": revision}
    one_label = kind in {"Classification", "Clustering"}
    return Source(_records(task, subset, chosen, facts), facts, one_label=one_label, dev_share=chosen.dev_share)


def _library() -> Any:  # noqa: ANN401 - optional, so without types here
    try:
        return importlib.import_module("mteb")
    except ImportError as error:
        raise SourceError(f"loader mteb: {error}; pip install 'embedder[mteb]'") from error


def _task(mteb: Any, options: Options) -> Task:  # noqa: ANN401 - optional, so without types here
    try:
        return mteb.get_task(options.name)
    except KeyError as error:
        raise SourceError(f"mteb {mteb.__version__}: {str(error.args[0]).removeprefix('KeyError: ')}") from error


def _subset(task: Task, name: str | None) -> str:
    subsets = list(task.metadata.hf_subsets)
    if name is None and len(subsets) == 1:
        return str(subsets[0])
    if name is None:
        raise SourceError(f"mteb task {task.metadata.name}: name its subset, one of: {', '.join(sorted(subsets)[:30])}")
    if name not in subsets:
        raise SourceError(f"mteb task {task.metadata.name}: {unknown('subset', name, subsets)}")
    return name


def _check(task: Task, options: Options) -> None:
    """Refuse what has no form here, and what mteb would silently replace by something else."""
    metadata, said = task.metadata, f"mteb task {options.name}"
    if task.is_aggregate or metadata.type not in _FORMS or list(metadata.modalities) != ["text"]:
        what = "a group of tasks" if task.is_aggregate else f"{metadata.type} of {', '.join(metadata.modalities)}"
        raise SourceError(f"{said}: is {what}; there are forms for tasks on text of type: {', '.join(sorted(_FORMS))}")
    pinned = metadata.dataset.get("revision")
    if options.revision not in {None, pinned}:
        raise SourceError(f"{said}: this version of mteb pins revision {pinned}; give that one or null")
    # Asked for a split that is not there, mteb's retrieval takes the only one that is, test for train.
    missing = sorted(set(options.splits) - set(metadata.eval_splits))
    if metadata.type in _RETRIEVAL and missing:
        choices = ", ".join(metadata.eval_splits)
        raise SourceError(f"{said}: evaluates {choices}, not {missing[0]}; read other splits with the loader hub")


def _records(task: Task, subset: str, options: Options, facts: dict[str, object]) -> Iterator[Record]:
    found = _loaded(task, subset, options)
    for name, split in options.splits.items():
        if name not in found:
            raise SourceError(f"mteb task {options.name}: {unknown('split', name, found)}")
        yield from _FORMS[task.metadata.type](task, found[name], name, split, facts)


def _loaded(task: Task, subset: str, options: Options) -> Mapping[str, Data]:
    task.filter_languages(None, hf_subsets=[subset])
    task.filter_eval_splits(list(options.splits))
    try:
        task.load_data()
        if task.metadata.type in _RETRIEVAL:
            task.convert_v1_dataset_format_to_v2(None)
    except Exception as error:
        # Tasks bring code of their own, over all that `datasets` lets through.
        raise SourceError(
            f"mteb task {options.name}: {arrow.reason(error)}; connect once to fill the cache, or correct the entry"
        ) from error
    found: Mapping[str, Data] = task.dataset
    return found if subset not in found and subset == "default" else found[subset]


def _retrieval(task: Task, data: Data, name: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    corpus, queries, judged = {"rows": 0}, {"rows": 0}, {"rows": 0}
    facts.update({f"{name}/corpus": corpus, f"{name}/queries": queries, f"{name}/qrels": judged})
    yield from arrow.passages(data["corpus"], f"{name}/corpus", corpus)
    yield from arrow.queries(data["queries"], split, f"{name}/queries", queries)
    candidates = (data.get("top_ranked") or {}) if task.metadata.type == "Reranking" else {}
    # mteb groups judgements in no certain order.
    for query_id, grades in sorted(data["relevant_docs"].items()):
        # As mteb scores it: a candidate that nobody judged is not relevant.
        of_query = {**dict.fromkeys(candidates.get(query_id, ()), 0), **grades}
        for passage_id, grade in sorted(of_query.items()):
            judged["rows"] += 1
            yield _qrel(text_of(query_id), text_of(passage_id), grade, split, (f"{name}/qrels", judged["rows"]))


def _qrel(query_id: str, passage_id: str, grade: object, split: Split, at: tuple[str, int]) -> Qrel | Reject:
    relevance = number(grade)
    if relevance is None:
        return Reject("qrel", f"{query_id}\t{passage_id}", "relevance_not_a_number", *at)
    return Qrel(query_id, passage_id, relevance, *at, split)


def _sts(task: Task, data: Data, name: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    first, second = task.column_names
    columns = Columns(query=first, passage=second, relevance="score")
    facts["grades"] = [task.min_score, task.max_score]
    return _rows(arrow.rows(data, columns.names, name), columns, name, split, facts)


def _classification(task: Task, data: Data, name: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    # By convention `label_text` is the readable name of a numbered label.
    label = "label_text" if "label_text" in data.column_names else task.label_column_name
    columns = Columns(query=task.input_column_name, label=label)
    return _rows(arrow.rows(data, columns.names, name), columns, name, split, facts)


def _multilabel(task: Task, data: Data, name: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    columns = Columns(query=task.input_column_name, labels=task.label_column_name)
    return _rows(arrow.rows(data, columns.names, name), columns, name, split, facts)


def _clustering(task: Task, data: Data, name: str, split: Split, facts: dict[str, object]) -> Iterator[Record]:
    columns = Columns(query=task.input_column_name, label=task.label_column_name)
    return _rows(_members(data, columns, name), columns, name, split, facts)


def _members(data: Data, columns: Columns, name: str) -> Iterator[Found]:
    """Yield one row a text, whether a row of the dataset is a text with its label or a set of texts with theirs.

    Of the labels of a hierarchy the first, the coarsest, counts.
    """
    from datasets import LargeList, List

    text, label = columns.names
    sets = isinstance(data.features.get(text), List | LargeList)
    for row_number, row in arrow.rows(data, columns.names, name, 1 if sets else arrow.BATCH):
        texts, labels = (row[text] or [], row[label] or []) if sets else ([row[text]], [row[label]])
        if len(texts) != len(labels):
            yield row_number, Reject("row", "", "labels_and_texts_differ_in_number", name, row_number)
            continue
        for one, of in zip(texts, labels, strict=True):
            yield row_number, {text: one, label: next(iter(of), None) if isinstance(of, list) else of}


def _rows(
    rows: Iterator[Found], columns: Columns, name: str, split: Split, facts: dict[str, object]
) -> Iterator[Record]:
    counts = {"rows": 0}
    facts[name] = counts
    return records(rows, columns, split, {}, name, counts)


_RETRIEVAL = frozenset({"Retrieval", "Reranking"})
_FORMS: dict[str, Callable[[Task, Data, str, Split, dict[str, object]], Iterator[Record]]] = {
    "Retrieval": _retrieval,
    "Reranking": _retrieval,
    "STS": _sts,
    "Classification": _classification,
    "MultilabelClassification": _multilabel,
    "Clustering": _clustering,
}
