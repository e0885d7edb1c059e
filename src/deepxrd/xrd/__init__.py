"""From a crystal to its powder pattern, and from a pattern to its peaks."""

from deepxrd.xrd.alignment import align_peaks, stick_patterns
from deepxrd.xrd.engines import check_device, engine_identity, simulate
from deepxrd.xrd.peaks import MERGE_WITHIN_DEG, THRESHOLD, Peaks, find_peaks, merge_peaks
from deepxrd.xrd.radiation import WAVELENGTHS_ANGSTROM, Wavelengths, parse_radiation
from deepxrd.xrd.reference import reflections, simulate_pattern
from deepxrd.xrd.settings import XrdSettings
from deepxrd.xrd.smoothing import normalise, smooth_reflections

__all__ = [
    "MERGE_WITHIN_DEG",
    "THRESHOLD",
    "WAVELENGTHS_ANGSTROM",
    "Peaks",
    "Wavelengths",
    "XrdSettings",
    "align_peaks",
    "check_device",
    "engine_identity",
    "find_peaks",
    "merge_peaks",
    "normalise",
    "parse_radiation",
    "reflections",
    "simulate",
    "simulate_pattern",
    "smooth_reflections",
    "stick_patterns",
]
