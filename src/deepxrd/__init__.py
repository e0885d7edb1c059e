"""DeepXRD: powder X-ray diffraction patterns from formulas.

What a researcher calls from Python is here; each name is imported when it is first asked for, so that
``import deepxrd`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepxrd.api import compose, datasets, encode, fit_and_test, score, simulate
    from deepxrd.chem import Crystal, Encoding, OneHotEncoding
    from deepxrd.errors import DeepXRDError
    from deepxrd.xrd import XrdSettings

__all__ = [
    "Crystal",
    "DeepXRDError",
    "Encoding",
    "OneHotEncoding",
    "XrdSettings",
    "__version__",
    "compose",
    "datasets",
    "encode",
    "fit_and_test",
    "score",
    "simulate",
]
__version__ = "0.1.0"
_WHERE = {
    **dict.fromkeys(("compose", "datasets", "encode", "fit_and_test", "score", "simulate"), "deepxrd.api"),
    **dict.fromkeys(("Crystal", "Encoding", "OneHotEncoding"), "deepxrd.chem"),
    "DeepXRDError": "deepxrd.errors",
    "XrdSettings": "deepxrd.xrd",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        msg = f"module 'deepxrd' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
