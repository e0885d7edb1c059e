"""Training steps on a GPU as recorded sequences of kernels, replayed at once."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from torch import Tensor, nn

from deepxrd.errors import ConfigError
from deepxrd.training.callbacks import CompileNetwork

_MOST_SHAPES = 2  # of batches: the full ones, and the last of an epoch
Forward = Callable[[Tensor], Tensor]


class CudaGraphs(pl.Callback):
    """Record a network's forward and backward pass as CUDA graphs; ``callbacks=cuda_graphs``.

    A step of the paper's network is some two thousand small kernels, and a processor takes longer to launch them than
    a GPU to run them. A graph launches all of a pass at once: the same kernels on the same numbers. For networks that
    do the same for every batch. On a CPU it does nothing.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record from here on.

        Raises:
            ConfigError: gradients are summed over batches or shared among devices, or the network is compiled.
        """
        if pl_module.device.type != "cuda":
            return
        if given := _in_the_way(trainer):
            msg = f"callbacks=cuda_graphs cannot be used with {given}: leave out one of them"
            raise ConfigError(msg)
        net: nn.Module = pl_module.net  # type: ignore[assignment]
        net.forward = recorded(net)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Give the network back as it was."""
        net: nn.Module = pl_module.net  # type: ignore[assignment]
        net.__dict__.pop("forward", None)


def _in_the_way(trainer: pl.Trainer) -> str | None:
    """What a graph would get wrong, as it is written in the settings."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, CompileNetwork | GradientAccumulationScheduler):
            return type(callback).__name__
    if trainer.accumulate_grad_batches != 1:  # a graph writes each batch's gradients to the same place
        return f"trainer.accumulate_grad_batches={trainer.accumulate_grad_batches}"
    return f"trainer.devices={trainer.world_size}" if trainer.world_size > 1 else None


def recorded(net: nn.Module) -> Forward:
    """The forward pass of a network, replayed where it was recorded for a batch of that shape.

    A shape is recorded when it first comes, of at most two; where nothing is learned, and for other shapes, the pass
    runs as it is.

    Args:
        net: on a GPU; it is called with one tensor and gives one.
    """
    plain: Forward = net.forward
    graphs: dict[torch.Size, Forward] = {}

    def forward(x: Tensor) -> Tensor:
        if not (net.training and torch.is_grad_enabled()):
            return plain(x)
        if x.shape not in graphs and len(graphs) < _MOST_SHAPES:
            graphs[x.shape] = _record(net, plain, x)
            net.forward = forward
        return graphs.get(x.shape, plain)(x)

    return forward


def _record(net: nn.Module, plain: Forward, x: Tensor) -> Forward:
    """Record the passes for batches like ``x``; neither the network's state nor random numbers are changed by it."""
    before = [buffer.clone() for buffer in net.buffers()]
    dtype, enabled = torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda")
    net.forward = plain
    # casts that are kept from one call to the next would be read by a graph after they are gone
    with torch.random.fork_rng([x.device]), torch.autocast("cuda", dtype, enabled, cache_enabled=False):
        torch.cuda.make_graphed_callables(net, (x.clone(),))
    for buffer, value in zip(net.buffers(), before, strict=True):
        buffer.copy_(value)  # the running means of batch norms, which recording has moved
    graph: Forward = net.forward
    return graph
