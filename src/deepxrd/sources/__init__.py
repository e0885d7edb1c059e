"""Where structures come from; every source yields the same record."""

from deepxrd.sources.base import ReadFailure, Source, StructureRecord
from deepxrd.sources.files import FilesSource
from deepxrd.sources.prototypes import PrototypeSource

__all__ = ["FilesSource", "PrototypeSource", "ReadFailure", "Source", "StructureRecord"]
