"""Samples a second of the paper's network's training steps on a GPU, by CUDA graphs of plain and of compiled kernels.

    python benchmarks/gpu/steps.py --depth 20 --batch-size 128 --seconds 3

One process, random batches, bfloat16, Adam. The last line names the way for ``benchmarks/gpu/tables.sh``: compiled
where that is a tenth faster, plain otherwise.
"""

from __future__ import annotations

import argparse
import copy
import time

import torch
from torch import nn

from deepxrd.models.paper import DeepXRDNet, channels_last
from deepxrd.training.cuda_graphs import recorded

WORTH_IT = 1.1


def main() -> None:
    """Time both ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to time each way")
    options = parser.parse_args()
    torch.manual_seed(0)
    net = channels_last(DeepXRDNet(depth=options.depth)).cuda().train()
    rates = {}
    for compiled in (False, True):
        rates[compiled] = samples_per_s(copy.deepcopy(net), options, compiled=compiled)
    better = rates[True] > WORTH_IT * rates[False]
    print(f"callbacks.cuda_graphs.compiled={str(better).lower()}")


def samples_per_s(net: nn.Module, options: argparse.Namespace, *, compiled: bool) -> float:
    """Train on one random batch for a while; the first steps, which record, are not counted."""
    net.forward = recorded(net, compiled=compiled)  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    x = (torch.rand(options.batch_size, 1, 84, 10, device="cuda") > 0.99).float()  # a few counts each
    y = torch.rand(options.batch_size, 1024, device="cuda")
    began = time.perf_counter()
    losses = [step(net, optimizer, x, y) for _ in range(10)]
    torch.cuda.synchronize()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < options.seconds:
        losses.append(step(net, optimizer, x, y))
        steps += 1
        if steps % 20 == 0:
            torch.cuda.synchronize()  # so that the clock does not run ahead of the GPU
    torch.cuda.synchronize()
    rate = steps * options.batch_size / (time.perf_counter() - started)
    print(
        f"{'compiled' if compiled else 'plain'}: {rate:.0f} samples/s, {started - began:.1f} s before them, "
        f"losses {[round(float(loss), 6) for loss in losses[:10]]}",
        flush=True,
    )
    return rate


def step(net: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """One step of training, and its loss."""
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = (net(x).float() - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


if __name__ == "__main__":
    main()
