"""The least time that work can take on this hardware: counted arithmetic and bytes over measured peaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from deepxrd.metrics import pearson_distance
from deepxrd.models.candidates.candidates import N_FEATURES
from deepxrd.models.candidates.saved import SHIPPED, load
from deepxrd.models.candidates.templates import WIDTH
from deepxrd.models.paper import DeepXRDNet

GPU = torch.cuda.is_available()
BYTES = {torch.float32: 4, torch.bfloat16: 2}


class Products(TorchDispatchMode):
    """Counts of each convolution and product of matrices: operations, and numbers that it has to read and write.

    What stands between them (norms, activations, sums) can be had for nothing in the best of cases, while numbers pass
    anyway, and is left out: a floor may be too low, not too high.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[tuple[int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        operations = flop_registry.get(func._overloadpacket)  # noqa: SLF001 - as torch's own counter does
        if operations is not None:
            outputs = out if isinstance(out, tuple) else (out,)
            numbers = sum(x.numel() for x in (*args, *outputs) if isinstance(x, Tensor))
            self.counts.append((operations(*args, **(kwargs or {}), out_val=out), numbers))
        return out


def floor(batch_size: int, dtype: torch.dtype) -> dict[str, float]:
    """Least time of a sample, forward and backward, in the precision of ``dtype``.

    Each product takes at least as long as its operations at the peak rate, and as its bytes at the rate of a copy; the
    floor is the sum over all of the longer of the two.
    """
    net = DeepXRDNet(quick=False)
    with Products() as products:
        raw = net(torch.zeros(batch_size, 1, *net.input_shape))
        n_forward = len(products.counts)
        pearson_distance(raw, torch.rand(batch_size, net.n_points)).mean().backward()
    peak = {str(d).removeprefix("torch."): peak_flops(d) for d in BYTES}
    rate, bandwidth = peak[str(dtype).removeprefix("torch.")], peak_bytes_per_s()
    times = [(flops / rate, numbers * BYTES[dtype] / bandwidth) for flops, numbers in products.counts]
    return {
        "gflop_forward": sum(flops for flops, _ in products.counts[:n_forward]) / batch_size / 1e9,
        "gflop_per_sample": sum(flops for flops, _ in products.counts) / batch_size / 1e9,
        "mb_per_sample": sum(numbers for _, numbers in products.counts) * BYTES[dtype] / batch_size / 1e6,
        **{f"peak_{name}_gflops": value / 1e9 for name, value in peak.items()},
        "peak_gb_per_s": bandwidth / 1e9,
        "arithmetic_samples_per_s": batch_size / sum(arithmetic for arithmetic, _ in times),
        "floor_samples_per_s": batch_size / sum(max(pair) for pair in times),
    }


def screening_floor(n: int = 64) -> dict[str, dict[str, float]]:
    """What the networks of the model that comes with deepxrd need for a formula at the least, by quality.

    All else (the search, trees, simulation, decoding, files) is counted as nothing.
    """
    whole, peak = load(SHIPPED), peak_flops(torch.float32)
    out = {}
    for quality, model in (("full", whole), ("fast", whole.faster())):
        k, width = model.most, 2 * WIDTH
        inputs = (torch.zeros(n, k, N_FEATURES), torch.ones(n, k, width, dtype=torch.int64))
        mask, patterns = torch.ones(n, k, dtype=torch.bool), torch.rand(n, k, model.xrd.n_points)
        with torch.no_grad(), Products() as products:
            for net in model.nets:
                net(*inputs, mask, patterns)
        gflop = sum(flops for flops, _ in products.counts) / n / 1e9
        out[quality] = {"gflop_per_formula": gflop, "peak_gflops": peak / 1e9, "per_s": peak / 1e9 / gflop}
    return out


def peak_flops(dtype: torch.dtype) -> float:
    """Best of a product of square matrices and of the network's largest convolution, operations per second."""
    device, size = ("cuda", 8192) if GPU else ("cpu", 2048)
    a = torch.randn(size, size, device=device, dtype=dtype)
    x = torch.randn(128, 64, 34, 33, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.randn(64, 64, 3, 2, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    product = 2 * size**3 / _seconds(lambda: a @ a)
    convolution = 2 * 128 * 64 * 64 * 6 * 32 * 32 / _seconds(lambda: torch.nn.functional.conv2d(x, kernel))
    return max(product, convolution)


def peak_bytes_per_s() -> float:
    """Best of copies of 16 MB, as large as the network's largest images, and of 512 MB; read and written."""
    rates = []
    for n_bytes in (2**24, 2**29):
        source = torch.ones(n_bytes // 4, device="cuda" if GPU else "cpu")
        target = torch.empty_like(source)
        rates.append(2 * n_bytes / _seconds(lambda target=target, source=source: target.copy_(source)))
    return max(rates)


def wait() -> None:
    """For all work of a GPU."""
    if GPU:
        torch.cuda.synchronize()


def _seconds(work: Callable[[], object], *, repeats: int = 7) -> float:
    work()
    taken = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - start)
    return min(taken)
