"""Layers that compute what torch's own do, with backward passes that cost less on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Padding = tuple[int, int, int, int]
"""Zeros to the left, right, top and bottom, as :func:`torch.nn.functional.pad` takes them."""
_CHANNELS_FOR_PRODUCT = (
    128  # from here on a gradient of weights is quicker as one product of matrices (results/speed.md)
)


class PReLU(nn.PReLU):
    """``max(0, x) + weight · min(0, x)`` of images, one weight per channel.

    On a CPU torch's backward pass of it is not vectorised and takes as long as that of a convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, h, w)`` to the same shape."""
        if x.device.type == "cpu" and torch.is_grad_enabled():
            return _PReLUFunction.apply(x, self.weight)  # type: ignore[no-any-return,no-untyped-call]
        return functional.prelu(x, self.weight.to(x.dtype))


class _PReLUFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.prelu(x, weight.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        [grad] = grads
        above = torch.ops.aten.threshold_backward(grad, x, 0.0)  # where x > 0
        below = grad - above
        grad_x = torch.addcmul(above, below, weight.to(x.dtype)[:, None, None])
        return grad_x, below.mul_(x).sum((0, 2, 3)).to(weight.dtype)


def padded_conv2d(x: Tensor, conv: nn.Conv2d, padding: Padding) -> Tensor:
    """Pad by zeros, then convolve.

    In bfloat16 on a CPU, oneDNN's backward passes reach half the speed of its forward pass; so there the gradient of
    the input is computed as a forward convolution, which needs no padding undone, and that of wide layers' weights as
    a product of matrices.
    """
    if x.device.type == "cpu" and conv.stride == (1, 1) and torch.is_grad_enabled():
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        if dtype == torch.bfloat16:
            bias = None if conv.bias is None else conv.bias.to(dtype)
            y: Tensor = PaddedConv.apply(x.to(dtype), conv.weight.to(dtype), bias, padding)  # type: ignore[no-untyped-call]
            return y
    return conv(functional.pad(x, padding))  # type: ignore[no-any-return]


class PaddedConv(torch.autograd.Function):
    """A convolution of stride 1 after a padding by zeros, no larger than the kernel allows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: Padding) -> Tensor:
        """``(batch, in, h, w)`` to ``(batch, out, h', w')``."""
        padded = functional.pad(x, padding)
        ctx.save_for_backward(padded, weight)
        ctx.padding, ctx.has_bias = padding, bias is not None
        return functional.conv2d(padded, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        """Gradients of input, weight and bias."""
        padded, weight = ctx.saved_tensors
        [grad] = grads
        height, width = weight.shape[2:]
        left, right, top, bottom = ctx.padding
        around = (width - 1 - left, width - 1 - right, height - 1 - top, height - 1 - bottom)
        grad_x = functional.conv2d(functional.pad(grad, around), weight.flip(2, 3).transpose(0, 1))
        grad_bias = grad.sum((0, 2, 3)) if ctx.has_bias else None
        return grad_x, _weight_gradient(padded, weight, grad), grad_bias, None


def _weight_gradient(padded: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    n_out, n_in, height, width = weight.shape
    if min(n_in, n_out) < _CHANNELS_FOR_PRODUCT:
        arguments = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False])
        gradient: Tensor = torch.ops.aten.convolution_backward(grad, padded, weight, None, *arguments)[1]
        return gradient
    patches = padded.permute(0, 2, 3, 1).unfold(1, height, 1).unfold(2, width, 1)  # batch, h', w', in, height, width
    rows = patches.permute(0, 1, 2, 4, 5, 3).reshape(-1, height * width * n_in)
    product = grad.permute(0, 2, 3, 1).reshape(-1, n_out).t() @ rows
    return product.view(n_out, height, width, n_in).permute(0, 3, 1, 2)
