"""A library of structures that are in memory already."""

from __future__ import annotations

from collections.abc import Sequence

from deepxrd.chem import Crystal
from deepxrd.errors import LibraryError
from deepxrd.io.progress import progress_bar
from deepxrd.library.encode import encode
from deepxrd.library.library import Library
from deepxrd.library.merge import merge
from deepxrd.library.parts import kept
from deepxrd.library.tables import Tables
from deepxrd.sources import StructureRecord

_AT_ONCE = 512
_NAME = "structures in memory"


def library_of(crystals: Sequence[Crystal]) -> Library:
    """A library of some structures, each the ground state of its composition.

    Args:
        crystals: n of them; those that cannot be kept are left out.

    Raises:
        LibraryError: none can be kept.
    """
    records = [
        StructureRecord(material_id=f"structure-{place}", crystal=crystal, ground_state=True)
        for place, crystal in enumerate(crystals)
    ]
    parts = []
    with progress_bar() as bar:
        for start in bar.track(range(0, len(records), _AT_ONCE), description="Finding the symmetry of structures"):
            entries = kept(records[start : start + _AT_ONCE], 0, held_out=False)[0]
            if entries:
                parts.append(Tables(encode(entries), n_sources=1, name=_NAME))
    if not parts:
        msg = f"{_NAME}: none of {len(records)} structures can be kept"
        raise LibraryError(msg)
    source = {"name": _NAME, "citation": "", "licence": "", "held_out": False}
    return Library(merge(parts), {"name": _NAME, "sources": [source]}, name=_NAME)
