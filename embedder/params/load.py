"""The only reader of params.yaml: YAML 1.2 as DVC reads it, checked as a whole before anything runs."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.tokens import AliasToken, AnchorToken

from embedder import layout
from embedder.errors import ParamsError, unknown
from embedder.filters import ON_SCORES
from embedder.params.base import describe
from embedder.params.models import Dataset, Filter, Params, Student

_LEXICAL = ("bm25", "bm25-reference")


def load(path: Path = layout.PARAMS) -> Params:
    """Read and check all of `path`.

    Raises:
        ParamsError: the file is missing, no YAML 1.2, holds an anchor, or its sections are wrong or disagree; the
            message names the key, and the close one where a name is unknown.
    """
    return parse(read(path), path)


def read(path: Path = layout.PARAMS) -> str:
    """Read the text of `path`, line ends as they are.

    Raises:
        ParamsError: the file is missing, or not UTF-8.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read ({error}); run this in the folder that holds it") from error


def parse(text: str, path: Path = layout.PARAMS) -> Params:
    """Check the text of params.yaml as `load` does; `path` is what messages call it."""
    content = _content(text, path)
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{path}: {describe(error)}") from error
    for problem in _disagreements(params):
        raise ParamsError(f"{path}: {problem}")
    return params


def dataset_of(params: Params, name: str) -> Dataset:
    """The entry of a dataset; the message of an unknown name suggests the close one."""
    if name not in params.datasets:
        raise ParamsError(unknown("dataset", name, params.datasets))
    return params.datasets[name]


def student_of(params: Params) -> Student:
    """The entry of the student that is tuned."""
    return params.students[params.student]


def installed_version() -> str:
    """The version of embedder that is installed.

    Raises:
        ParamsError: it runs from a folder and is not installed.
    """
    try:
        return version("embedder")
    except PackageNotFoundError as error:
        raise ParamsError("embedder is not installed here; pip install it into this environment") from error


def _content(text: str, path: Path) -> Mapping[str, Any]:
    yaml = YAML(typ="safe", pure=True)
    try:
        for token in yaml.scan(text):
            if isinstance(token, AnchorToken | AliasToken):
                # `dvc exp run -S` on a file with anchors reports success and changes nothing (DVC 3.67).
                raise ParamsError(f"{path}:{token.start_mark.line + 1}: anchors and aliases are not allowed; repeat it")
        content = yaml.load(text)
    except YAMLError as error:
        raise ParamsError(f"{path}{_line(error)}: not YAML 1.2: {_problem(error)}") from error
    if not isinstance(content, Mapping):
        raise ParamsError(f"{path}: holds no sections; see README for what goes in")
    return cast("Mapping[str, Any]", content)


def _line(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: YAMLError) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _disagreements(params: Params) -> Iterator[str]:
    if params.version is not None and params.version != (installed := installed_version()):
        yield (
            f"version: made with embedder {params.version}, but {installed} is installed; set it to {installed} (what "
            f"that makes otherwise then runs again), or install {params.version}"
        )
    if params.teacher not in params.teachers:
        yield f"teacher: {unknown('teacher', params.teacher, params.teachers)}"
    if params.judge not in params.judges:
        yield f"judge: {unknown('judge', params.judge, params.judges)}"
    if params.evaluate.lexical not in params.teachers:
        yield f"evaluate.lexical: {unknown('teacher', params.evaluate.lexical, params.teachers)}"
    elif getattr(params.teachers[params.evaluate.lexical], "kind", "") not in _LEXICAL:
        yield f"evaluate.lexical: '{params.evaluate.lexical}' is no BM25; name a teacher of kind {' or '.join(_LEXICAL)}"
    if params.student not in params.students:
        yield f"student: {unknown('student', params.student, params.students)}"
        return
    wanted = student_of(params).recipe.num_negatives
    if wanted > params.materialize.num_negatives:
        yield f"students.{params.student}.recipe.num_negatives: draws {wanted} of {params.materialize.num_negatives} stored"
    if not any(entry.weight for entry in params.datasets.values()):
        yield "datasets: every weight is 0, so nothing would be trained; give one dataset a weight"
    for name in params.datasets:
        yield from _window(params, name)
    yield from _shared_sources(params)
    yield from _given(params)
    yield from _depth_of_teacher(params)


def _given(params: Params) -> Iterator[str]:
    """What a source brings is there for datasets of the loader `given` alone."""
    teacher = params.teachers.get(params.teacher)
    others = [name for name, entry in params.datasets.items() if getattr(entry.source, "loader", "") != "given"]
    if teacher is not None and getattr(teacher, "kind", "") == "given" and others:
        yield (
            f"teacher: '{params.teacher}' takes what a source brings, and datasets.{others[0]} is not read with the "
            "loader given; set another teacher"
        )


def _depth_of_teacher(params: Params) -> Iterator[str]:
    """A rescorer retrieves no more than it scores."""
    active = params.teachers.get(params.teacher)
    members = {f"member '{one.name}'.teacher.top": one.teacher for one in getattr(active, "members", ())}
    for key, teacher in {"top": active, **members}.items():
        top = getattr(teacher, "top", None)
        if top is not None and top < params.mine.depth:
            yield f"teachers.{params.teacher}.{key}: {top} is less than mine.depth {params.mine.depth}; raise it"


def _scores(params: Params, name: str, rules: Filter) -> Iterator[str]:
    """What a fusion gives is a place, not a similarity, so no bound on scores means anything."""
    if getattr(params.teachers.get(params.teacher), "kind", "") != "fusion":
        return
    for rule in ON_SCORES:
        if getattr(rules, rule) is not None:
            yield (
                f"datasets.{name}: filter.{rule} bounds scores, and the fusion '{params.teacher}' has places only; set "
                "it to null, or set another teacher"
            )


def _window(params: Params, name: str) -> Iterator[str]:
    section = "ingest"
    try:
        params.ingest_of(name)
        section = "filter"
        rules = params.filter_of(name)
    except ValidationError as error:
        yield f"datasets.{name}.{section}: {describe(error)}"
        return
    if params.datasets[name].labelled:
        return
    yield from _scores(params, name, rules)
    if rules.near_copy_cosine is not None and not params.mine.cosines:
        yield f"datasets.{name}: filter.near_copy_cosine needs cosines; set mine.cosines to true"
    last = rules.max_rank or params.mine.depth
    if last > params.mine.depth:
        yield f"datasets.{name}: filter.max_rank {last} lies beyond mine.depth {params.mine.depth}; raise mine.depth"
    if last - (rules.min_rank or 1) + 1 < params.materialize.min_negatives:
        yield (
            f"datasets.{name}: the window {rules.min_rank or 1}-{last} holds fewer ranks than "
            f"materialize.min_negatives {params.materialize.min_negatives}; widen it"
        )


def _shared_sources(params: Params) -> Iterator[str]:
    """Sources that are one corpus must agree on what fixes its split, or one task's dev set trains in another."""
    seen: dict[str, tuple[str, object]] = {}
    for name, entry in params.datasets.items():
        split_key = getattr(entry.source, "split_key", None)
        if split_key is None:
            continue
        first, key = seen.setdefault(getattr(entry.source, "loader", ""), (name, split_key))
        if key != split_key:
            yield f"datasets.{name}.source: packages, versions and dev_share must be those of datasets.{first}"


__all__ = [
    "Dataset",
    "Filter",
    "Params",
    "Student",
    "dataset_of",
    "installed_version",
    "load",
    "parse",
    "read",
    "student_of",
]
