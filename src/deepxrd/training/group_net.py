"""Training of the small networks that say space groups from the composition alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F  # noqa: N812 - as everywhere
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from deepxrd.chem import Formula
from deepxrd.io.progress import progress_bar
from deepxrd.models.candidates.group_net import N_NETS, GroupNet, net_of
from deepxrd.training.quiet import quiet

_EPOCHS, _BATCH, _LARGEST_RATE, _DECAY, _SMOOTHING = 30, 512, 4e-3, 0.02, 0.02


class _Bar(pl.Callback):
    """One progress bar for the epochs of a network."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Show it."""
        self.bar = progress_bar()
        self.bar.start()
        self.task = self.bar.add_task("Learning space groups", total=trainer.max_epochs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Count one."""
        self.bar.advance(self.task)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Leave it as it is, also after an error."""
        self.bar.stop()


class GroupModule(pl.LightningModule):
    """Learns by cross-entropy.

    Args:
        net: what learns.
        steps: all steps of the training.
    """

    def __init__(self, net: GroupNet, steps: int) -> None:
        super().__init__()
        self.net, self.steps = net, steps

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Loss of a batch of inputs and space groups from zero."""
        return F.cross_entropy(self.net(batch[0]), batch[1], label_smoothing=_SMOOTHING)

    def configure_optimizers(self) -> dict[str, object]:  # type: ignore[override]
        """AdamW, one cycle of the rate."""
        optimizer = torch.optim.AdamW(self.net.parameters(), _LARGEST_RATE, weight_decay=_DECAY)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LARGEST_RATE, total_steps=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


def learn_groups(
    formulas: Sequence[Formula], group: NDArray[np.int64], *, seed: int, epochs: int = _EPOCHS
) -> tuple[GroupNet, ...]:
    """Networks, each learned without a third of the compositions, in half precision as files hold them.

    Args:
        formulas: n compositions of the training part.
        group: space group of each, 1 to 230, ``(n,)``.
        seed: of weights and batches.
        epochs: passes through the compositions.
    """
    nets, without = [], net_of(formulas)
    for place in range(N_NETS):
        some = np.flatnonzero(without != place)
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(seed + place)
            net = GroupNet.for_compositions(formulas)
            if len(some):
                chosen = TensorDataset(
                    net.inputs([formulas[row] for row in some.tolist()]), torch.from_numpy(group[some] - 1)
                )
                _fit(net, chosen, epochs)
        nets.append(net.half().float().eval())
    return tuple(nets)


def _fit(net: GroupNet, samples: TensorDataset, epochs: int) -> None:
    batches = BatchSampler(RandomSampler(samples), _BATCH, drop_last=False)
    loader = DataLoader(samples, batch_size=None, sampler=batches)  # a batch is taken by one index, not put together
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=_Bar(),
    )
    trainer.fit(GroupModule(net, epochs * len(loader)), loader)
