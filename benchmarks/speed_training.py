"""The sections of the page of speed on training: plain against ours, and whether both learn the same."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from speed_tables import provenance, table

TOLERANCE = {"ours-32": (1e-4, 1e-2, 5e-3), "ours": (1e-3, 1e-2, 5e-3)}
"""How far a loss may be from the plain way's: in the first step, in steps 2 to 4, and in the mean of all."""

SCORES = ("peak_f1_2deg", "peak_f1_1deg", "peak_f1_0.5deg", "cosine_distance", "pearson_distance")
FINISHED = {"ours": "ours, by seed", "ours-32": "ours in float32, by seed"}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t, two-sided 95 %, by the number of seeds."""


def training(results: list[dict[str, Any]]) -> str:
    """Plain against ours, on one core and on all."""
    header, columns = [""], []
    for result in results:
        n = result["machine"]["threads"]
        header += [f"plain, {n} thread{'s' * (n > 1)}", "ours", ""]
        columns.append(compared(result))
    rows = [(name, *(cell for column in columns for cell in column[name])) for name in columns[0]]
    result = results[0]
    floor, plain = result["floor"], next(run for run in result["runs"] if run["way"] == "plain")
    bfloat16, float32, bound = (
        floor[key] for key in ("peak_bfloat16_gflops", "peak_float32_gflops", "floor_samples_per_s")
    )
    ran = "\n".join(f"- {provenance(result)}" for result in results)
    return f"""## Training (older)

The network of Table 1 on ABC3 (1,801 compositions), batches of {plain["batch_size"]}, {len(plain["val_loss"])} epochs,
one seed, through Lightning. *Plain*: float32, torch's own layers and layout, batches put together sample by sample by
two workers. *Ours*: what `deepxrd.train` does by default. In these runs the plain way drew the batches of its first
epoch in every epoch (mended since, in the sections below); that touches no speed, and its losses a little.

{table(header, rows)}

{ran}

![Validation loss over time, both ways](speed/train.png)

The floor counts {floor["gflop_per_sample"]:.2f} GFLOP per sample forward and backward ({floor["gflop_forward"]:.2f}
forward) and {floor["mb_per_sample"]:.1f} MB that convolutions and products must read and write. Each takes the longer
of two times: at the best that a product of matrices or the largest convolution reaches here
({bfloat16:.0f} GFLOP/s in bfloat16, {float32:.0f} in float32; one thread), and at the best of a copy
({floor["peak_gb_per_s"]:.0f} GB/s). That makes {bound:.0f} samples per s on one thread,
{bound / plain["samples_per_s"]:.1f} times the plain way; by arithmetic alone {floor["arithmetic_samples_per_s"]:.0f}.
Norms, activations and sums are counted as nothing. The aim was 8 times the plain way; where the plain way is already
this near to the hardware, no arrangement of the same arithmetic reaches it."""


def compared(result: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Rows of the table of training: the plain way, ours, and by how much ours is better."""
    plain, ours = (next(run for run in result["runs"] if run["way"] == way) for way in ("plain", "ours"))
    goal = max(min(plain["val_loss"]), min(ours["val_loss"]))
    reached = [seconds_to(run, goal) for run in (plain, ours)]
    bound = result["floor"]["floor_samples_per_s"]
    return {
        "precision": (plain["precision"], ours["precision"], ""),
        "training, samples per s": pair(plain, ours, "samples_per_s"),
        "forward only, patterns per s (float32)": pair(plain, ours, "forward_per_s"),
        "s to the same validation loss, validation included": (
            f"{reached[0]:.0f}", f"{reached[1]:.0f}", f"× {reached[0] / reached[1]:.1f}",
        ),
        "peak memory, MB": (f"{plain['peak_mb']:.0f}", f"{ours['peak_mb']:.0f}", ""),
        "time over the floor": (f"{bound / plain['samples_per_s']:.1f}", f"{bound / ours['samples_per_s']:.1f}", ""),
    }  # fmt: skip


def pair(plain: dict[str, Any], ours: dict[str, Any], key: str) -> tuple[str, str, str]:
    """Both values, and by how much ours is larger."""
    return f"{plain[key]:.1f}", f"{ours[key]:.1f}", f"× {ours[key] / plain[key]:.1f}"


def seconds_to(run: dict[str, Any], loss: float) -> float:
    """When a run first had a validation loss as low as that."""
    return float(next(t for value, t in zip(run["val_loss"], run["at_s"], strict=True) if value <= loss + 1e-9))


def parity(result: dict[str, Any]) -> str:
    """Whether both ways learn the same."""
    runs = {(run["way"], run["seed"]): run for run in result["runs"]}
    seeds = sorted({seed for _, seed in runs})
    rows, off = [], {"ours-32": [], "ours": []}
    for seed in seeds:
        plain = np.array(runs["plain", seed]["train_loss"])
        for way in ("ours-32", "ours"):
            gap = np.abs(np.array(runs[way, seed]["train_loss"]) - plain)
            change = runs[way, seed]["val_loss"][-1] - runs["plain", seed]["val_loss"][-1]
            off[way].append(change)
            gaps = gap[0], gap[1:4].max(), gap.mean()
            if any(found > allowed for found, allowed in zip(gaps, TOLERANCE[way], strict=True)):
                sys.exit(f"{way}, seed {seed}: losses are off by {gaps}, more than {TOLERANCE[way]}")
            name = {"ours-32": "ours in float32", "ours": "ours (bfloat16)"}[way]
            losses = f"{runs['plain', seed]['val_loss'][-1]:.4f}", f"{runs[way, seed]['val_loss'][-1]:.4f}"
            rows.append((seed, name, f"{gap[0]:.1e}", f"{gap[1:4].max():.1e}", f"{gap.mean():.4f}", *losses))
    spread = np.std([runs["plain", seed]["val_loss"][-1] for seed in seeds], ddof=1)
    first = runs["plain", seeds[0]]
    steps, batch, epochs = first["steps"], first["batch_size"], len(first["val_loss"])
    means = f"{np.mean(off['ours-32']):+.4f} (float32) and {np.mean(off['ours']):+.4f} (bfloat16)"
    header = ("seed", "way", "first step", "steps 2 to 4, at most", "all steps, mean", "val, plain", "val, ours")
    return f"""## The same numbers (older)

Same seed, same batches in the same order, {steps} steps of {batch} in {epochs} epochs: how far the loss of a
training step is from that of the plain way, and the last validation loss. {provenance(result)}

{table(header, rows)}

Tolerances, held by the script that makes this page: 1e-4 in the first step in float32 and 1e-3 in bfloat16, 0.01 in
steps 2 to 4, 0.005 in the mean. The first step differs by rounding alone; from there on rounding grows as it does
between any two orders of summing. So few steps say little of a finished training; for that, see below.
Last validation losses differ from the plain way's by {means} in the mean of
{len(seeds)} seeds; those of different seeds, all plain, scatter by {spread:.4f} (standard deviation). In float64
outputs and gradients are equal to 1e-10 layer by layer and to 1e-8 through the whole network
(`tests/unit/models/paper/test_quick.py`). Two processes (DDP) and one give the same losses and scores
(`tests/integration/test_ddp.py`)."""


def finished(results: list[dict[str, Any]]) -> str:
    """Whether all ways end with the same scores."""
    runs = {(run["way"], run["seed"]): run for result in results for run in result["runs"]}
    seeds = sorted({seed for way, seed in runs if way == "plain"})
    first, rows = runs["plain", seeds[0]], []
    for name in SCORES:
        plain = np.array([runs["plain", seed]["test"][name] for seed in seeds])
        row = [f"`{name}`", f"{by_seed(plain)} (scatter {plain.std(ddof=1):.4f})"]
        for way in FINISHED:
            ours = np.array([runs[way, seed]["test"][name] for seed in seeds])
            error = T_95[len(seeds)] * (ours - plain).std(ddof=1) / np.sqrt(len(seeds))
            change = f"{(ours - plain).mean():+.4f} ± {error:.4f}"
            row += [by_seed(ours), f"**{change}**" if abs((ours - plain).mean()) > error else change]
        rows.append(row)
    header = ["test part", "plain, by seed"]
    for name in FINISHED.values():
        header += [name, "less plain, 95 %"]
    n_bold = sum(cell.startswith("**") for row in rows for cell in row)
    verdict = f"Of {len(SCORES) * len(FINISHED)} differences, {n_bold} do not."
    ran = "\n".join(f"- {provenance(result)}" for result in results)
    return f"""## The same scores (older)

Whole trainings: {first["epochs"]} epochs in batches of {first["batch_size"]}, the learning rate falling to zero
by a cosine, seeds {", ".join(map(str, seeds))}; the last weights on the 502 test compositions.

{table(header, rows)}

{ran}

Intervals are of paired differences over seeds (Student's t); bold ones do not hold zero. {verdict}"""


def by_seed(values: NDArray[np.float64]) -> str:
    """One number after another."""
    return " / ".join(f"{value:.4f}" for value in values)


def layers(result: dict[str, Any]) -> str:
    """What each form gains."""
    rows = [(n, v["torch"], v["ours"], v.get("folded (not kept)", "")) for n, v in result["layers_ms"].items()]
    ours = result["step_ms"]["ours"]
    steps = [(name, ms, f"{ms / ours - 1:+.0%}") for name, ms in result["step_ms"].items()]
    return f"""## What each part gains (older)

Forward and backward pass of a batch of 128 in bfloat16, channels last, in ms of one processor. {provenance(result)}

{table(("layer", "torch", "ours", "folded (not kept)"), rows)}

A whole training step, each row one change to *ours*:

{table(("step", "ms", ""), steps)}"""


def chart(result: dict[str, Any]) -> Figure:
    """Validation loss over seconds, both ways."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for run, colour in zip(result["runs"], ("tab:red", "tab:blue"), strict=True):
        label = f"{run['way']}: {run['samples_per_s']:.0f} samples/s"
        axes.plot(run["at_s"], run["val_loss"], "o-", color=colour, label=label)
    axes.set(xlabel="seconds, validation included", ylabel="validation loss (1 − Pearson)", xlim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
