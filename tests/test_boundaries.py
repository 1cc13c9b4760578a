"""Who may import whom, what may be loaded when, and how long things may get."""

import ast
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import project

ROOT = Path(__file__).resolve().parents[1]
EMBEDDER = sorted((ROOT / "embedder").rglob("*.py"))
STAGES = sorted((ROOT / "stages").glob("*.py"))
HEAVY = ("torch", "sentence_transformers", "transformers", "pandas", "sklearn", "scipy", "pyarrow", "numpy", "faiss")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _importers(paths: list[Path], package: str) -> set[str]:
    return {_name(path) for path in paths if any(one.partition(".")[0] == package for one in _imports(path))}


def _lengths(paths: list[Path]) -> dict[str, int]:
    """Return the lines of every function's body, from its first statement after the docstring."""
    found = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                found[f"{_name(path)}:{node.lineno} {node.name}"] = lines
    return found


def test_nothing_in_embedder_imports_stages() -> None:
    """The library doesn't know its stages."""
    assert _importers(EMBEDDER, "stages") == set()


def test_no_stage_imports_another() -> None:
    """Stages hand each other files and nothing else."""
    assert _importers(STAGES, "stages") == set()


def test_only_command_lines_import_typer() -> None:
    """Typer is the business of embedder.cli, and of stages.all, which passes exit codes on."""
    assert all(name.startswith("embedder/cli/") for name in _importers(EMBEDDER, "typer"))
    assert _importers(STAGES, "typer") <= {"stages/all.py"}


def test_only_params_load_reads_params() -> None:
    """One module opens params.yaml; others take the checked models, and name the file through layout."""
    opened, named = set(), set()
    for path in [*EMBEDDER, *STAGES]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value == "params.yaml":
                named.add(_name(path))
            if isinstance(node, ast.Call) and re.search(r"PARAMS\.(open|read_\w+)", ast.unparse(node.func)):
                opened.add(_name(path))
    assert (opened, named) == (set(), {"embedder/layout.py"})


@pytest.mark.parametrize(("paths", "most"), [(EMBEDDER, 299), (STAGES, 99)], ids=["embedder", "stages"])
def test_files_are_short(paths: list[Path], most: int) -> None:
    """A module stays below 300 lines, a stage below 100."""
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {name: count for name, count in lines.items() if count > most} == {}


def test_functions_are_short() -> None:
    """No function's body is longer than 60 lines, 95 % have at most 40, half at most 12."""
    lengths = _lengths([*EMBEDDER, *STAGES])
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert statistics.median(lengths.values()) <= 12
    assert sum(lines <= 40 for lines in lengths.values()) >= 0.95 * len(lengths)


def _loaded(script: str, folder: Path) -> set[str]:
    """Return the top-level modules a process has loaded after `script`."""
    script += "\nimport sys\nprint('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(folder / "site")])}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_a_stages_help_loads_nothing_heavy() -> None:
    """Importing every stage, as --help does, loads neither arrays nor tables nor models."""
    script = "".join(f"import stages.{path.stem}\n" for path in STAGES if path.stem != "__init__")
    assert _loaded(script, ROOT) & set(HEAVY) == set()


def test_preparing_data_never_loads_torch(tmp_path: Path) -> None:
    """Ingest, mine with BM25, filter, judge and materialize run through without torch or a model library."""
    folder = project.make_project(tmp_path / "project", project.tiny_params())
    script = """
from stages.ingest import ingest
from stages.mine import mine
from stages.filter import filter_candidates
from stages.judge import judge
from stages.materialize import materialize
for stage in (ingest, mine, filter_candidates, judge):
    for dataset in ("docs", "code"):
        stage(dataset)
materialize()
"""
    loaded = _loaded(script, folder)
    assert loaded & {"torch", "transformers", "sentence_transformers", "peft", "faiss"} == set()
    assert {"pyarrow", "numpy"} <= loaded
    assert sorted(path.name for path in (folder / "data" / "materialize").iterdir()) == [
        "README.md",
        "dropped.parquet",
        "manifest.json",
        "report.json",
        "selection",
        "train",
    ]


def test_no_lock_of_a_run_or_of_uv_is_tracked() -> None:
    """dvc.lock is each user's own, and uv.lock records index addresses: neither is in git."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"dvc.lock", "uv.lock"} & {Path(name).name for name in done.stdout.splitlines()}
