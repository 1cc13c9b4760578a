"""Facts about which definitions a package has, and what is refused."""

import re
from collections import Counter
from pathlib import Path

import pytest

from embedder.loaders.python_env.packages import Package
from embedder.loaders.python_env.parse import Definition, Parsed, parse_package, refused_file
from tests.loaders.made_up import function, install

CLASS = '''
class Shape:
    """A shape with an area."""

    def __init__(self, width, *, height=1):
        """Make a shape of this size."""

    def area(self, unit):
        """Return the area in a unit."""
        def inner(x):
            """Never to be seen at all."""
        return self.area(unit)

    def _hidden(self):
        """Return nothing that is public."""


class _Private:
    """A class that is not public."""

    def seen(self):
        """Return what is within a private class."""
'''


def read(tmp_path: Path, files: dict[str, str]) -> Parsed:
    """Parse a made-up package of these files."""
    install(tmp_path, "tiny", files)
    return parse_package(Package("tiny", "tiny", "1.0", tmp_path / "tiny"))


def only(tmp_path: Path, source: str) -> Definition:
    """Parse one module with one definition."""
    (definition,) = read(tmp_path, {"a.py": source}).definitions
    return definition


def test_public_documented_definitions_are_found(tmp_path: Path) -> None:
    """Functions, classes and methods are found, also below `if` and `try`; locals of functions are not."""
    guarded = f"try:\n    import x\nexcept ImportError:\n    def spare(a):\n        '''Do it without x.'''\n\n{CLASS}"
    parsed = read(tmp_path, {"sub/_a.py": guarded})
    assert [(d.id, d.kind) for d in parsed.definitions] == [
        ("tiny.sub._a.spare", "function"),
        ("tiny.sub._a.Shape", "class"),
        ("tiny.sub._a.Shape.area", "method"),
    ]


def test_a_definition_says_where_it_stands(tmp_path: Path) -> None:
    """Package, module, subpackage, file and line are relative to the folder that holds the package."""
    shape, area = read(tmp_path, {"sub/deep/__init__.py": CLASS}).definitions
    assert (shape.package, shape.module, shape.subpackage) == ("tiny", "tiny.sub.deep", "sub")
    assert (shape.file, shape.line, shape.name, area.owner) == ("tiny/sub/deep/__init__.py", 2, "Shape", "Shape")
    assert (shape.parameters, area.parameters) == (["width", "height"], ["unit"])


def test_every_refusal_is_counted(tmp_path: Path) -> None:
    """Each guard names what it drops, and documented definitions are kept or refused, never lost."""
    good = "Do something that has a summary."
    parsed = read(
        tmp_path,
        {
            "a.py": CLASS
            + function("template", f"{good}\n\n%(notes)s")
            + function("short", "Done.")
            + function("long", "word " * 61)
            + function("twice", good)
            + function("twice", good)
            + "def bare(): return 1\n",
            "tests/test_a.py": function("test_it", good),
            "externals/b.py": function("copied", good),
            "__main__.py": function("main", good),
            "broken.py": "def f(:",
        },
    )
    assert Counter(r.reason for r in parsed.rejects) == {
        "dunder": 1, "private name": 3, "unexpanded template": 1, "summary too short": 1, "summary too long": 1,
        "defined twice": 1, "test": 1, "vendored": 1, "dunder module": 1, "not parseable": 1,
    }  # fmt: skip
    assert len(parsed.definitions) == 3
    assert parsed.undocumented == 1
    refused = {r.id: (r.kind, r.file) for r in parsed.rejects}
    assert refused["tiny.a.short"] == ("definition", "tiny/a.py")
    assert refused["tiny/externals/b.py"] == ("file", "tiny/externals/b.py")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("scipy/stats/_stats_py.py", None),
        ("numpy/testing/_private/utils.py", None),
        ("sklearn/utils/_array_api.py", None),
        ("numpy/lib/tests/data.py", "test"),
        ("networkx/conftest.py", "test"),
        ("sklearn/externals/_arff.py", "vendored"),
        ("x/_vendor/y.py", "vendored"),
        ("scipy/_lib/array_api_compat/common/_linalg.py", "vendored"),
        ("numpy/distutils/core.py", "vendored"),
        ("scipy/_lib/cobyqa/main.py", "vendored"),
        ("numpy/__config__.py", "dunder module"),
        ("numpy/__init__.py", None),
    ],
)
def test_files_are_refused_by_their_path(file: str, reason: str | None) -> None:
    """Tests, vendored code and modules written at build time are no part of the corpus."""
    assert refused_file(file) == reason


def test_code_has_neither_docstring_nor_own_name(tmp_path: Path) -> None:
    """The name is masked in the head, recursive calls, strings and comments; longer names that hold it stay."""
    body = 'if y:  # fact of y\n    return fact(x - 1) * x\nraise ValueError("fact", fact_table)'
    definition = only(tmp_path, "@decorate(fact)\n" + function("fact", "Compute a factorial number.", body))
    assert re.search(r"\bfact\b", definition.code) is None
    assert definition.code.startswith("def MASKED(x, y):\n    if y:  # MASKED of y\n        return MASKED(x - 1) * x")
    assert "fact_table" in definition.code
    assert "factorial" not in definition.code
    assert definition.statements == 3


def test_code_of_a_method_is_dedented(tmp_path: Path) -> None:
    """A method's code starts at the margin, and a class has no code."""
    shape, area = read(tmp_path, {"a.py": CLASS}).definitions
    assert shape.code == ""
    assert area.code.splitlines()[0] == "def MASKED(self, unit):"
    assert area.code.splitlines()[-1] == "    return self.MASKED(unit)"


def test_statements_count_every_block(tmp_path: Path) -> None:
    """Branches, handlers, cases and nested functions count; the docstring does not."""
    body = """
        for i in x:
            if i:
                break
            else:
                pass
        try:
            y()
        except ValueError:
            y = 1
        finally:
            y = 2
        match y:
            case 1:
                return 1
    """
    assert only(tmp_path, function("count", "Count its own statements.", body)).statements == 10


def test_code_is_never_run(tmp_path: Path) -> None:
    """A module that would fail on import is parsed all the same."""
    source = "raise SystemExit\n\n" + function("after", "Come after the end of all.")
    assert only(tmp_path, source).id == "tiny.a.after"
