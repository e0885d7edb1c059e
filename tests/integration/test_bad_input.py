"""Every mistake of a user ends with exit code 2, a message that names it, no traceback, and nothing lost."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Done = subprocess.CompletedProcess[str]


def refused(done: Done, *expected: str) -> None:
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "Error executing job" not in done.stderr
    for text in expected:
        assert text in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("XxTiO3", "'Xx'"), ("SrTi(O3", "never closed"), ("SrTi10O3", "10 atoms of Ti"), ("HeTiO3", "element He")],
)
def test_formulas(command: Command, trained: Path, tmp_path: Path, formula: str, expected: str) -> None:
    done = command("cli", "predict", "SrTiO3", formula, "--checkpoint", str(trained / "checkpoints/best.ckpt"))
    refused(done, expected, formula if "(" in formula else "")
    assert not (tmp_path / "patterns").exists()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data.selection.stoichiometry=AB7"], ["AB7 has 2 elements", "n_elements=2"]),
        (["source.path=missing.parquet"], ["no such file or folder: missing.parquet", "source.path=PATH"]),
        (["source.path=null"], ["source.path=PATH"]),
        (["source.path=."], ["no CIF, POSCAR or CSV file"]),
        (["optimizer.lrr=0.1"], ["lrr"]),
        (["optimzer.lr=0.1"], ["optimzer"]),
        (["data=abc4"], ["abc4", "prototypes"]),
        (["optimizer.lr=fast"], ["lr"]),
        (["model.depth=12"], ["model.depth=12: give one of ", "10, 15, 20, 25"]),
        (["xrd.radiation=CuK"], ["'CuK'", "CuKa"]),
        (["xrd.two_theta_max_deg=200"], ["200"]),
        (["data.split.train=0.95"], ["0.95"]),
        (["model._target_=os.system"], ["'os.system' is no class; set _target_"]),
        (["logger=[csv,foo]"], ["logger=foo: there is no such choice; choose one of csv, mlflow, "]),
        (["model._target_=deepxrd.models.Nothing"], ["deepxrd.models.Nothing"]),
        (["resume=nowhere"], ["nowhere"]),
        (["trainer.precision=17"], ["trainer.precision=17: give one of auto, 32-true"]),
        (["scheduler=plateau", "scheduler.monitor=foo"], ["scheduler.monitor='foo': the scores of a training"]),
        (["data.batch_size=0"], ["error: data.batch_size=0: give a whole number from 1 to 1000000"]),
        (["threads=-3"], ["threads=-3: give"]),
        (["threads=1000"], ["threads=1000: this process may use ", "core"]),
        (["xrd.sigma_deg=abc"], ["xrd.sigma_deg='abc': give a finite number"]),
        (["xrd.sigma_deg=-1"], ["xrd.sigma_deg=-1: give a finite number at least 0.0001 and at most 90, or 0\n"]),
        (["data=null"], ["data=null: name one of the options"]),
        (["~optimizer"], ["optimizer=null: give settings"]),
        (["trainer.devices=99"], ["trainer.devices=99", "CPU cores"]),
        ([f"hydra.run.dir={'x' * 300}"], ["File name too long"]),
    ],
)
def test_settings(command: Command, small: list[str], overrides: list[str], expected: list[str]) -> None:
    refused(command("train", *small, "hydra.run.dir=run", *overrides), *expected)


@pytest.mark.parametrize("module", ["train", "prepare", "evaluate"])
def test_what_a_source_lacks_is_told_before_what_takes_seconds_is_imported(tmp_path: Path, module: str) -> None:
    (tmp_path / "wrong.xlsx").touch()
    code = (
        f"import sys\nfrom deepxrd.{module} import main\ntry:\n    main()\nexcept SystemExit as end:\n"
        "    print(end.code, sorted({'torch', 'pandas', 'pytorch_lightning'} & set(sys.modules)))\n"
    )
    settings = [
        "data=abc3",
        "source=files",
        "source.path=wrong.xlsx",
        *(["model=mean"] if module == "evaluate" else []),
    ]
    command = [sys.executable, "-c", code, *settings]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "its ending '.xlsx'" in done.stderr
    assert done.stdout == "2 []\n"


def test_a_checkpoint_that_is_none(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_text("no checkpoint")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", "x.ckpt"), "x.ckpt is no checkpoint")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", "y.ckpt"), "no checkpoint at y.ckpt")


def test_a_checkpoint_made_with_another_encoding(command: Command, trained: Path, tmp_path: Path) -> None:
    content = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    content["hyper_parameters"]["encoding"]["elements"] = content["hyper_parameters"]["encoding"]["elements"][:40]
    torch.save(content, tmp_path / "other.ckpt")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", "other.ckpt"), "other.ckpt", "another encoding")


def test_a_damaged_store(command: Command, small: list[str], trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.parent / "data", tmp_path / "data")
    [patterns] = (tmp_path / "data/stores").glob("*/patterns.npy")
    content = bytearray(patterns.read_bytes())
    content[-1] ^= 1
    patterns.write_bytes(content)
    refused(command("train", *small), "patterns.npy does not match the hash", "delete")


def test_a_loss_that_is_no_longer_a_number(command: Command, small: list[str], tmp_path: Path) -> None:
    done = command(
        "train", *small, "loss=mse", "optimizer.lr=1e30", "trainer.max_epochs=30", "hydra.run.dir=run", timeout=240
    )
    refused(done, "not a finite number in epoch", "optimizer.lr")
    assert not (tmp_path / "run/metrics.json").exists()
    assert not (tmp_path / "run/checkpoints/best.ckpt").exists()


def test_a_mangled_file_of_formulas(command: Command, trained: Path, tmp_path: Path) -> None:
    checkpoint = str(trained / "checkpoints/best.ckpt")
    (tmp_path / "f.csv").write_text("compound class\nSrTiO3\n")
    refused(
        command("cli", "predict", "--file", "f.csv", "--checkpoint", checkpoint),
        "no column 'formula'",
        "compound class",
    )
    refused(command("cli", "predict", "--file", "g.csv", "--checkpoint", checkpoint), "no such file: g.csv")
    refused(command("cli", "predict", "--checkpoint", checkpoint), "--file formulas.csv")
    (tmp_path / "two.csv").write_text("formula,formula\nSrTiO3,BaTiO3\n")
    refused(command("cli", "predict", "--file", "two.csv", "--checkpoint", checkpoint), "columns", "formula")


def test_a_device_that_is_not_there_and_a_place_that_cannot_be_written(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    checkpoint = str(trained / "checkpoints/best.ckpt")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", checkpoint, "--device", "abacus"), "'abacus'", "cpu")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", checkpoint, "--device", "meta"), "'meta'", "cpu")
    nowhere = "/proc/nowhere" if Path("/proc").is_dir() else "x" * 300
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", checkpoint, "--out", nowhere), "choose another place")
    (tmp_path / "taken").write_text("a file")
    refused(command("cli", "predict", "SrTiO3", "--checkpoint", checkpoint, "--out", "taken"), "taken", "another place")
    (tmp_path / "latin.csv").write_bytes("formula\nSrTiO3\nü\n".encode("latin-1"))
    refused(command("cli", "predict", "--file", "latin.csv", "--checkpoint", checkpoint), "line 3")
