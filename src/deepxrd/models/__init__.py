"""Networks and baselines: tensor in, tensor out."""

from deepxrd.models.resnet import DeepXRDNet

__all__ = ["DeepXRDNet"]
