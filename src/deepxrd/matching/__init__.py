"""A measured pattern against predicted ones: which candidate fits."""

from deepxrd.matching.background import snip
from deepxrd.matching.measured import Measured, Target, converted, prepare, read_measured, wavelength
from deepxrd.matching.ranking import MAX_STRAIN, Fit, best_fits, lattice_scales, rank, scaled
from deepxrd.matching.results import in_words, match_to_folder

__all__ = [
    "MAX_STRAIN",
    "Fit",
    "Measured",
    "Target",
    "best_fits",
    "converted",
    "in_words",
    "lattice_scales",
    "match_to_folder",
    "prepare",
    "rank",
    "read_measured",
    "scaled",
    "snip",
    "wavelength",
]
