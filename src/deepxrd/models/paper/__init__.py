"""The paper's network (Dong et al. 2022, Table 1), and its checkpoints."""

from deepxrd.models.paper.resnet import DeepXRDNet
from deepxrd.models.paper.saved import (
    SavedNetwork,
    channels_last,
    check_weights,
    load_checkpoint,
    load_network,
    to_patterns,
)

__all__ = [
    "DeepXRDNet",
    "SavedNetwork",
    "channels_last",
    "check_weights",
    "load_checkpoint",
    "load_network",
    "to_patterns",
]
