"""Distances between two patterns, per pattern, over the last axis (Dong et al. 2022, section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor

_EPS = 1e-12


def cosine_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """1 − s·t / (|s| |t|), 0 to 2; 1 where a pattern is zero.

    Args:
        predicted: ``(..., n_points)``.
        true: the same shape.

    Returns:
        ``(...,)`` in float32 or wider, whatever the input's precision.
    """
    predicted, true = _wide(predicted), _wide(true)
    dot = (predicted * true).sum(dim=-1)
    norms_squared = predicted.square().sum(dim=-1) * true.square().sum(dim=-1)
    # A zero pattern is masked before the root: the gradient of a norm at zero is not a number.
    defined = norms_squared > _EPS
    return 1 - torch.where(defined, dot / torch.where(defined, norms_squared, 1.0).sqrt(), 0.0)


def pearson_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """1 − the correlation of two patterns, 0 to 2; 1 where a pattern is constant. Shapes as :func:`cosine_distance`."""
    predicted, true = _wide(predicted), _wide(true)
    return cosine_distance(predicted - predicted.mean(dim=-1, keepdim=True), true - true.mean(dim=-1, keepdim=True))


def mean_squared_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean (s − t)² along the pattern. Shapes as :func:`cosine_distance`."""
    return (_wide(predicted) - _wide(true)).square().mean(dim=-1)


def _wide(x: Tensor) -> Tensor:
    """At least float32: sums over a thousand points lose too much in half precision."""
    return x if x.dtype == torch.float64 else x.float()
