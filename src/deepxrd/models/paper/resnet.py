"""The network of Table 1: a PReLU ResNet from an 84 × 10 one-hot to a 32 × 32 image, read as 1024 intensities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from deepxrd.errors import ConfigError
from deepxrd.models.paper.blocks import ResidualBlock, SameConv2d, prelu

INPUT_SHAPE = (84, 10)
N_POINTS = 1024


class DeepXRDNet(nn.Module):
    """Encoder, a bottleneck of 128 numbers, decoder (Dong et al. 2022, Table 1).

    Of the table's 20 residual blocks, ten are in the encoder and ten in the decoder. Two rows of the table contradict
    their own shapes and are read so that the shapes hold: a block that changes filters or size has the 1×1 shortcut.

    Args:
        depth: residual blocks in all; 20 is the table's.
        norm: batch norm after each convolution; the paper does not say.
        dropout: share of channels dropped inside each block; the paper gives no rate.
        input_shape: elements and counts of the one-hot.
        quick: cheaper forms of the same arithmetic (:mod:`deepxrd.models.paper.quick`); off, torch's own layers.
    """

    n_points = N_POINTS

    def __init__(
        self,
        *,
        depth: int = 20,
        norm: bool = True,
        dropout: float = 0.0,
        input_shape: Sequence[int] = INPUT_SHAPE,
        quick: bool = True,
    ) -> None:
        super().__init__()
        if depth not in _REPEATS:
            msg = f"no network of depth {depth}: choose one of {', '.join(map(str, _REPEATS))}"
            raise ConfigError(msg)
        if not 0 <= dropout < 1:
            msg = f"dropout must be a share from 0 to below 1, not {dropout}"
            raise ConfigError(msg)
        self.input_shape = (int(input_shape[0]), int(input_shape[1]))
        self._settings: dict[str, Any] = {"norm": norm, "dropout": dropout, "quick": quick}
        encoder_repeats, decoder_repeats = _REPEATS[depth]
        self.encoder = self._encoder(encoder_repeats)
        height, width = (_halved(size, times=3) for size in self.input_shape)
        self.dense = nn.Linear(64 * height * width, 128)
        self.dense_act = nn.PReLU(128)
        self.decoder = self._decoder(decoder_repeats)

    def forward(self, x: Tensor) -> Tensor:
        """One-hot matrices ``(batch, 1, 84, 10)`` to patterns ``(batch, 1024)`` in no fixed unit."""
        code = self.dense_act(self.dense(self.encoder(x).flatten(1)))
        return self.decoder(code[:, :, None, None]).flatten(1)  # type: ignore[no-any-return]

    def _block1(self, n_in: int, n_out: int, stride: int = 1) -> ResidualBlock:
        return ResidualBlock(n_in, n_out, stride=stride, project=True, **self._settings)

    def _block2(self, channels: int, repeats: int = 1) -> list[ResidualBlock]:
        return [ResidualBlock(channels, channels, project=False, **self._settings) for _ in range(repeats)]

    def _encoder(self, repeats: tuple[int, int, int]) -> nn.Sequential:
        at_42, at_21, at_11 = repeats
        norm, quick = self._settings["norm"], self._settings["quick"]
        first: list[nn.Module] = [SameConv2d(1, 32, bias=not norm, quick=quick)]
        if norm:
            first.append(nn.BatchNorm2d(32))
        return nn.Sequential(
            *first,
            prelu(32, quick=quick),
            self._block1(32, 64, stride=2),  # 84×10 to 42×5
            *self._block2(64, at_42),
            self._block1(64, 128, stride=2),  # to 21×3
            *self._block2(128, at_21),
            self._block1(128, 64, stride=2),  # to 11×2
            *self._block2(64, at_11),
        )

    def _decoder(self, repeats: tuple[int, int, int, int, int]) -> nn.Sequential:
        at_2, at_4, at_8, at_16, at_32 = repeats
        return nn.Sequential(
            nn.Upsample(scale_factor=2),
            self._block1(128, 128),
            *self._block2(128, at_2),
            nn.Upsample(scale_factor=2),
            *self._block2(128, at_4),
            nn.Upsample(scale_factor=2),
            *self._block2(128, at_8),
            nn.Upsample(scale_factor=2),
            self._block1(128, 64),
            *self._block2(64, at_16),
            nn.Upsample(scale_factor=2),
            self._block1(64, 64),
            *self._block2(64, at_32),
            SameConv2d(64, 1, quick=self._settings["quick"]),
        )


# Identity blocks per stage: encoder at 42×5, 21×3, 11×2; decoder at 2×2, 4×4, 8×8, 16×16, 32×32. The blocks that
# change shape number three in the encoder and three in the decoder, so a row sums to depth - 6.
_REPEATS: dict[int, tuple[tuple[int, int, int], tuple[int, int, int, int, int]]] = {
    10: ((1, 1, 0), (0, 1, 1, 0, 0)),
    15: ((1, 3, 1), (0, 1, 1, 1, 1)),
    20: ((1, 5, 1), (1, 2, 2, 1, 1)),
    25: ((1, 7, 2), (1, 3, 3, 1, 1)),
}


def _halved(size: int, *, times: int) -> int:
    for _ in range(times):
        size = -(-size // 2)
    return size
