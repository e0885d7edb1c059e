"""From a source to batches: selection, pattern store, split, DataModule."""

from deepxrd.data.build import ensure_store
from deepxrd.data.polymorphs import other_structures
from deepxrd.data.selection import Selection
from deepxrd.data.split import Split, indices, refuse_other_split
from deepxrd.data.statement import statement
from deepxrd.data.store import PatternStore
from deepxrd.data.workers import BuildOptions

__all__ = [
    "BuildOptions",
    "PatternStore",
    "Selection",
    "Split",
    "ensure_store",
    "indices",
    "other_structures",
    "refuse_other_split",
    "statement",
]
