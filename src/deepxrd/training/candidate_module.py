"""The LightningModule of the candidate model: an ensemble of networks that weigh candidates, trained side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepxrd.config.instantiate import build
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.models.candidates import CandidateLoss, CandidateNet
from deepxrd.models.candidates.calibrate import ground_states
from deepxrd.models.candidates.outputs import ensemble_outputs
from deepxrd.models.candidates.saved import save
from deepxrd.training.candidate_data import CandidateBatch, CandidateDataModule
from deepxrd.training.group_net import learn_groups
from deepxrd.training.pattern_module import PatternModule
from deepxrd.xrd import XrdSettings

_CALIBRATED_ON = 6_000  # compositions: a few numbers are learned from them


class CandidateModule(PatternModule):
    """Learns to weigh candidates, to mix their patterns and to say where peaks are.

    All arguments are plain values and saved with the weights.

    Args:
        networks: how many; they see the same batches, begin at different weights, and their answers are averaged.
        n_features: of each candidate.
        loss: node of the loss.
        optimizer: node of the optimizer.
        scheduler: node of the learning-rate scheduler, see `PatternModule`; None for a constant rate.
        xrd: settings of the patterns, as :meth:`XrdSettings.to_dict` gives them.
    """

    mean_pattern: Tensor

    def __init__(
        self,
        *,
        networks: int,
        n_features: int,
        loss: dict[str, Any],
        optimizer: dict[str, Any],
        scheduler: dict[str, Any] | None,
        xrd: dict[str, Any],
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, xrd=XrdSettings(**xrd))
        self.save_hyperparameters()
        grid = self.xrd.two_theta_deg
        made = [CandidateNet(n_features, grid) for _ in range(networks)]
        self.nets = nn.ModuleList(made).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("mean_pattern", torch.zeros(self.xrd.n_points))
        self.loss = build(loss, CandidateLoss)

    def scale_to(self, features: NDArray[np.float32], mean_pattern: NDArray[np.float32]) -> None:
        """Tell the networks what the training part looks like.

        Args:
            features: of all its candidates, ``(n, n_features)``.
            mean_pattern: ``(n_points,)`` in 0 to 100.
        """
        self.mean_pattern.copy_(torch.from_numpy(mean_pattern))
        if len(features):
            for net in self.networks:
                net.centre.copy_(torch.from_numpy(features.mean(axis=0)))
                net.spread.copy_(torch.from_numpy(features.std(axis=0)) + 1e-6)

    @property
    def networks(self) -> tuple[CandidateNet, ...]:
        """The networks."""
        return tuple(cast("CandidateNet", net) for net in self.nets)

    def loss_of(self, batch: CandidateBatch) -> tuple[Tensor, int]:
        """Sum of the networks' losses on a training batch, and its number of samples."""
        total = torch.stack([self.loss(self._ask(net, batch), batch) for net in self.networks]).sum()
        return total, len(batch.patterns)

    def predict_batch(self, batch: CandidateBatch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Loss, patterns by name of the output, and the true patterns in 0 to 100."""
        answers = [self._ask(net, batch) for net in self.networks]
        loss = torch.stack([self.loss(each, batch) for each in answers]).mean()
        made = ensemble_outputs(answers, self.xrd)
        mean, answered = self.mean_pattern, batch.answered[:, None]
        patterns = {
            name: torch.where(answered, torch.from_numpy(each).to(mean), mean) for name, each in made.patterns.items()
        }
        return loss, patterns, 100 * batch.patterns

    def export(self, datamodule: PatternDataModule, folder: Path) -> None:
        """Write the whole model: templates, volumes, networks, and probabilities learned on the validation part."""
        if not isinstance(datamodule, CandidateDataModule):
            msg = f"a candidate model is written with its own data, not with {type(datamodule).__name__}"
            raise TypeError(msg)
        model = datamodule.templates.with_networks(self.networks)
        nets = learn_groups(*ground_states(model.maker.templates), seed=datamodule.seed)
        save(model.calibrated(*datamodule.validation(_CALIBRATED_ON), group_nets=nets), folder)

    def _ask(self, net: CandidateNet, batch: CandidateBatch) -> Any:
        return net(batch.features, batch.elements, batch.mask, batch.simulated)
