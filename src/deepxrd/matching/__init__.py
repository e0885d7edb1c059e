"""A measured pattern against predicted ones: which candidate fits."""

from deepxrd.matching.background import snip
from deepxrd.matching.measured import Measured, Target, converted, read_measured, target_of, wavelength
from deepxrd.matching.ranking import MAX_STRAIN, Fit, best_fits, lattice_scales, rank, scaled
from deepxrd.matching.results import match_to_folder, ranking_text

__all__ = [
    "MAX_STRAIN",
    "Fit",
    "Measured",
    "Target",
    "best_fits",
    "converted",
    "lattice_scales",
    "match_to_folder",
    "rank",
    "ranking_text",
    "read_measured",
    "scaled",
    "snip",
    "target_of",
    "wavelength",
]
