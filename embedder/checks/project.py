"""Whether a project and the embedder that is installed go together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedder import layout
from embedder.checks.check import Check, some
from embedder.checks.tracking import read_stages
from embedder.errors import ParamsError
from embedder.starter.project import template


def project(version: str | None, installed: str, path: Path) -> Check:
    """Whether params.yaml names the installed version, and dvc.yaml has the stages as that version makes them.

    Args:
        version: of params.yaml; null in the repository of embedder itself, whose stages depend on their code.
        installed: the version that is installed.
        path: the project's dvc.yaml.
    """
    if version is None:
        return Check("project", "ok", f"embedder's own repository, {installed}")
    if version != installed:
        advice = f"set version in {layout.PARAMS} to {installed}; what that makes otherwise then runs again"
        return Check("project", "error", f"made with embedder {version}, but {installed} is installed", advice)
    starter = template(layout.PIPELINE.name)
    try:
        other = different(read_stages(path), read_stages(starter))
    except ParamsError as error:
        return Check("project", "error", str(error), "run this in the project's folder")
    if other:
        found = f"{path} has other stages than embedder {installed} writes: {some(other)}"
        return Check("project", "warning", found, f"where that is not on purpose: diff {starter} {path}")
    return Check("project", "ok", f"made with embedder {version}, which is installed")


def different(stages: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name the stages that are missing or not as wanted; a project's own stages beside them are its own matter."""
    return [name for name, definition in wanted.items() if stages.get(name) != definition]
