"""The LightningModule of networks that turn encoded formulas into patterns, all described by plain values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deepxrd.chem.encodings import make_encoding
from deepxrd.config.instantiate import build
from deepxrd.errors import ConfigError
from deepxrd.models.contract import build_network, check_network
from deepxrd.models.paper import channels_last, to_patterns
from deepxrd.training.pattern_module import PatternModule
from deepxrd.xrd import XrdSettings

Batch = tuple[Tensor, Tensor]


class DeepXRDModule(PatternModule):
    """Learns patterns from encoded formulas.

    All arguments are plain values and saved with the weights, so a checkpoint loads with ``weights_only=True`` and
    without arguments.

    Args:
        net: node of the network.
        loss: node of the loss.
        optimizer: node of the optimizer.
        scheduler: node of the learning-rate scheduler, see `PatternModule`; None for a constant rate.
        encoding: of the formulas, as :meth:`Encoding.to_dict` gives it.
        xrd: settings of the patterns, as :meth:`XrdSettings.to_dict` gives them.

    Raises:
        ConfigError: a node cannot be used, or the network gives patterns of another length.
    """

    def __init__(
        self,
        *,
        net: dict[str, Any],
        loss: dict[str, Any],
        optimizer: dict[str, Any],
        scheduler: dict[str, Any] | None,
        encoding: dict[str, Any],
        xrd: dict[str, Any],
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, xrd=XrdSettings(**xrd))
        self.save_hyperparameters()
        self.encoding = make_encoding(encoding)
        made = build_network(net, encoding=self.encoding, n_points=self.xrd.n_points)
        check_network(made, encoding=self.encoding, n_points=self.xrd.n_points)
        self.net = channels_last(made)
        self.loss = build(loss, nn.Module)

    def forward(self, x: Tensor) -> Tensor:
        """Patterns ``(batch, n_points)`` in 0 to 100 from encoded formulas, the paper's being ``(batch, 1, 84, 10)``.

        In float32, or what else the weights are in: scores must not depend on what precision was fastest to train in.
        """
        return to_patterns(self._raw(x))

    def loss_of(self, batch: Batch) -> tuple[Tensor, int]:
        """Loss of a training batch, and its number of samples."""
        x, true = batch
        return self._loss(self.net(x), true), len(x)

    def predict_batch(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss, patterns by name of the output, and the true patterns."""
        x, true = batch
        raw = self._raw(x)
        return self._loss(raw, true), {"pattern": to_patterns(raw)}, true

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Patterns of a batch."""
        patterns: Tensor = self(batch[0])
        return patterns

    def _loss(self, predicted: Tensor, true: Tensor) -> Tensor:
        loss = self.loss(predicted, true)
        if not isinstance(loss, Tensor) or loss.ndim:
            kind = f"a tensor {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            msg = f"{type(self.loss).__name__} gives {kind} for {len(true)} patterns: a loss gives one number, a mean"
            raise ConfigError(msg)
        return loss

    def _raw(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            raw: Tensor = self.net(x.to(next(self.net.parameters(), x.float()).dtype))
        return raw
