"""What a stored file may name, and what of stored settings is followed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepxrd.config import conf_dir
from deepxrd.config.allowed import STORED, check_targets, current_name, names_in
from deepxrd.config.trust import check_stored, read_overrides, typed_values
from deepxrd.errors import ConfigError

WHERE = Path("theirs/config.yaml")
OPTIMADE = "deepxrd.sources.optimade.OptimadeSource"


def settings(**source: Any) -> dict[str, Any]:
    return {
        "source": {"_target_": "deepxrd.sources.files.FilesSource", "path": "x.csv", **source},
        "data": {"name": "x"},
    }


def test_a_run_may_name_what_our_own_configurations_name() -> None:
    """Baselines are never a part of a run, a launcher is Hydra's, and other loggers send, or write elsewhere."""
    found = set()
    for file in conf_dir().rglob("*.yaml"):
        found |= set(re.findall(r"_target_: ([\w.]+)", file.read_text(encoding="utf-8"))) - {"null"}
    left = {name for name in found if current_name(name) not in STORED}
    assert left - {name for name in left if name.startswith(("deepxrd.models.baselines.", "hydra_plugins."))} == {
        "deepxrd.sweeps.callback.PlanSweep",
        *(f"pytorch_lightning.loggers.{name}Logger" for name in ("MLFlow", "TensorBoard", "Wandb")),
    }


def test_names_are_found_wherever_they_stand() -> None:
    tree = {"a": [{"_target_": "x.Y"}, 1], "b": {"c": {"_target_": "deepxrd.models.DeepXRDNet"}}, "_target_": None}
    assert list(names_in(tree)) == ["x.Y", "deepxrd.models.paper.DeepXRDNet"]
    with pytest.raises(ConfigError, match=r"'x\.Y'.*trust=\[x\.Y\]"):
        check_targets(tree, [], where="f")
    check_targets(tree, ["x.Y"], where="f")
    check_targets({"_target_": "deepxrd.models.resnet.DeepXRDNet"}, [], where="f")


@pytest.mark.parametrize(
    "name", ["os.system", "deepxrd.io.files.write_text", "torch.optim.Adam.x", "torch.nn.Linear", ""]
)
def test_no_other_name_is_followed(name: str) -> None:
    with pytest.raises(ConfigError, match="names the class"):
        check_targets({"_target_": name}, [], where="f")


def test_what_is_typed_is_a_tree() -> None:
    typed = typed_values(["source.path=a.csv", "+trust=[x.Y]", "source.offline=false", "data=abc3", "not an override"])
    assert typed == {"source": {"path": "a.csv", "offline": False}, "trust": ["x.Y"], "data": "abc3"}


def test_a_stored_source_that_downloads_reads_only_what_it_has() -> None:
    stored = settings(_target_=OPTIMADE, provider="http://theirs.example")
    assert check_stored(stored, typed={}, where=WHERE)["source"]["offline"] is True
    assert "offline" not in stored["source"]
    with pytest.raises(ConfigError, match=r"type source\.provider=http://theirs\.example"):
        check_stored(stored, typed={"source": {"offline": False}}, where=WHERE)
    typed = {"source": {"offline": False, "provider": "http://theirs.example"}}
    assert "offline" not in check_stored(stored, typed=typed, where=WHERE)["source"]
    named = settings(_target_=OPTIMADE, provider="mp")
    assert "offline" not in check_stored(named, typed={"source": {"offline": False}}, where=WHERE)["source"]
    assert "offline" not in check_stored(settings(), typed={}, where=WHERE)["source"]


@pytest.mark.parametrize("key", ["name", "${oc.env:HOME}"])
def test_nothing_is_looked_up(key: str) -> None:
    stored = settings()
    stored["data"] = {key: "${oc.env:HOME}"}
    with pytest.raises(ConfigError, match="plain values"):
        check_stored(stored, typed={"data": {key: "${oc.env:HOME}"}}, where=WHERE)


def test_a_logger_that_sends_must_be_typed_with_where_it_sends_to() -> None:
    wandb = {"_target_": "pytorch_lightning.loggers.WandbLogger", "project": "mine"}
    typed = {"logger": {**wandb, "project": "deepxrd"}}
    check_stored({**settings(), "logger": wandb}, typed=typed, where=WHERE)
    with pytest.raises(ConfigError, match="WandbLogger"):
        check_stored({**settings(), "logger": wandb}, typed={}, where=WHERE)
    with pytest.raises(ConfigError, match=r"logger\.entity"):
        check_stored({**settings(), "logger": {**wandb, "entity": "theirs"}}, typed=typed, where=WHERE)


def test_overrides_are_repeated_but_for_those_of_the_moment(tmp_path: Path) -> None:
    file = tmp_path / "overrides.yaml"
    kept = ["data=abc3", "seed=1", "source.path=/somewhere/x.csv", "callbacks.early_stopping.patience=3"]
    file.write_text(yaml.safe_dump([*kept, "resume=x", "trust=[a.B]", "+trust=[a.B]"]))
    assert read_overrides(file) == kept


@pytest.mark.parametrize(
    "text",
    [
        "hydra.run.dir=x",
        "+hydra.callbacks.x={}",
        "hydra/launcher=ray",
        "a=${b}",
        "model=../../x",
        "model=/x",
        "x@hydra.y=z",
    ],
)
def test_overrides_that_reach_further_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "overrides.yaml"
    file.write_text(yaml.safe_dump([text]))
    with pytest.raises(ConfigError, match=re.escape(repr(text))):
        read_overrides(file)


@pytest.mark.parametrize(
    "stored",
    [
        {"strategy": "deepspeed_stage_3"}, {"strategy": "fsdp"}, {"strategy": {"_target_": "torch.optim.Adam"}},
        {"strategy": ["ddp"]}, {"plugins": ["SLURMEnvironment"]}, {"plugins": "x"}, {"num_nodes": 2},
        {"profiler": "pytorch"}, {"default_root_dir": "/"},
    ],
)  # fmt: skip
def test_what_a_trainer_does_beyond_its_process_must_be_typed(stored: dict[str, Any]) -> None:
    ((key, value),) = stored.items()
    with pytest.raises(ConfigError, match=rf"theirs/config.yaml sets trainer\.{key}=.*type it if you want it"):
        check_stored({**settings(), "trainer": stored}, typed={}, where=WHERE)
    check_stored({**settings(), "trainer": stored}, typed={"trainer": {key: value}}, where=WHERE)


@pytest.mark.parametrize("strategy", ["auto", "ddp", "ddp_spawn", None])
def test_the_usual_strategies_are_followed(strategy: str | None) -> None:
    trainer = {"strategy": strategy, "max_epochs": 3, "plugins": None, "num_nodes": 1}
    assert check_stored({**settings(), "trainer": trainer}, typed={}, where=WHERE)["trainer"] == trainer
