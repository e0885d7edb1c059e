"""Measured patterns: a file as the instrument wrote it, as one type, with what was taken from where."""

from deepxrd.scans.axes import AXIS_NAMES
from deepxrd.scans.read import read_scan, read_scans
from deepxrd.scans.scan import Fact, Scan, ScanRange
from deepxrd.xrd.radiation import Wavelengths, parse_radiation

__all__ = ["AXIS_NAMES", "Fact", "Scan", "ScanRange", "Wavelengths", "parse_radiation", "read_scan", "read_scans"]
