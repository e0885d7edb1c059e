"""What code computes, as a hash: kept results are known by it, so that code that gives other numbers finds none."""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def code_hash(*patterns: str, package: Path = PACKAGE) -> str:
    """Hash of some modules of the package; comments, docstrings and layout do not count.

    Args:
        patterns: which, as glob patterns from the package's folder, such as ``xrd/*.py``.
        package: the folder.

    Returns:
        16 hexadecimal digits.

    Raises:
        FileNotFoundError: a pattern fits no module, so that what it stood for would no longer count.
    """
    digest = hashlib.sha256()
    for path in sorted({file for pattern in patterns for file in _fitting(pattern, package)}):
        digest.update(f"{path.relative_to(package).as_posix()}\n{computed_by(path)}\n".encode())
    return digest.hexdigest()[:16]


def _fitting(pattern: str, package: Path) -> list[Path]:
    found = list(package.glob(pattern))
    if not found:
        msg = f"no module of {package.name} fits {pattern!r}: was it moved?"
        raise FileNotFoundError(msg)
    return found


def computed_by(module: Path) -> str:
    """A module's syntax tree as text, without docstrings; the same under each version of Python.

    From 3.12 on definitions have a list of type parameters, 3.12 ends the format of a value with an empty text, and
    from 3.13 on lists that are empty are not written.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = _without_docstrings(ast.parse(module.read_text(encoding="utf-8")))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            node.values = [each for each in node.values if not (isinstance(each, ast.Constant) and not each.value)]
    options = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **options).replace(", type_params=[]", "")


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
