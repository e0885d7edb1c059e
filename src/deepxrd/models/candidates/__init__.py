"""Retrieval: structures of like compositions, substituted, scaled, simulated, and weighed by a network."""

from deepxrd.models.candidates.adaptor import Retrieval
from deepxrd.models.candidates.model import Prediction, RetrievalModel

__all__ = ["Prediction", "Retrieval", "RetrievalModel"]
