"""What each cheaper form gains, alone and in a whole training step; and what was tried and not kept.

    python benchmarks/bench_layers.py --out results/speed

Batch 128, bfloat16, channels last, forward and backward, on the CPU, in seconds of its processor, so that a machine
with other work may be used. Writes ``layers.json``. ``--compile`` adds torch.compile, which takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepxrd.io.files import write_json
from deepxrd.io.memory import keep_freed_memory
from deepxrd.io.provenance import git_commit, machine, versions
from deepxrd.metrics import pearson_distance
from deepxrd.models.paper import DeepXRDNet
from deepxrd.models.paper.quick import PReLU, padded_conv2d

BATCH = 128
PADDING = (0, 1, 1, 1)
SHAPES = ((64, 32, 32), (128, 21, 3), (64, 16, 16), (128, 8, 8))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    steps = {"freed memory given back": step_ms(DeepXRDNet(), fused=True)}
    keep_freed_memory()
    torch.manual_seed(0)
    layers = {**activations(), **convolutions(), **upsampled()}
    steps |= {
        "ours": step_ms(DeepXRDNet(), fused=True),
        "Adam not fused": step_ms(DeepXRDNet(), fused=False),
        "torch's own layers": step_ms(DeepXRDNet(quick=False), fused=True),
        "float32": step_ms(DeepXRDNet(), fused=True, bf16=False),
    }
    if options.compile:
        for name, quick in (("ours, compiled", True), ("torch's own layers, compiled", False)):
            net = DeepXRDNet(quick=quick)
            net.compile()
            steps[name] = step_ms(net, fused=True)
    result = {"layers_ms": layers, "step_ms": steps}
    for name, values in result.items():
        print(name, *(f"  {key}: {value}" for key, value in values.items()), sep="\n")
    facts = {"machine": {**machine(), "threads": torch.get_num_threads()}, "versions": versions()}
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    write_json(options.out / "layers.json", {"commit": git_commit(), **facts, "command": command, **result})
    print(f"results: {options.out / 'layers.json'}")


def activations() -> dict[str, dict[str, float]]:
    """PReLU at 32 × 32."""
    x = image(64, 32, 32)
    ways: dict[str, nn.Module] = {"torch": nn.PReLU(64).bfloat16(), "ours": PReLU(64)}
    return {"PReLU, 64 channels, 32×32": {name: milliseconds(layer, x) for name, layer in ways.items()}}


def convolutions() -> dict[str, dict[str, float]]:
    """3×2 convolutions of the network's most frequent shapes."""
    result = {}
    for channels, height, width in SHAPES:
        x, conv = image(channels, height, width), nn.Conv2d(channels, channels, (3, 2), bias=False).bfloat16()
        conv = conv.to(memory_format=torch.channels_last)
        result[f"3×2 convolution, {channels} channels, {height}×{width}"] = {
            "torch": milliseconds(lambda x, c=conv: c(functional.pad(x, PADDING)), x),
            "ours": milliseconds(lambda x, c=conv: padded_conv2d(x, c, PADDING), x),
        }
    return result


def upsampled() -> dict[str, dict[str, float]]:
    """Upsampling by two, then a 3×2 convolution; and the same as four smaller convolutions before the upsampling."""
    result = {}
    for channels, size in ((64, 16), (128, 8)):
        conv = nn.Conv2d(channels, channels, (3, 2), bias=False)
        x = torch.rand(2, channels, size, size)
        torch.testing.assert_close(folded(x, conv.weight), plain(x, conv), atol=1e-5, rtol=1e-5)
        conv = conv.bfloat16().to(memory_format=torch.channels_last)
        x = image(channels, size, size)
        result[f"upsampled 3×2 convolution, {channels} channels, {size}×{size} to {2 * size}×{2 * size}"] = {
            "torch": milliseconds(lambda x, c=conv: c(functional.pad(up(x), PADDING)), x),
            "ours": milliseconds(lambda x, c=conv: plain(x, c), x),
            "folded (not kept)": milliseconds(lambda x, c=conv: folded(x, c.weight), x),
        }
    return result


def up(x: Tensor) -> Tensor:
    """Each pixel twice, both ways."""
    return functional.interpolate(x, scale_factor=2)


def plain(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """As the network does it."""
    return padded_conv2d(up(x), conv, PADDING)


def folded(x: Tensor, weight: Tensor) -> Tensor:
    """The same in real arithmetic with half the products: rows and columns of the kernel that meet one pixel are added.

    An even row of the output sees the rows i - 1, i, i of the small image, an odd one i, i, i + 1; an even column the
    column j twice, an odd one j and j + 1.
    """
    rows = (
        torch.stack([weight[:, :, 0], weight[:, :, 1] + weight[:, :, 2]], 2),
        torch.stack([weight[:, :, 0] + weight[:, :, 1], weight[:, :, 2]], 2),
    )
    batch, _, height, width = x.shape
    out = x.new_empty(batch, height, 2, width, 2, weight.shape[0])
    for odd_row, kernel in enumerate(rows):
        tall = functional.pad(x, (0, 0, 1 - odd_row, odd_row))
        even = functional.conv2d(tall, kernel.sum(3, keepdim=True))
        odd = functional.conv2d(functional.pad(tall, (0, 1, 0, 0)), kernel)
        out[:, :, odd_row, :, 0] = even.permute(0, 2, 3, 1)
        out[:, :, odd_row, :, 1] = odd.permute(0, 2, 3, 1)
    return out.view(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)


def image(channels: int, height: int, width: int) -> Tensor:
    """Random images."""
    x = torch.randn(BATCH, channels, height, width, dtype=torch.bfloat16)
    return x.to(memory_format=torch.channels_last).requires_grad_()


def milliseconds(layer: Callable[[Tensor], Tensor], x: Tensor, *, repeats: int = 8) -> float:
    """Processor time of forward and backward pass, best of some."""
    grad = torch.randn_like(layer(x))
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        layer(x).backward(grad)
        taken.append(time.process_time() - start)
    return round(min(taken) * 1e3, 2)


def step_ms(net: nn.Module, *, fused: bool, bf16: bool = True, repeats: int = 6) -> float:
    """Processor time of a training step of the whole network, the median of some."""
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), fused=fused)
    x, true = (torch.rand(BATCH, 1, 84, 10) < 0.004).float(), torch.rand(BATCH, 1024)
    taken = []
    for _ in range(repeats + 1):
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            raw = net(x)
        pearson_distance(raw.float(), true).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.process_time() - start)
    return round(sorted(taken[1:])[repeats // 2] * 1e3, 1)


if __name__ == "__main__":
    main()
