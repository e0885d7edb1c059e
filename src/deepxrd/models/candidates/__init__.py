"""Candidate structures: those of like compositions, substituted, scaled, simulated, and weighed by networks."""

from deepxrd.models.candidates.loss import CandidateLoss
from deepxrd.models.candidates.model import CandidateModel
from deepxrd.models.candidates.network import CandidateNet

__all__ = ["CandidateLoss", "CandidateModel", "CandidateNet"]
