"""What code computes, as a hash: kept results are known by it, so that code that gives other numbers finds none."""

from __future__ import annotations

import ast
import functools
import hashlib
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
        tree = ast.parse(path.read_text(encoding="utf-8"))
        digest.update(f"{path.relative_to(package).as_posix()}\n{ast.dump(without_docstrings(tree))}\n".encode())
    return digest.hexdigest()[:16]


def _fitting(pattern: str, package: Path) -> list[Path]:
    found = list(package.glob(pattern))
    if not found:
        msg = f"no module of {package.name} fits {pattern!r}: was it moved?"
        raise FileNotFoundError(msg)
    return found


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same module, changed in place, without its docstrings."""
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
