"""Every numeric setting of every file in ``conf`` with −1, 0, NaN, a word and 1e30: refused by name, or meant so."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deepxrd.config import check, conf_dir, plain_values, refuse_misnamed
from deepxrd.config.groups import COMMANDS
from deepxrd.config.rules import Either, Group, Named, Part, Rule
from deepxrd.errors import ConfigError
from deepxrd.sweeps.resolvers import register_resolvers

VALUES = (-1, 0, math.nan, "abc", 1e30)
MODELS = ("comb", "random", "substitution", "template_oracle")
COMPOSED = {
    **{f"train source={source}": ("train", [f"source={source}"]) for source in ("materials_project", "optimade")},
    "train": ("train", ["loss=multiscale", "scheduler=cosine", "trainer.gradient_clip_val=1", "threads=1"]),
    "train plateau": ("train", ["scheduler=plateau", "optimizer=sgd"]),
    "train warm-up": ("train", ["scheduler=warm_up_cosine", "optimizer=adamw"]),
    "train candidates": ("train", ["model=candidates", "runs_at_once=1"]),
    **{f"evaluate model={model}": ("evaluate", [f"model={model}"]) for model in MODELS},
    "evaluate": ("evaluate", ["data=ternary"]),
    "prepare": ("prepare", []),
    "report": ("report", []),
}
# What is meant by a value that is none of the ordinary; with any other setting or value it is a mistake.
MINUS_ONE = {"build.n_jobs", "trainer.devices"}
MINUS_ONE_OR_MORE = {
    *("seed", "data.split.seed", "model.seed", "model.start_deg", "model.dropout", "build.max_failed_share"),
    *("xrd.two_theta_min_deg", "xrd.two_theta_max_deg", "xrd.debye_waller_b_angstrom2", "loss.two_theta_min_deg"),
    *("loss.two_theta_max_deg", "loss.sigmas_deg[0]", "loss.sigmas_deg[1]", "loss.sigmas_deg[2]", "loss.sigmas_deg[3]"),
    *("optimizer.weight_decay", "trainer.log_every_n_steps", "trainer.gradient_clip_val", "source.backoff_s"),
    *("source.backoff_cap_s", "evaluate.dtw.window_deg", "evaluate.dtw.penalty", "loss.peak_weight"),
    *("loss.choice_weight", "callbacks.early_stopping.patience", "callbacks.mean_of_weights.decay"),
    *("optimizer.momentum", "scheduler.patience", "scheduler.warm_up", "scheduler.least"),
    *("xrd.sigma_deg", "xrd.sigma_inv_angstrom"),
}
WORDS = {"trainer.devices", "xrd.radiation", "data.name"}
HUGE = {
    *("optimizer.lr", "optimizer.weight_decay", "scheduler.max_lr", "trainer.gradient_clip_val", "loss.peak_weight"),
    *("loss.choice_weight", "loss.temperature"),
}


@pytest.fixture(scope="module")
def composed() -> dict[str, tuple[str, DictConfig]]:
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return {name: (command, compose(command, list(given))) for name, (command, given) in COMPOSED.items()}


def leaves(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield from leaves(value, f"{key}.{name}" if key else name)
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from leaves(value, f"{key}[{place}]")
    else:
        yield key, values


def may_be(key: str, value: Any) -> bool:
    """What this test says, on its own, of whether a value makes sense."""
    if value == "abc":
        return key in WORDS
    if value == -1:
        return key in MINUS_ONE
    return key in (HUGE if value == 1e30 else MINUS_ONE_OR_MORE) and not math.isnan(value)


@pytest.mark.parametrize("name", COMPOSED)
def test_every_numeric_setting_refuses_by_name_what_makes_no_sense(
    name: str, composed: dict[str, tuple[str, DictConfig]]
) -> None:
    command, cfg = composed[name]
    plain = plain_values(cfg, command)
    numeric = [key for key, value in leaves(plain) if isinstance(value, int | float) and not isinstance(value, bool)]
    assert len(numeric) > 15 or command == "report"
    for key in numeric:
        for value in VALUES:
            said = refusal(cfg, command, key, value)
            if may_be(key, value):
                assert said is None, f"{key}={value} makes sense, but: {said}"
            else:
                assert said is not None, f"{key}={value} was taken"
                named = re.escape(f"{key}={value!r}")
                assert re.match(rf"{named}(\.0)?: give |Value .*full_key: {re.escape(key)}\n", said, re.DOTALL), said


def refusal(cfg: DictConfig, command: str, key: str, value: Any) -> str | None:
    """What is said of a value; None if it is taken."""
    changed = copy.deepcopy(cfg)
    try:
        OmegaConf.update(changed, key.replace("[", ".").replace("]", ""), value)
        plain_values(changed, command)
    except ConfigError as error:
        return str(error)
    except OmegaConfBaseException as error:  # a setting of a fixed type, whose words are OmegaConf's
        return f"{error}\n"
    return None


def test_no_value_in_conf_is_without_a_rule(composed: dict[str, tuple[str, DictConfig]]) -> None:
    free = {"source.path", "resume", "run", "a", "b", "weights", "sweeps", "loss.base._target_", "trust"}
    for name, (command, cfg) in composed.items():
        without = [key for key in rules_missing(plain_values(cfg, command), COMMANDS[command]) if key not in free]
        own = [key for key in without if not key.startswith(("logger.",))]
        assert not own, f"{name}: give rules to {own} in deepxrd.config.groups"


def rules_missing(values: Any, rule: Rule | None, key: str = "") -> Iterator[str]:
    if isinstance(rule, Either):
        rule = next((each for each in rule.rules if isinstance(each, Group | Part | Named)), rule)
    if not isinstance(values, dict):
        if rule is None and not key.endswith("_target_"):
            yield key
        return
    fields: dict[str, Rule] = {}
    if isinstance(rule, Group):
        fields = dict(rule.fields)
    elif isinstance(rule, Named):
        fields = dict.fromkeys(values, rule.of)
    elif isinstance(rule, Part):
        target = values.get("_target_") or ""
        fields = dict(rule.kinds.get(target) or rule.kinds.get(f"{target.rpartition('.')[0]}.", {}))
    for name, value in values.items():
        yield from rules_missing(value, fields.get(name), f"{key}.{name}" if key else name)


@pytest.mark.parametrize("key", ["data", "source", "model", "optimizer", "trainer", "loss", "xrd", "paths"])
def test_a_group_that_is_left_out_is_missed_by_name(key: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", [f"~{key}"])
    with pytest.raises(ConfigError, match=rf"^{key}=null: give settings"):
        plain_values(cfg, "train")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data.batch_size", 1.5, r"data\.batch_size=1\.5: give a whole number from 1 to"),
        ("data.batch_size", True, r"data\.batch_size=True: give a whole number"),
        ("data.encoding.elements", [], r"data\.encoding\.elements=\[\]: give a list of 1 or more"),
        ("data.encoding.n_counts", 10**8, r"n_counts=100000000: give a whole number from 2 to 1000"),
        ("xrd.n_points", 1e10, r"xrd\.n_points=10000000000\.0: give a whole number"),
        ("xrd.radiation", 1e-3, r"xrd\.radiation=0\.001: give a finite number at least 0\.05 and at most 5, or a text"),
        ("xrd.kalpha_doublet", "perhaps", r"xrd\.kalpha_doublet='perhaps': give true or false"),
        ("build.backend", "threads", r"build\.backend='threads': give one of loky, dask"),
        ("build", 5, r"build=5: give settings by name"),
        ("data.split", None, r"data\.split=null: give settings by name"),
        ("model", {"depth": 20}, r"model\._target_=null: give the full name of a class"),
        ("callbacks.early_stopping", "yes", r"callbacks\.early_stopping='yes': give settings with"),
        ("evaluate.dtw", 3, r"evaluate\.dtw=3: give settings by name.*, or null"),
    ],
)
def test_other_mistakes_are_named(key: str, value: Any, said: str, composed: dict[str, tuple[str, DictConfig]]) -> None:
    command, cfg = composed["evaluate" if key.startswith("evaluate") else "train"]
    plain = plain_values(cfg, command)
    *inner, last = key.split(".")
    place: Any = plain
    for name in inner:
        place = place[name]
    place[last] = value
    with pytest.raises(ConfigError, match=said):
        check(plain, command)


def test_a_key_that_is_none_and_one_that_is_missing_are_named(composed: dict[str, tuple[str, DictConfig]]) -> None:
    plain = plain_values(composed["train"][1], "train")
    plain["xrd"]["sigma"] = 0.1
    with pytest.raises(ConfigError, match=r"there is no setting xrd\.sigma: those of xrd are .*sigma_deg"):
        check(plain, "train")
    del plain["xrd"]["sigma"], plain["data"]["batch_size"]
    with pytest.raises(ConfigError, match=r"data\.batch_size is missing: give a whole number"):
        check(plain, "train")


def test_parts_of_ones_own_take_what_they_take(composed: dict[str, tuple[str, DictConfig]]) -> None:
    plain = plain_values(composed["train"][1], "train")
    own = {"_target_": "mypackage.Mine", "depth": -7, "lr": "warm", "anything": None}
    plain |= dict.fromkeys(("source", "model", "loss", "optimizer", "scheduler", "logger"), own)
    plain["callbacks"] = {"mine": own}
    plain["trainer"]["limit_train_batches"] = 3
    check(plain, "train")


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (["source=files", "source.path=x.csv"], True),
        (["source=materials_project"], True),
        (["source=files", "source.path=x.csv", "data.name=mine"], False),
        (["data=abc3", "source=files", "source.path=x.csv"], False),
        ([], False),
    ],
)
def test_other_structures_do_not_go_by_the_name_of_model_structures(given: list[str], *, refused: bool) -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        plain = plain_values(compose("train", given), "train")
    if not refused:
        refuse_misnamed(plain)
        return
    with pytest.raises(ConfigError, match=r"data=abc3 or data=ternary.*data\.name=NAME"):
        refuse_misnamed(plain)
