"""Building blocks of the residual network (Dong et al. 2022, section 2.3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from deepxrd.models.paper.quick import PReLU, padded_conv2d

KERNEL = (3, 2)


def prelu(channels: int, *, quick: bool) -> nn.PReLU:
    """A PReLU of images, ours or torch's own; they differ in speed alone."""
    return PReLU(channels) if quick else nn.PReLU(channels)


class SameConv2d(nn.Module):
    """A 3×2 convolution whose output is ceil(input / stride) in height and width.

    A kernel of even width cannot be centred; the odd column of zeros goes to the right, as TensorFlow's ``SAME`` does.

    Args:
        in_channels: filters of the input.
        out_channels: filters of the output.
        stride: 1 keeps the size, 2 halves it.
        bias: whether a bias is added; idle before a batch norm.
        quick: the cheaper backward pass of :mod:`deepxrd.models.paper.quick`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = True, quick: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, KERNEL, stride=stride, bias=bias)
        self._stride, self._quick = stride, quick

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in, h, w)`` to ``(batch, out, ceil(h / stride), ceil(w / stride))``."""
        top, bottom = self._padding(x.shape[-2], KERNEL[0])
        left, right = self._padding(x.shape[-1], KERNEL[1])
        padding = (left, right, top, bottom)
        if self._quick:
            return padded_conv2d(x, self.conv, padding)
        return self.conv(functional.pad(x, padding))  # type: ignore[no-any-return]

    def _padding(self, size: int, kernel: int) -> tuple[int, int]:
        n_out = -(-size // self._stride)
        total = max((n_out - 1) * self._stride + kernel - size, 0)
        return total // 2, total - total // 2


class ResidualBlock(nn.Module):
    """Two 3×2 convolutions and a shortcut, PReLU after each sum.

    Args:
        in_channels: filters of the input.
        out_channels: filters of the output.
        stride: of the first convolution and of the shortcut.
        project: a 1×1 convolution on the shortcut ("Res block1"); without it the shortcut is the input itself
            ("Res block2"), which needs equal shapes.
        norm: batch norm after each convolution.
        dropout: share of channels dropped between the two convolutions.
        quick: the cheaper backward passes of :mod:`deepxrd.models.paper.quick`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        project: bool,
        norm: bool,
        dropout: float,
        quick: bool = True,
    ) -> None:
        super().__init__()
        if not project and (stride != 1 or in_channels != out_channels):
            msg = f"an identity shortcut cannot join {in_channels} to {out_channels} filters with stride {stride}"
            raise ValueError(msg)
        self.conv1 = SameConv2d(in_channels, out_channels, stride=stride, bias=not norm, quick=quick)
        self.conv2 = SameConv2d(out_channels, out_channels, bias=not norm, quick=quick)
        self.norm1, self.norm2 = (nn.BatchNorm2d(out_channels) if norm else nn.Identity() for _ in range(2))
        self.act1, self.act2 = (prelu(out_channels, quick=quick) for _ in range(2))
        self.dropout = nn.Dropout2d(dropout)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=not norm)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_channels)) if norm else conv

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in, h, w)`` to ``(batch, out, ceil(h / stride), ceil(w / stride))``."""
        y = self.dropout(self.act1(self.norm1(self.conv1(x))))
        y = self.norm2(self.conv2(y))
        return self.act2(y + self.shortcut(x))  # type: ignore[no-any-return]
