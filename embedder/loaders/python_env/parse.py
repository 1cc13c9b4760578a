"""Read a package's source files with `ast`: its public, documented functions, classes and methods."""

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from embedder.loaders.python_env import code, docstrings
from embedder.loaders.python_env.packages import Package
from embedder.records import Reject

MIN_SUMMARY_WORDS, MAX_SUMMARY_WORDS = 2, 60
_TEST_FOLDERS = frozenset({"test", "tests"})
_TEST_FILE = re.compile(r"(?:conftest|test_\w*|\w+_test|setup)\.py$")
_VENDORED = re.compile(
    r"(?:^|/)(?:_?externals?|extern|_?vendor(?:ed)?|third_party|array_api_\w+|distutils|cobyqa|pyprima|_uarray|_pep440"
    r"|pandas/util/version)(?:/|\.py$)"
)


@dataclass(frozen=True)
class Definition:
    """A documented function, class or method.

    Attributes:
        id: qualified name, by the module that defines it: `scipy.stats._stats_py.ttest_ind`.
        kind: function, class or method.
        package: the name it is imported by.
        module: the dotted module.
        file: the path from the folder that holds the package.
        line: where the definition starts, from 1.
        parameters: names without self and cls; a class has those of its `__init__`.
        summary: first sentence of the docstring, without markup.
        body: the rest of the docstring without its See Also section.
        see_also: the names in that section, as written.
        code: source of a function or method without docstring, its own name masked; empty for a class.
        statements: how many statements the code has, nested ones included; 0 for a class.
    """

    id: str
    kind: str
    package: str
    module: str
    file: str
    line: int
    parameters: list[str]
    summary: str
    body: str
    see_also: list[str]
    code: str
    statements: int

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.id.rsplit(".", 1)[-1]

    @property
    def owner(self) -> str:
        """The class of a method; nothing for the rest."""
        return self.id.removeprefix(f"{self.module}.").rpartition(".")[0]

    @property
    def subpackage(self) -> str:
        """The first folder below the package, or nothing for the package's own modules."""
        folders = self.file.split("/")[1:-1]
        return folders[0] if folders else ""


@dataclass
class Parsed:
    """What files hold: definitions, what was refused, how many have no docstring; `ids` are those of the definitions."""

    definitions: list[Definition] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    undocumented: int = 0
    ids: set[str] = field(default_factory=set)


def parse_package(package: Package) -> Parsed:
    """Parse every source file of a package; nothing is imported or run."""
    parsed = Parsed()
    files = {path.relative_to(package.root.parent).as_posix(): path for path in package.files()}
    for file, path in sorted(files.items()):
        reason = refused_file(file)
        if reason:
            parsed.rejects.append(Reject("file", file, reason, file, 0))
        else:
            _parse_file(path, file, parsed)
    return parsed


def refused_file(file: str) -> str | None:
    """Why a file is not parsed, by its path from the folder that holds the package."""
    *folders, name = file.split("/")
    if _TEST_FOLDERS.intersection(folders) or _TEST_FILE.match(name):
        return "test"
    if _VENDORED.search(file):
        return "vendored"
    return "dunder module" if name.startswith("__") and name != "__init__.py" else None


def _parse_file(path: Path, file: str, parsed: Parsed) -> None:
    try:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        parsed.rejects.append(Reject("file", file, "not parseable", file, 0))
        return
    lines = source.split("\n")
    for names, node in _nodes(tree.body, ()):
        text = ast.get_docstring(node, clean=False) or ""
        if not text.strip():
            parsed.undocumented += 1
            continue
        found = _read(names, node, text, file, lines)
        if found.id in parsed.ids:
            found = Reject("definition", found.id, "defined twice", file, node.lineno)
        if isinstance(found, Reject):
            parsed.rejects.append(found)
        else:
            parsed.definitions.append(found)
            parsed.ids.add(found.id)


def _nodes(body: list[ast.stmt], outer: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], code.Node]]:
    """Yield every class and function that is no local of a function, with the names that lead to it."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield (*outer, node.name), node
        if isinstance(node, ast.ClassDef):
            yield from _nodes(node.body, (*outer, node.name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            branches = (getattr(node, name, []) for name in ("body", "orelse", "finalbody"))
            handlers = (handler.body for handler in getattr(node, "handlers", []))
            for branch in (*branches, *handlers):
                yield from _nodes(branch, outer)


def _read(names: tuple[str, ...], node: code.Node, text: str, file: str, lines: list[str]) -> Definition | Reject:
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    id_ = ".".join((module, *names))
    said = docstrings.parse(inspect.cleandoc(text), node.name)
    reason = _refused(names, text) or _refused_summary(said.summary)
    if reason:
        return Reject("definition", id_, reason, file, node.lineno)
    is_class = isinstance(node, ast.ClassDef)
    return Definition(
        id=id_,
        kind="class" if is_class else "method" if len(names) > 1 else "function",
        package=module.split(".")[0],
        module=module,
        file=file,
        line=node.lineno,
        parameters=code.parameters(node),
        summary=said.summary,
        body=said.body,
        see_also=said.see_also,
        code="" if is_class else code.masked_source(node, lines),
        statements=0 if is_class else code.statements(node),
    )


def _refused(names: tuple[str, ...], text: str) -> str | None:
    """Why a documented definition is none of the corpus; the first reason is named."""
    if names[-1].startswith("__") and names[-1].endswith("__"):
        return "dunder"
    if any(name.startswith("_") for name in names):
        return "private name"
    return "unexpanded template" if docstrings.is_template(text) else None


def _refused_summary(summary: str) -> str | None:
    """A summary of one word asks nothing; one of very many is no sentence but a list."""
    words = len(summary.split())
    if words < MIN_SUMMARY_WORDS:
        return "summary too short"
    return "summary too long" if words > MAX_SUMMARY_WORDS else None
