"""From a crystal to its powder pattern, and from a pattern to its peaks."""

from deepxrd.xrd.alignment import align_peaks, stick_patterns
from deepxrd.xrd.engines import engine_identity, simulate
from deepxrd.xrd.peaks import MERGE_WITHIN_DEG, THRESHOLD, Peaks, find_peaks, merge_peaks
from deepxrd.xrd.reference import LabelledReflection, labelled_reflections, reflections, simulate_pattern
from deepxrd.xrd.settings import WAVELENGTHS_ANGSTROM, XrdSettings
from deepxrd.xrd.smoothing import normalise, smooth_reflections

__all__ = [
    "MERGE_WITHIN_DEG",
    "THRESHOLD",
    "WAVELENGTHS_ANGSTROM",
    "LabelledReflection",
    "Peaks",
    "XrdSettings",
    "align_peaks",
    "engine_identity",
    "find_peaks",
    "labelled_reflections",
    "merge_peaks",
    "normalise",
    "reflections",
    "simulate",
    "simulate_pattern",
    "smooth_reflections",
    "stick_patterns",
]
