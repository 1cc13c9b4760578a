"""Whether dvc.yaml tracks what params.yaml says: a key that no stage tracks can change without anything running."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from embedder.checks.check import Check, some
from embedder.errors import ParamsError

_TEMPLATE = re.compile(r"\$\{([^}]*)\}")
_HOW_IT_RUNS = "runtime"
# Null in the repository of embedder itself, whose stages depend on their code instead.
_VERSION = "version"


def tracked(params: Mapping[str, Any], path: Path) -> Check:
    """Whether the dvc.yaml at `path` tracks every key of params that changes a result, and no other."""
    try:
        found = list(problems(params, read_stages(path)))
    except ParamsError as error:
        return Check("tracked keys", "error", str(error), "run this in the project's folder")
    if found:
        return Check("tracked keys", "error", some(found, "; "), f"correct the params of the stages in {path}")
    return Check("tracked keys", "ok", f"every key of params.yaml is tracked by a stage of {path}")


def read_stages(path: Path) -> Mapping[str, Any]:
    """Read the stages of a dvc.yaml.

    Raises:
        ParamsError: it is missing, or no YAML with stages.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run this in the folder that holds it") from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ParamsError(f"{path}: not readable YAML ({error})") from error
    stages = content.get("stages") if isinstance(content, Mapping) else None
    if not isinstance(stages, Mapping):
        raise ParamsError(f"{path}: has no stages")
    return stages


def problems(params: Mapping[str, Any], stages: Mapping[str, Any]) -> Iterator[str]:
    """Say which keys of params no stage tracks, which tracked keys there are not, and who tracks `runtime`.

    Args:
        params: the content of params.yaml.
        stages: the stages of dvc.yaml. A template covers all it could name: `teachers.${teacher}` every teacher.
    """
    tracked_keys = [key for definition in stages.values() for key in _tracked(definition)]
    patterns = [_TEMPLATE.sub("*", key).split(".") for key in tracked_keys]
    untracked = [leaf for leaf in _leaves(params) if not any(_covers(pattern, leaf) for pattern in patterns)]
    needless = {_HOW_IT_RUNS} if params.get(_VERSION) else {_HOW_IT_RUNS, _VERSION}
    forgotten = [".".join(leaf) for leaf in untracked if leaf[0] not in needless]
    if forgotten:
        yield f"no stage tracks {some(forgotten)}: changing that runs nothing"
    for stage, definition in stages.items():
        missing = [key for key in dict.fromkeys(_expanded(definition, params)) if not _exists(params, key)]
        if missing:
            yield f"stage {stage} tracks {some(missing)}, which params.yaml does not have"
        if any(key.split(".")[0] == _HOW_IT_RUNS for key in _tracked(definition)):
            yield f"stage {stage} tracks {_HOW_IT_RUNS}, which says how to run and must not say whether"


def _tracked(definition: Mapping[str, Any]) -> Iterator[str]:
    """The keys a stage lists, templates as written; keys of other files than params.yaml are not asked."""
    for key in definition.get("do", definition).get("params", ()):
        if isinstance(key, str):
            yield key


def _expanded(definition: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    for context in _contexts(definition, params):
        yield from (_expand(key, context) for key in _tracked(definition))


def _expand(key: str, context: Mapping[str, Any]) -> str:
    return _TEMPLATE.sub(lambda template: str(_lookup(context, template[1])), key)


def _contexts(definition: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What templates can name: params, and in each round of a foreach `item` and, of a mapping, `key`."""
    over = definition.get("foreach")
    if isinstance(over, str):
        over = _lookup(params, over.removeprefix("${").removesuffix("}"))
    if isinstance(over, Mapping):
        yield from ({**params, "key": key, "item": item} for key, item in over.items())
    elif isinstance(over, list):
        yield from ({**params, "item": item} for item in over)
    else:
        yield params


def _lookup(content: object, key: str) -> object:
    for part in key.strip().split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _exists(content: object, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True


def _leaves(content: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path


def _covers(pattern: list[str], leaf: tuple[str, ...]) -> bool:
    return len(pattern) <= len(leaf) and all(map(fnmatchcase, leaf, pattern))
