"""What a stage's code depends on: the modules it imports, wherever in the file, and what those import."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# They check, print and report; a change of theirs changes no byte of an output.
_NEUTRAL = ("embedder/params", "embedder/errors.py", "embedder/report", "embedder/cli", "embedder/progress.py")
# Their modules are imported by name, which an import scan does not see.
_REGISTRIES = ("embedder/loaders", "embedder/teachers", "embedder/students", "embedder/judges")


def code_deps(stage: str) -> set[str]:
    """Return the code `stages/STAGE.py` needs, as dvc.yaml lists it: modules as files, packages as folders."""
    neutral = tuple(path for path in _NEUTRAL if path != f"embedder/{stage}")
    start = f"stages/{stage}.py"
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith(neutral) or path == "embedder/__init__.py":
            continue
        seen.add(path)
        waiting += _imports(ROOT / path)
        registry = next((r for r in _REGISTRIES if path.startswith(r)), None)
        if registry:
            waiting += [str(found.relative_to(ROOT)) for found in (ROOT / registry).rglob("*.py")]
    return {_listed(path) for path in seen}


def _listed(path: str) -> str:
    parts = Path(path).parts
    return "/".join(parts[:2]) if len(parts) > 2 else path


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found += [module for name in names if name.startswith("embedder") and (module := _file(name))]
    return found


def _file(name: str) -> str | None:
    path = ROOT.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate.relative_to(ROOT).as_posix()
    return None
