"""The network that weighs candidate patterns and draws from them the expected pattern and the density of peaks."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everywhere
from numpy.typing import NDArray
from torch import Tensor, nn

N_ELEMENTS = 119
_CHANNELS = (48, 64, 96, 128)
DIVISOR = 2 * 2 ** (len(_CHANNELS) - 1)
"""What the number of grid points must be divisible by."""
_PAIR = 64
_HEADS = 4
_DIM = 128  # of the transformer
_MIXTURES = 16  # of square roots of patterns, that the U-Net sees beside the two weighted means
_RARE = -3.3  # logit of the share of grid points that hold a peak


class Output(NamedTuple):
    """Weights of candidates ``(batch, k)`` (logits); pattern ``(batch, n_points)``; peak density likewise (logits)."""

    weight: Tensor
    pattern: Tensor
    peaks: Tensor


class _Block(nn.Module):
    """A residual block of two convolutions along 2θ, its scale and offset set by the composition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, (1, 5), padding=(0, 2))
        self.second = nn.Conv2d(channels, channels, (1, 5), padding=(0, 2))
        self.condition = nn.Linear(condition, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, offset = self.condition(condition)[:, :, None, None].chunk(2, 1)
        y = self.first(F.silu(self.norm(x) * (1 + scale) + offset))
        out: Tensor = x + self.second(F.silu(y))
        return out


class _UNet(nn.Module):
    """A U-Net along 2θ: ``(batch, n_in, 1, n)`` to ``(batch, 4, 1, n)``."""

    def __init__(self, n_in: int, condition: int) -> None:
        super().__init__()
        steps = list(pairwise(_CHANNELS))
        self.stem = nn.Conv2d(n_in, _CHANNELS[0], (1, 5), padding=(0, 2))
        self.down = nn.ModuleList(_Block(c, condition) for c in _CHANNELS)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, (1, 2), stride=(1, 2)) for a, b in steps)
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(steps))
        self.up = nn.ModuleList(_Block(a, condition) for a, _ in reversed(steps))
        last = nn.Conv2d(_CHANNELS[0], 4, (1, 5), padding=(0, 2))
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(torch.tensor([0.0, 0.0, _RARE, _RARE]))
        self.out = nn.Sequential(nn.GroupNorm(8, _CHANNELS[0]), nn.SiLU(), last)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x, kept = self.stem(x), []
        for block, shrink in zip(self.down, self.shrink, strict=False):
            kept.append(block(x, condition))
            x = shrink(kept[-1])
        x = self.down[-1](x, condition)
        for grow, block in zip(self.grow, self.up, strict=True):
            x = block(grow(F.interpolate(x, scale_factor=(1.0, 2.0), mode="nearest")) + kept.pop(), condition)
        out: Tensor = self.out(x)
        return out


def attention_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to each head's scores of attention, ``(batch _HEADS, k, k)``: −∞ where there is no candidate.

    The same as ``src_key_padding_mask=~mask``, whose check imports sympy, 0.3 s.
    """
    added = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -torch.inf)
    return added[:, None, None].expand(-1, _HEADS, mask.shape[1], -1).flatten(0, 1)


class CandidateNet(nn.Module):
    """A transformer over candidates; mixtures of their patterns with learned weights; a U-Net over 2θ.

    Elements are a set: what one is replaced by is read pair by pair, and the pairs are summed up, so that their order
    does not matter.

    Args:
        n_features: of each candidate; the last `WIDTH` are the shares of atoms by slot.
        two_theta_deg: the grid.
    """

    centre: Tensor
    spread: Tensor
    place: Tensor

    def __init__(self, n_features: int, two_theta_deg: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("spread", torch.ones(n_features))
        theta = torch.from_numpy(np.radians(two_theta_deg) / 2)
        place = torch.stack([theta.sin(), theta.tan().clamp(max=6) / 6, theta.cos()]).float()
        self.register_buffer("place", place)
        self.element = nn.Embedding(N_ELEMENTS, 32)
        self.pair = nn.Sequential(nn.Linear(65, _PAIR), nn.SiLU(), nn.Linear(_PAIR, _PAIR))
        self.enter = nn.Sequential(nn.Linear(n_features + 2 * _PAIR, 256), nn.SiLU(), nn.Linear(256, _DIM))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(_DIM, _HEADS, 2 * _DIM, 0.1, F.silu, batch_first=True, norm_first=True)
            for _ in range(3)
        )
        self.norm, self.weight, self.mix = nn.LayerNorm(_DIM), nn.Linear(_DIM, 1), nn.Linear(_DIM, _MIXTURES)
        self.pool = nn.Sequential(nn.Linear(_DIM + 64, _DIM), nn.SiLU(), nn.Linear(_DIM, _DIM), nn.SiLU())
        self.unet = _UNet(2 * (_MIXTURES + 2 + len(place)), _DIM)
        self.gain = nn.Parameter(torch.ones(1))

    @classmethod
    def with_weights(cls, weights: dict[str, Tensor], two_theta_deg: NDArray[np.float64]) -> Self:
        """A network that was trained before, ready to predict."""
        net = cls(len(weights["centre"]), two_theta_deg)
        net.load_state_dict(weights)
        # laid out as it was when it was trained, so that sums are formed in the same order
        return net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]

    def forward(self, features: Tensor, elements: Tensor, mask: Tensor, patterns: Tensor) -> Output:
        """Weigh candidates.

        Args:
            features: ``(batch, k, n_features)``, as they are.
            elements: atomic numbers, those of the template and then what takes their places, ``(batch, k, 2 width)``.
            mask: where there are candidates, ``(batch, k)``; a row without any is answered as if its first were one,
                since attention to nothing at all need not be a number.
            patterns: ``(batch, k, n_points)`` in 0 to 1.
        """
        batch, n_points = len(patterns), patterns.shape[-1]
        if not batch:  # which torch's attention does not take
            return Output(*(patterns.new_zeros(0, n) for n in (patterns.shape[1], n_points, n_points)))
        mask = mask | (~mask.any(1, keepdim=True) & (torch.arange(mask.shape[1], device=mask.device) == 0))
        known = ((features - self.centre) / self.spread).clamp(-5, 5)
        pairs, composition = self._elements(elements, features)
        h = self.enter(torch.cat([known, pairs], -1))
        attention = attention_mask(mask, h.dtype)
        for layer in self.layers:
            h = layer(h, src_mask=attention)
        h = self.norm(h)
        logits = self.weight(h)[..., 0].masked_fill(~mask, -1e4)
        share = logits.softmax(-1)
        patterns = patterns * mask[..., None]
        root = patterns.clamp_min(0).sqrt()
        mixtures = torch.einsum("bkg,bkn->bgn", self.mix(h) * mask[..., None] / 4, root)
        mean, mean_root = (torch.einsum("bk,bkn->bn", share, each)[:, None] for each in (patterns, root))
        seen = torch.cat([mixtures, 3 * mean, mean_root, self.place.expand(batch, -1, -1)], 1)
        # two neighbouring points become channels: half the length, twice the channels
        seen = seen.view(batch, -1, n_points // 2, 2).permute(0, 1, 3, 2).reshape(batch, -1, 1, n_points // 2)
        out = self.unet(seen, self.pool(torch.cat([(share[..., None] * h).sum(1), composition], -1)))
        out = out.view(batch, 2, 2, n_points // 2).permute(0, 1, 3, 2).reshape(batch, 2, n_points)
        return Output(logits, F.relu(mean[:, 0]) * self.gain + 0.3 * out[:, 0], out[:, 1])

    def _elements(self, elements: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """What is exchanged, ``(batch, k, 2 _PAIR)``; and the composition of the first candidate, ``(batch, 64)``."""
        width = elements.shape[-1] // 2
        old, new = elements[..., :width], elements[..., width:]
        part = features[..., -width:, None]
        names = self.element(new)
        pairs = self.pair(torch.cat([self.element(old), names, part], -1)) * (new > 0)[..., None]
        first = names[:, 0] * (new[:, 0] > 0)[..., None]
        composition = torch.cat([first.sum(1), (first * part[:, 0]).sum(1)], -1)
        return torch.cat([pairs.sum(2), (pairs * part).sum(2)], -1), composition
