"""What the classes of other packages compute, as a hash: a researcher edits them between two runs of a sweep."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from deepxrd.io.code_hash import computed_by

_NOT_EDITED = frozenset({"deepxrd", "torch", "pytorch_lightning", "lightning", "lightning_fabric", "torchmetrics"})
"""Packages whose classes are not hashed here: our own has its own hash, the others are nobody's experiment."""


def own_names(names: Iterable[str]) -> list[str]:
    """The full names of those classes that are not of deepxrd, torch or Lightning, sorted."""
    return sorted({name for name in names if name.partition(".")[0] not in _NOT_EDITED})


def own_code_hash(names: Collection[str]) -> str | None:
    """Hash of the modules of some classes, and of the modules beside them that those import, in their turn too.

    Comments, docstrings and layout do not count. What a module imports by a name made at run time is not seen.

    Args:
        names: full names of classes; those of deepxrd, torch and Lightning are passed over.

    Returns:
        16 hexadecimal digits; None where no class is left.

    Raises:
        FileNotFoundError: the source of a class is not in a file; the message names the class.
    """
    own = own_names(names)
    if not own:
        return None
    files: dict[str, Path] = {}
    for name in own:
        files |= _modules_of(name)
    digest = hashlib.sha256()
    for module, file in sorted(files.items()):
        digest.update(f"{module}\n{computed_by(file)}\n".encode())
    return digest.hexdigest()[:16]


def _modules_of(name: str) -> dict[str, Path]:
    """The files of a class's module and of what it imports from beside it, by the module's name."""
    first = name.rpartition(".")[0]
    root = _root_of(first, name)
    # an installed package lies beside all others, of which only itself is meant
    only = first.partition(".")[0] if _is_installed(root) else None
    found: dict[str, Path] = {}
    waiting = [first]
    while waiting:
        module = waiting.pop()
        file = _file_of(root, module)
        if module in found or file is None or (only and module.partition(".")[0] != only):
            continue
        found[module] = file
        waiting += [module.rpartition(".")[0]] if "." in module else []
        waiting += _imported(file, module)
    return found


def _root_of(module: str, name: str) -> Path:
    """The folder of the search path in which a module was found."""
    try:
        spec = importlib.util.find_spec(module) if module else None
    except (ImportError, ValueError, AttributeError) as error:
        msg = f"the source of {name} cannot be found: {error}"
        raise FileNotFoundError(msg) from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        msg = f"the source of {name} is in no Python file"
        raise FileNotFoundError(msg)
    file = Path(spec.origin).resolve()
    above = module.count(".") + (file.name == "__init__.py")
    return file.parents[above]


def _is_installed(root: Path) -> bool:
    paths = sysconfig.get_paths()
    return root in {Path(paths[key]).resolve() for key in ("purelib", "platlib", "stdlib")}


def _file_of(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)


def _imported(file: Path, module: str) -> Iterator[str]:
    """Full names of what a file imports; ``from a import b`` gives both a and a.b, since b may be a module."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
