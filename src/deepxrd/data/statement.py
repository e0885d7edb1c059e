"""What a data set is, as a run notes it, so that numbers measured elsewhere stand beside the same data only."""

from __future__ import annotations

import re
from typing import Any

from deepxrd.chem import OneHotEncoding
from deepxrd.data.split import Split
from deepxrd.data.store import SAMPLES, PatternStore

MATERIALS_PROJECT = "Materials Project"
_MP_ID = re.compile(r"(mp|mvc)-[a-z0-9]+")


def statement(store: PatternStore, split: Split) -> dict[str, Any]:
    """Plain values that say what the data are, whatever they are called.

    Args:
        store: the data.
        split: of the parts.

    Returns:
        ``database`` (by the samples' ids; None for any but the Materials Project), ``selection``, ``paper_encoding``
        (whether they are all that fit into the paper's one-hot), ``xrd``, ``split``, ``n_samples``, and ``samples``:
        the hash of their structures.
    """
    inputs = store.manifest["inputs"]
    from_mp = all(_MP_ID.fullmatch(str(each)) for each in store.samples["material_id"])
    return {
        "database": MATERIALS_PROJECT if from_mp else None,
        "selection": inputs["selection"],
        "paper_encoding": store.box == OneHotEncoding(),
        "xrd": store.xrd.to_dict(),
        "split": split.to_dict(),
        "n_samples": len(store),
        "samples": store.values[SAMPLES][:16],
    }
