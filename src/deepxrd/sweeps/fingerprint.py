"""What makes two runs the same: settings, data, and the code that computes."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path
from typing import Any

import deepxrd
from deepxrd.io.files import value_hash

_CODE = ("chem/*.py", "data/*.py", "losses.py", "metrics/*.py", "models/paper/*.py", "training/*.py", "xrd/*.py")
_NO_MATTER = ("source", "build", "paths", "logger", "resume", "runs_at_once", "threads")
"""Settings that say where things are and how they are computed; what is learned from is in the data's hash."""
_NO_MATTER_IN_TRAINER = ("enable_progress_bar", "log_every_n_steps")


def fingerprint(cfg: dict[str, Any], data_hash: str) -> dict[str, str]:
    """Hashes of the settings that matter, of the data, and of the code; equal ones give equal numbers.

    Args:
        cfg: a composed and resolved configuration, plain values.
        data_hash: of the store.
    """
    settings = {key: value for key, value in cfg.items() if key not in _NO_MATTER}
    settings["trainer"] = {key: value for key, value in cfg["trainer"].items() if key not in _NO_MATTER_IN_TRAINER}
    return {"config": value_hash(settings)[:16], "data": data_hash, "code": code_hash()}


@functools.cache
def code_hash() -> str:
    """Hash of the modules that a run's numbers come from; comments, docstrings and layout do not count."""
    package = Path(deepxrd.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(file for pattern in _CODE for file in package.glob(pattern)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        digest.update(f"{path.relative_to(package)}\n{ast.dump(_without_docstrings(tree))}\n".encode())
    return digest.hexdigest()[:16]


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
