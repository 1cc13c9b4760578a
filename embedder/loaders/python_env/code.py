"""The source of a function as a passage: no docstring, and its own name nowhere in it."""

import ast
import re

MASK = "MASKED"
Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def masked_source(node: Node, lines: list[str]) -> str:
    """Return the source segment without decorators and docstring, dedented, its own name replaced by `MASK`.

    The segment and not `ast.unparse`, whose result changes with Python's version; the name is replaced wherever it
    stands as a word: in the head, recursive calls, strings and comments.

    Args:
        node: a function whose first statement is its docstring.
        lines: the lines of its file.
    """
    docstring = node.body[0]
    kept = [*lines[node.lineno - 1 : docstring.lineno - 1], *lines[docstring.end_lineno : node.end_lineno]]
    margin = re.compile(rf" {{0,{node.col_offset}}}")
    source = "\n".join(margin.sub("", line, count=1).rstrip() for line in kept)
    return re.sub(rf"\b{re.escape(node.name)}\b", MASK, source).strip()


def statements(node: Node) -> int:
    """Count the statements below `node`, nested ones included, its docstring not."""
    return _count(node) - 2


def _count(node: ast.AST) -> int:
    """Count `node` and what its blocks hold; expressions hold no statements, so they are not walked."""
    blocks = (getattr(node, block, ()) for block in ("body", "orelse", "finalbody", "handlers", "cases"))
    return isinstance(node, ast.stmt) + sum(_count(child) for block in blocks for child in block)


def parameters(node: Node) -> list[str]:
    """Names of the parameters without self and cls; those of `__init__` where `node` is a class."""
    if isinstance(node, ast.ClassDef):
        makers = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return parameters(makers[0]) if makers else []
    named = node.args
    every = [*named.posonlyargs, *named.args, named.vararg, *named.kwonlyargs, named.kwarg]
    return [a.arg for a in every if a is not None and a.arg not in {"self", "cls"}]
