"""The plain way to train against ours: speed, memory, time to the same score, and whether they learn the same.

    python benchmarks/bench_train.py --parquet mp-ternary.parquet --out results/speed

Writes ``train.json``; ``speed_page.py`` makes the page and the chart. Each way runs in a process of its own, through
Lightning: *plain* is float32, torch's own layers and layout, batches put together sample by sample by two workers;
*ours* is what ``deepxrd.train`` does; *ours-32* the same in float32; *ours-compiled* the same with
``callbacks=compiled``, on a GPU by CUDA graphs, *ours-graphs* with ``callbacks=cuda_graphs``. On a GPU, where there is
one, else on the CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch.utils.data import DataLoader, Dataset

from deepxrd.chem import parse_formula
from deepxrd.config import conf_dir, register
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.io.files import write_json
from deepxrd.io.memory import keep_freed_memory
from deepxrd.io.provenance import git_commit, machine, versions
from deepxrd.training.assemble import make_datamodule, make_module
from deepxrd.training.callbacks import CompileNetwork, StepSeed
from deepxrd.training.cuda_graphs import CudaGraphs
from deepxrd.training.quiet import quiet
from deepxrd.training.stop_on_nan import StopOnNaN
from deepxrd.training.trainer import resolve_precision
from floor import GPU, floor, wait

_LOSSES_KEPT = 16  # of the first steps: as many as the comparison of ways step by step has
WAYS = ("plain", "ours", "ours-32", "ours-compiled", "ours-graphs")


def main() -> None:
    """Run both ways and write what they took."""
    parser = arguments(__doc__, name="train", epochs=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=["plain", "ours"])
    parser.add_argument("--way", choices=WAYS, help="one way only, as JSON on the last line; for itself")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(train(options, options.way, options.seeds[0])))
        return
    runs = [in_a_process(options, way, seed) for seed in options.seeds for way in options.ways]
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    facts = {"machine": {**machine(), "threads": torch.get_num_threads()}, "versions": versions(), "command": command}
    bf16 = resolve_precision("auto", "auto") == "bf16-mixed"
    bound = floor(options.batch_size, torch.bfloat16 if bf16 else torch.float32)
    print(
        f"floor: {bound['floor_samples_per_s']:.0f} samples/s ({bound['arithmetic_samples_per_s']:.0f} by arithmetic)"
    )
    for run in runs:
        print(
            f"{run['way']}, seed {run['seed']}: {bound['floor_samples_per_s'] / run['samples_per_s']:.1f} × the floor"
        )
    result = {"commit": git_commit(), **facts, "runs": runs, "floor": bound}
    write_json(options.out / f"{options.name}.json", result)
    print(f"results: {options.out / options.name}.json")


def arguments(about: str | None, *, name: str, epochs: int) -> argparse.ArgumentParser:
    """What each benchmark of trainings can be told."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--data", choices=["abc3", "ternary"], default="abc3")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--batches", type=int, help="of an epoch; default: all")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument(
        "--scheduler", choices=["none", "cosine"], default="none", help="cosine: to a finished training"
    )
    parser.add_argument("--name", default=name, help="of the file that is written")
    return parser


def in_a_process(options: argparse.Namespace, way: str, seed: int) -> dict[str, Any]:
    """Run one way, so that its peak of memory is its own."""
    done = subprocess.run(command_of(options, way, seed), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)
    run: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}, seed {seed}: {run['samples_per_s']:.1f} samples/s, validation {run['val_loss']}", flush=True)
    return run


def command_of(options: argparse.Namespace, way: str, seed: int) -> list[str]:
    """This script for one way alone."""
    command = [sys.executable, __file__, "--parquet", str(options.parquet), "--data-dir", str(options.data_dir)]
    command += ["--batch-size", str(options.batch_size), "--epochs", str(options.epochs), "--seeds", str(seed)]
    command += ["--batches", str(options.batches)] if options.batches else []
    return [*command, "--scheduler", options.scheduler, "--data", options.data, "--way", way]


class Stopwatch(pl.Callback):
    """Time spent in training steps alone, and validation losses over all time."""

    def __init__(self) -> None:
        self.samples, self.seconds, self.began = 0, 0.0, 0.0
        self.val_loss: list[float] = []
        self.at_s: list[float] = []
        self.train_loss: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, _: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count, but for the first two steps, in which much is set up."""
        self.train_loss.append(outputs["loss"].detach())
        if trainer.global_step == 2 or batch_idx == 0:
            wait()
            self._since = time.perf_counter()
        elif trainer.global_step > 2:
            self.samples += len(batch[0])
            if trainer.is_last_batch:
                wait()
                self.seconds += time.perf_counter() - self._since

    def on_train_start(self, *_: Any) -> None:
        """Begin."""
        self.began = time.perf_counter()
        self.span_unix_s = [time.time()]

    def on_train_end(self, *_: Any) -> None:
        """End."""
        self.span_unix_s.append(time.time())

    def on_validation_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Note the loss."""
        self.val_loss.append(round(float(trainer.callback_metrics["val/loss"]), 6))
        self.at_s.append(round(time.perf_counter() - self.began, 2))


class NextEpoch(pl.Callback):
    """Tell the plain way's batch sampler of each epoch; Lightning looks for it where ours has it."""

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Before the next epoch's batches are drawn."""
        trainer.train_dataloader.batch_sampler.set_epoch(trainer.current_epoch + 1)


class Samples(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """One part of the data, sample by sample, as a plain data set would have it."""

    def __init__(self, datamodule: PatternDataModule, part: str) -> None:
        store = datamodule.data.store
        self._rows, self._patterns = datamodule.dataset(part).rows, store.patterns
        self._encoding = datamodule.data.encoding
        self._formulas = [parse_formula(text) for text in store.samples["composition"].iloc[self._rows]]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One-hot matrix and pattern."""
        x = torch.from_numpy(self._encoding.encode([self._formulas[i]])[0]).float()
        return x, torch.from_numpy(np.array(self._patterns[self._rows[i]]))


@quiet()
def train(options: argparse.Namespace, way: str, seed: int) -> dict[str, Any]:
    """Train one way; then time the forward pass."""
    ours = way != "plain"
    precision = resolve_precision("auto", "auto") if way in {"ours", "ours-compiled", "ours-graphs"} else "32-true"
    if ours:
        keep_freed_memory()
    pl.seed_everything(seed, workers=True, verbose=False)
    datamodule = make_datamodule(configuration(options, seed, ours=ours))
    module = make_module(configuration(options, seed, ours=ours), datamodule)
    watch = Stopwatch()
    further: list[pl.Callback] = [StopOnNaN(Path())] if ours else [NextEpoch()]
    if way == "ours-compiled":
        further.append(CompileNetwork("reduce-overhead" if GPU else "default"))
    if way == "ours-graphs":
        further.append(CudaGraphs())
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        precision=precision,
        max_epochs=options.epochs,
        limit_train_batches=options.batches or 1.0,
        num_sanity_val_steps=0,
        callbacks=[StepSeed(seed), watch, *further],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    if ours:
        trainer.fit(module, datamodule=datamodule)
    else:
        module.net.to(memory_format=torch.contiguous_format)
        trainer.fit(module, *plain_loaders(datamodule))
    test = trainer.test(module, datamodule=datamodule, verbose=False)[0]
    peak_mb = torch.cuda.max_memory_allocated() / 2**20 if GPU else peak_memory_mb()
    return {
        "way": way,
        "seed": seed,
        "precision": precision,
        "batch_size": options.batch_size,
        "steps": trainer.global_step,
        "epochs": options.epochs,
        "samples_per_s": watch.samples / watch.seconds,
        "span_unix_s": watch.span_unix_s,
        "peak_mb": peak_mb,
        "train_loss": [round(float(loss), 6) for loss in watch.train_loss[:_LOSSES_KEPT]],
        "val_loss": watch.val_loss,
        "at_s": watch.at_s,
        "test": {name.removeprefix("test/"): value for name, value in test.items()},
        "forward_per_s": forward_rate(module, datamodule),
        "device": torch.cuda.get_device_name() if GPU else "cpu",
    }


def plain_loaders(datamodule: PatternDataModule) -> list[DataLoader[Any]]:
    """The same batches in the same order, put together sample by sample by two workers."""
    ours = [datamodule.train_dataloader(), datamodule.val_dataloader()]
    return [
        DataLoader(Samples(datamodule, part), batch_sampler=loader.sampler, num_workers=2, persistent_workers=True)
        for part, loader in zip(("train", "val"), ours, strict=True)
    ]


def configuration(options: argparse.Namespace, seed: int, *, ours: bool) -> dict[str, Any]:
    """Of the data asked for."""
    register()
    overrides = [f"data={options.data}", "source=files", f"source.path={options.parquet.resolve()}", f"seed={seed}"]
    overrides += [f"data.batch_size={options.batch_size}", f"paths.data_dir={options.data_dir.resolve()}"]
    overrides += [f"scheduler={options.scheduler}", f"trainer.max_epochs={options.epochs}"]
    overrides += [] if ours else ["model.quick=false"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        plain: Any = OmegaConf.to_container(compose("train", overrides), resolve=True)
    return plain  # type: ignore[no-any-return]


def forward_rate(module: pl.LightningModule, datamodule: PatternDataModule, *, n: int = 1024) -> float:
    """Patterns per second of a forward pass in float32, 256 at a time."""
    dataset = datamodule.dataset("train")
    device = torch.device("cuda" if GPU else "cpu")
    module = module.eval().to(device)
    x = dataset[np.arange(256)][0].to(device)
    with torch.inference_mode():
        module(x)
        wait()
        start = time.perf_counter()
        for _ in range(n // 256):
            module(x)
        wait()
    return n / (time.perf_counter() - start)


def peak_memory_mb() -> float:
    """The most that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
