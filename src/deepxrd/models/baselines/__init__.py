"""What any claim must beat: patterns predicted without a network, by the same path and from the same training part."""

from deepxrd.models.base import Model, Reference, Truth
from deepxrd.models.baselines.constant import Comb, MeanPattern, RandomPattern
from deepxrd.models.baselines.polymorph_oracle import PolymorphOracle
from deepxrd.models.baselines.templates import NearestPattern, OracleVolume, Substitution, TemplateOracle

__all__ = [
    "Comb",
    "MeanPattern",
    "Model",
    "NearestPattern",
    "OracleVolume",
    "PolymorphOracle",
    "RandomPattern",
    "Reference",
    "Substitution",
    "TemplateOracle",
    "Truth",
]
