"""Parts from a package outside of deepxrd: each is trained with, or refused by a sentence."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn

import deepxrd
from deepxrd.errors import CheckpointError, ConfigError, FormulaError
from deepxrd.prediction.predictor import load_predictor
from deepxrd.training.run import RunResult
from task_table import Record

Train = Callable[..., RunResult]
GROUP = "Own parts"
HERE = __name__


class TwoOutputs(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Images(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Narrow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(512))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Lazy(nn.Module):
    """Asks for nothing: neither the shape of its input nor the number of points."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(1024), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Mistaken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.no_such_method()


class PerSample(nn.Module):
    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        return (predicted - true).square().mean(dim=1)


class Constant(nn.Module):
    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:  # noqa: ARG002
        return torch.tensor(1.0)


class Detached(Lazy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class Tired(Lazy):
    """Takes the samples that it is tried with, and none of a training."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise KeyError(x.shape)
        return super().forward(x)


class Fussy(nn.Module):
    """Raises in the hands of an own optimizer, which calls for the loss."""

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        if len(predicted) > 2:
            msg = "too many\nof them"
            raise RuntimeError(msg)
        return (predicted - true).square().mean()


class Wrong(deepxrd.Encoding):
    """No dataclass, so that its settings are not known."""

    shape = (3,)

    def encode(self, formulas: Any) -> Any:
        return np.zeros((len(formulas), 4))


class Twice:
    """No metric of ours."""


def kept(result: RunResult) -> dict[str, Any]:
    return yaml.safe_load((result.run_dir / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes of this file have a full name that can be imported."""
    monkeypatch.setitem(sys.modules, "parts.here", sys.modules[HERE])


def sentence(refused: pytest.ExceptionInfo[Exception]) -> str:
    return f"error: {refused.value}"


def test_a_network_by_a_file_of_settings_and_by_its_name(train: Train, record: Record) -> None:
    by_file = train("model=mine", name="file")
    by_name = train("model._target_=mylab.nets.Plain", "+model.width=32", name="name")
    assert kept(by_file)["model"] == kept(by_name)["model"] == {"_target_": "mylab.nets.Plain", "width": 32}
    pd.testing.assert_frame_equal(by_file.per_sample, by_name.per_sample)
    record(GROUP, "a network, `--config-dir myconf model=mine`", works=f"`model`: {by_file.metrics['model']}")
    record(
        GROUP,
        "a network by its name, `model._target_=mylab.nets.Plain +model.width=32`: `depth` of the default is left out",
        works=f"`config.yaml`: {kept(by_name)['model']}",
    )


def test_a_network_with_lazy_layers_that_asks_for_nothing(train: Train, record: Record) -> None:
    result = train("model._target_=parts.here.Lazy")
    assert result.metrics["parameters"] == 841 * 1024
    network = load_predictor(result.run_dir / "checkpoints/best.ckpt", trust=["parts.here.Lazy"])
    assert network.predict([network.check("SrTiO3")]).patterns.shape == (1, 1024)
    record(GROUP, "a network without `input_shape` and `n_points`, with lazy layers", works="861184 parameters")


@pytest.mark.parametrize(
    ("model", "task", "said"),
    [
        ("Narrow", "a network with too few outputs", r"Narrow gives 512 points, but xrd\.n_points is 1024"),
        ("Images", "a network that gives images", r"gives \(2, 1, 84, 10\) .*turns \(batch, 1, 84, 10\) into \(batch"),
        ("TwoOutputs", "a network that gives a pair", r"TwoOutputs gives tuple: a network turns"),
        ("Mistaken", "a network with a mistake in it", r"no_such_method.*\(test_own_parts\.py, line \d+\)"),
    ],
)
def test_a_network_of_another_shape_is_told_in_words(
    train: Train, record: Record, model: str, task: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        train(f"model._target_=parts.here.{model}")
    record(GROUP, task, refused=sentence(refused))


@pytest.mark.parametrize(
    ("settings", "task", "said"),
    [
        (["loss._target_=parts.here.Constant"], "a loss without a gradient", r"^Constant gives numbers without a grad"),
        (
            ["model._target_=parts.here.Detached"],
            "a network without one",
            r"^Detached gives numbers without a gradient",
        ),
        (
            ["model._target_=parts.here.Tired"],
            "a network that raises in a training",
            r"^parts\.here\.Tired raised KeyError: torch.Size.* \(test_own_parts\.py, line \d+\): mend it there$",
        ),
        (
            ["loss._target_=parts.here.Fussy", "optimizer=mine"],
            "a loss that raises",
            r"^parts\.here\.Fussy raised RuntimeError: too many \(test_own_parts\.py, line \d+\): mend it there$",
        ),
    ],
)
def test_an_error_in_an_own_part_names_it(
    train: Train, record: Record, settings: list[str], task: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        train(*settings)
    record(GROUP, task, refused=sentence(refused))


def test_a_module_that_is_no_python_is_named(train: Train, outside: Path, record: Record) -> None:
    (outside / "mylab/slip.py").write_text("class Net(:\n")
    with pytest.raises(
        ConfigError, match=r"^mylab\.slip\.Net: .* SyntaxError: .*\(slip\.py, line 1\): mend"
    ) as refused:
        train("model._target_=mylab.slip.Net")
    record(GROUP, "a module with a slip in it", refused=sentence(refused))


def test_an_error_of_the_program_keeps_its_traceback(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        msg = "ours"
        raise RuntimeError(msg)

    monkeypatch.setattr("deepxrd.training.pattern_module.PatternModule._add_loss", broken)
    with pytest.raises(RuntimeError, match=r"^ours$"):
        train("optimizer=mine")


def test_a_setting_that_a_network_does_not_take_is_named(train: Train, record: Record) -> None:
    with pytest.raises(ConfigError, match="unexpected keyword argument 'depth'") as refused:
        train("model._target_=mylab.nets.Plain", "model.depth=10")
    record(GROUP, "a setting that the network does not take, `model.depth=10`", refused=sentence(refused))
    with pytest.raises(ConfigError, match=r"model\.n_points=512, but the data have 1024"):
        train("model=mine", "+model.n_points=512")


def test_a_network_reads_an_own_checkpoint_when_it_is_named(train: Train, record: Record) -> None:
    checkpoint = train().run_dir / "checkpoints/best.ckpt"
    with pytest.raises(CheckpointError, match=r"--trust mylab\.nets\.Plain") as refused:
        load_predictor(checkpoint)
    record(GROUP, "`deepxrd predict --checkpoint` of an own network, not named", refused=sentence(refused))
    load_predictor(checkpoint, trust=["mylab.nets.Plain"])


def test_a_loss(train: Train, record: Record) -> None:
    result = train("loss=mine")
    assert kept(result)["loss"] == {"_target_": "mylab.losses.Huber", "delta": 10.0}
    record(GROUP, "a loss, `loss=mine`", works=f"`loss`: {result.metrics['loss']}")
    with pytest.raises(ConfigError, match=r"PerSample gives a tensor \(\d,\) for \d patterns.*one number") as refused:
        train("loss._target_=parts.here.PerSample", name="other")
    record(GROUP, "a loss that gives a number per sample", refused=sentence(refused))


def test_an_optimizer_and_a_scheduler(train: Train, record: Record) -> None:
    result = train("optimizer=mine", "scheduler=mine", "trainer.max_epochs=2")
    with (result.run_dir / "curves/metrics.csv").open(newline="") as stream:
        rates = [float(row["lr"]) for row in csv.DictReader(stream) if row["lr"]]
    assert rates == pytest.approx([0.0005, 0.00025])
    record(GROUP, "an optimizer, `optimizer=mine`", works=f"`optimizer`: {kept(result)['optimizer']['_target_']}")
    record(GROUP, "a scheduler, `scheduler=mine`", works="`curves/metrics.csv`, `lr`: 0.0005, 0.00025")
    other = train("optimizer._target_=torch.optim.RAdam", "optimizer.lr=0.002", name="radam")
    assert kept(other)["optimizer"] == {"_target_": "torch.optim.RAdam", "lr": 0.002}
    record(
        GROUP, "torch's other optimizers, `optimizer._target_=torch.optim.RAdam`", works=str(kept(other)["optimizer"])
    )


def test_an_encoding(train: Train, record: Record) -> None:
    result = train("data.encoding._target_=mylab.encodings.Magpie")
    content = torch.load(result.run_dir / "checkpoints/best.ckpt", weights_only=True)
    assert content["state_dict"]["net.layers.1.weight"].shape == (32, 30)
    assert content["hyper_parameters"]["encoding"]["_target_"] == "mylab.encodings.Magpie"
    trust = ["mylab.nets.Plain", "mylab.encodings.Magpie"]
    network = load_predictor(result.run_dir / "checkpoints/best.ckpt", trust=trust)
    assert network.predict([network.check("SrTiO3")]).patterns.shape == (1, 1024)
    with pytest.raises(FormulaError, match=r"cannot encode .*: He has no electronegativity"):
        network.check("LiHe")
    with pytest.raises(CheckpointError, match=r"trust=\[mylab\.encodings\.Magpie\]"):
        load_predictor(result.run_dir / "checkpoints/best.ckpt", trust=trust[:1])
    record(
        GROUP,
        "an encoding, `data.encoding._target_=mylab.encodings.Magpie`",
        works="30 numbers per formula, `(batch, 30)`",
    )


def test_an_encoding_is_checked(train: Train, record: Record) -> None:
    with pytest.raises(ConfigError, match="Wrong must be a dataclass") as refused:
        train("data.encoding._target_=parts.here.Wrong")
    record(GROUP, "an encoding that does not tell its settings", refused=sentence(refused))
    wrong = Wrong()
    with pytest.raises(ConfigError, match=r"Wrong gives an array \(1, 4\) for 1 formulas: its shape says \(1, 3\)"):
        deepxrd.encode(["SrTiO3"], wrong)
    from mylab.encodings import Magpie  # type: ignore[import-not-found]

    one = deepxrd.encode(["SrTiO3", "CaTiO3"], Magpie(properties=("Z",)))
    assert one.shape == (2, 5)
    assert one[0].tolist() == pytest.approx([16.8, 10.56, 8, 38, 30])  # (38 + 22 + 3·8)/5, mean distance from it, …


def test_a_source(train: Train, record: Record) -> None:
    result = train("source=mine", "data.name=cubes")
    assert result.metrics["n_train"] + result.metrics["n_val"] + result.metrics["n_test"] == 36
    assert result.per_sample["material_id"].str.startswith("cube-").all()
    record(
        GROUP,
        "a source of structures, `source=mine`",
        works="36 samples, such as cube-4",
    )


def test_a_score_is_in_the_metrics_the_table_and_the_curves(train: Train, record: Record) -> None:
    name = "strongest_peak_deg"
    result = train("metrics=mine", "callbacks.early_stopping.monitor=val/strongest_peak_deg")
    written = json.loads((result.run_dir / "metrics.json").read_text())
    assert written["test"][name] == pytest.approx(result.per_sample[name].mean())
    assert written["val"][name] >= 0
    record(
        GROUP,
        "a score, `metrics=mine`",
        works="`metrics.json`, `test`: strongest_peak_deg; `curves`: val/strongest_peak_deg",
    )
    with pytest.raises(ConfigError, match=r"'parts\.here\.Twice' is no Metric"):
        train("+metrics.x._target_=parts.here.Twice", name="other")
    with pytest.raises(ConfigError, match=r"metrics\.peak_f1_2deg: every run has a score of this name") as refused:
        train("+metrics.peak_f1_2deg._target_=mylab.metrics.StrongestPeak", name="third")
    record(GROUP, "a score by the name of another", refused=sentence(refused))


def test_a_callback(train: Train, record: Record) -> None:
    result = train("callbacks=mine")
    header = (result.run_dir / "curves/metrics.csv").read_text().splitlines()[0]
    assert "weight_norm" in header.split(",")
    assert {"early_stopping", "weight_norm"} == set(kept(result)["callbacks"])
    record(GROUP, "a callback, `callbacks=mine`", works="`curves/metrics.csv` has a column weight_norm")


def parts_of(result: RunResult, quick: list[str], *settings: str) -> dict[str, set[str]]:
    """Compositions in each part of a run's data."""
    data = deepxrd.datasets(deepxrd.compose([*quick, *settings]))
    assert set(data["test"].compositions) == set(result.per_sample["composition"])
    return {part: set(each.compositions) for part, each in data.items()}


def test_a_split_by_a_file(train: Train, record: Record, quick: list[str], tmp_path: Path) -> None:
    file = tmp_path / "parts.csv"
    lines = [
        f"{a}{b}O3,{part}" for a, part in (("Cd", "train"), ("Sr", "val"), ("Ba", "test")) for b in ("Ti", "Zr", "Hf")
    ]
    file.write_text("\n".join(["formula,part", *lines]))
    settings = ["data.split.by=file", f"data.split.file={file}"]
    result = train(*settings)
    parts = parts_of(result, quick, *settings)
    assert [len(parts[part]) for part in ("train", "val", "test")] == [3, 3, 3]
    assert all("Ba" in composition for composition in parts["test"])
    assert result.metrics["split"]["file"].startswith("parts:")
    record(
        GROUP,
        "a split by a table, `data.split.by=file data.split.file=parts.csv`",
        works="3 train, 3 val, 3 test; the others in no part",
    )
    file.write_text("\n".join(["formula,part", *lines, "TiCdO3,test"]))
    with pytest.raises(deepxrd.DeepXRDError, match=r"is in train \(parts\.csv, line 2\) and in test") as refused:
        train(*settings, name="other")
    record(GROUP, "a split by a table that has a composition in two parts", refused=sentence(refused))


def test_three_tables_of_the_form_of_mp20_are_source_and_split(
    train: Train, record: Record, quick: list[str], tmp_path: Path
) -> None:
    from pymatgen.core import Lattice, Structure

    folder = tmp_path / "mp_20"
    folder.mkdir()
    names = iter(range(100))
    elements = {"train": ("Li", "Na", "K", "Rb"), "val": ("Cs", "Li"), "test": ("Tl", "Ag", "Li")}
    for part, symbols in elements.items():
        rows = []
        for symbol in symbols:  # LiBr is in all three, as polymorphs are in MP-20: the lowest energy is taken
            number = next(names)
            cif = Structure(Lattice.cubic(3.5 + 0.1 * number), [symbol, "Br"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif")
            energy = -1.0 - 0.1 * (symbol == "Li") * number
            rows.append({"material_id": f"mp-{number}", "formation_energy_per_atom": energy, "band_gap": 1.0,
                         "pretty_formula": f"{symbol}Br", "e_above_hull": 0.0, "cif": cif})  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / f"{part}.csv")
    settings = [
        "data=ternary", "data.name=mp20", "data.selection.n_elements=null", f"source.path={folder}",
        "data.split.by=file", f"data.split.file={folder}",
    ]  # fmt: skip
    result = train(*settings)
    parts = parts_of(result, quick, *settings)
    assert parts == {"train": {"NaBr", "KBr", "RbBr"}, "val": {"CsBr"}, "test": {"TlBr", "AgBr", "LiBr"}}
    record(
        GROUP,
        "MP-20's three tables as source and split",
        works="a composition is in the part of the structure that is taken",
    )


class Remembering(Logger):
    """A logger of one's own."""

    told: dict[str, float] = {}  # noqa: RUF012 - shared on purpose: the run makes the object
    name, version = "remembering", "0"

    def __init__(self, save_dir: Path) -> None:
        super().__init__()
        self.folder = save_dir

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        self.told.update({key: value for key, value in params.items() if key == "seed"})

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # noqa: ARG002
        self.told.update(metrics)


def test_several_loggers(train: Train, record: Record) -> None:
    result = train("logger=[csv,tensorboard]", "+logger.own._target_=parts.here.Remembering")
    assert (result.run_dir / "curves/metrics.csv").exists()
    from tensorboardX.proto.event_pb2 import Event  # noqa: F401 - the extra is there

    [*files] = (result.run_dir / "tensorboard").glob("events.*")
    assert b"test/peak_f1_2deg" in b"".join(file.read_bytes() for file in files)
    told = Remembering.told
    assert told["seed"] == 42
    assert told["test/peak_f1_2deg"] == result.metrics["test"]["peak_f1_2deg"]
    record(GROUP, "several loggers, `logger=[csv,tensorboard]`", works="`curves/metrics.csv`, `tensorboard/events…`")
    record(
        GROUP, "a logger, `+logger.own._target_=…`", works="it is told settings, curves, test scores, the run's folder"
    )


def test_no_logger(train: Train, record: Record) -> None:
    result = train("logger=null")
    assert not (result.run_dir / "curves").exists()
    record(GROUP, "no logger, `logger=null`", works="`metrics.json` without `curves/`")


def test_a_logger_whose_package_is_missing(train: Train, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytorch_lightning.loggers.mlflow._MLFLOW_AVAILABLE", False)
    with pytest.raises(ConfigError, match=r"logger=mlflow needs a package.*deepxrd\[loggers\]") as refused:
        train("logger=mlflow")
    assert refused
    record(
        GROUP,
        "a logger whose package is missing",
        refused="error: logger=mlflow needs a package that is not there (…): pip install 'deepxrd[loggers]'",
    )


@pytest.mark.slow
def test_mlflow(train: Train, record: Record, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    where = f"sqlite:///{tmp_path / 'mlflow.db'}"
    result = train("logger=mlflow", f"logger.mlflow.tracking_uri={where}")
    client = MlflowClient(where)
    [run] = client.search_runs([client.get_experiment_by_name("deepxrd").experiment_id])
    assert run.data.params["loss/_target_"] == "deepxrd.losses.PearsonLoss"
    assert run.data.metrics["test/peak_f1_2deg"] == pytest.approx(result.metrics["test"]["peak_f1_2deg"])
    record(GROUP, "MLflow, `logger=mlflow`", works="`outputs/mlflow.db`: settings, curves, test scores")


def test_wandb_beside_the_csv(train: Train, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    result = train("logger=[csv,wandb]")
    assert list((result.run_dir / "wandb").glob("offline-run-*"))
    assert (result.run_dir / "curves/metrics.csv").exists()
    record(GROUP, "wandb beside the CSV, `logger=[csv,wandb]`", works="`curves/metrics.csv`, `wandb/offline-run-…`")
    shutil.rmtree(result.run_dir / "wandb")
