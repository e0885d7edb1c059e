"""Where structures come from; every source yields the same record."""

from deepxrd.sources.base import ReadFailure, Source, StructureRecord

__all__ = ["ReadFailure", "Source", "StructureRecord"]
