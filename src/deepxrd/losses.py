"""Losses: a distance per pattern, averaged over the batch."""

from __future__ import annotations

from torch import Tensor, nn

from deepxrd.metrics import cosine_distance, mean_squared_error, pearson_distance


class PearsonLoss(nn.Module):
    """Mean of 1 − Pearson correlation of each pattern, the paper's choice; blind to a pattern's scale and offset."""

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Loss of a batch of patterns ``(batch, n_points)``, a scalar."""
        return pearson_distance(predicted, true).mean()


class CosineLoss(nn.Module):
    """Mean of 1 − cosine of each pattern; blind to a pattern's scale."""

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Loss of a batch of patterns ``(batch, n_points)``, a scalar."""
        return cosine_distance(predicted, true).mean()


class MSELoss(nn.Module):
    """Mean squared error of patterns in units of intensity (0 to 100)."""

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Loss of a batch of patterns ``(batch, n_points)``, a scalar."""
        return mean_squared_error(predicted, true).mean()
