"""Where structures come from; every source yields the same record."""

from deepxrd.sources.base import ReadFailure, Source, StructureRecord
from deepxrd.sources.files import FilesSource

__all__ = ["FilesSource", "ReadFailure", "Source", "StructureRecord"]
