"""Retrieval: structures of like compositions, substituted, scaled, simulated, and weighed by a network."""

from deepxrd.models.retrieval.adaptor import Retrieval
from deepxrd.models.retrieval.model import Prediction, RetrievalModel

__all__ = ["Prediction", "Retrieval", "RetrievalModel"]
