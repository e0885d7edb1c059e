"""What any claim must beat: patterns predicted without a network, by the same path and from the same training part."""

from deepxrd.models.baselines.base import Baseline, Reference, Truth
from deepxrd.models.baselines.constant import Comb, MeanPattern, RandomPattern
from deepxrd.models.baselines.polymorphs import PolymorphOracle
from deepxrd.models.baselines.templates import NearestPattern, OracleVolume, Substitution, TemplateOracle

__all__ = [
    "Baseline",
    "Comb",
    "MeanPattern",
    "NearestPattern",
    "OracleVolume",
    "PolymorphOracle",
    "RandomPattern",
    "Reference",
    "Substitution",
    "TemplateOracle",
    "Truth",
]
