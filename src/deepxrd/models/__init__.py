"""Networks and baselines: tensor in, tensor out."""

from deepxrd.models.resnet import DeepXRDNet
from deepxrd.models.saved import SavedNetwork, channels_last, load_checkpoint, load_network, to_patterns

__all__ = ["DeepXRDNet", "SavedNetwork", "channels_last", "load_checkpoint", "load_network", "to_patterns"]
