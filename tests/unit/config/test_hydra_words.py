"""What is said of settings that Hydra refuses: the value, and what there is to choose from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import deepxrd
from deepxrd.config import plain_values
from deepxrd.errors import ConfigError

SAID = {
    "source=nope": "source=nope: there is no such choice; choose one of files, materials_project, optimade, prototypes",
    "loss=pearso": "loss=pearso: there is no such choice (did you mean pearson?); choose one of candidates, cosine, ",
    "experiment=[lab,nope]": "experiment=nope: there is no such choice",
    "los=mse": "there is no setting los (did you mean loss?); those at the top are source, data, xrd, build, paths, ",
    "model.nope=3": "there is no setting model.nope; those of model are _target_, depth, norm, dropout, quick; what a ",
    "trainer.max_epoch=3": "there is no setting trainer.max_epoch (did you mean max_epochs?)",
    "card.tsne=false": "there is no setting card; those at the top are source, data, ",
    "model.depth.x=3": "there is no setting model.depth.x",
    "~model.nope": "~model.nope: there is no such setting, and so nothing to leave out",
    "~loss=mse": "~loss=mse: there is no such setting, and so nothing to leave out",
    "+seed=3": "+seed: there is such a setting already, so leave the + out: seed=VALUE",
    "seed=abc": "seed=abc: Value 'abc' of type 'str' could not be converted to Integer",
    "model.depth=[1": "model.depth=[1: this cannot be read as a setting; settings are written KEY=VALUE",
    "source.path=a=b": "source.path=a=b: this cannot be read as a setting; settings are written KEY=VALUE",
    "loss=pearson,mse": "loss=pearson,mse: several values make a sweep, by -m; one list is written [in brackets]",
}


@pytest.mark.parametrize("typed", SAID)
def test_the_value_and_the_choices_are_named_in_one_line(typed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        deepxrd.compose([typed])
    assert str(refused.value).startswith(SAID[typed])
    assert "\n" not in str(refused.value)


def test_a_plus_is_spoken_of_only_where_a_class_takes_more() -> None:
    for typed, said in (("model.nope=3", True), ("data.split.nope=3", False), ("nope=3", False)):
        with pytest.raises(ConfigError) as refused:
            deepxrd.compose([typed])
        assert ("+" in str(refused.value)) == said


@pytest.mark.parametrize("command", ["train", "prepare", "evaluate", "report"])
def test_what_is_added_at_the_top_is_not_passed_over_in_silence(command: str) -> None:
    """Hydra itself proposes ``+los=mse`` to whoever types ``los=mse``, and takes it, for nothing."""
    with pytest.raises(ConfigError, match=r"there is no setting los: those at the top are .*paths"):
        plain_values(deepxrd.compose(["+los=mse"], command=command), command)


def test_a_value_of_another_kind_is_refused_before_it_is_used() -> None:
    for command, typed, said in (
        ("report", "sweeps=5", "sweeps=5: give a text, or a list"),
        ("evaluate", "evaluate.baselines=true", "evaluate.baselines=True: give a list .* or false"),
        ("train", "model.depth=12", "model.depth=12: give one of 10, 15, 20, 25"),
        ("train", "data.split.before=2018-W01-1", "data.split.before='2018-W01-1': give a day such as 2018-01-01"),
    ):
        with pytest.raises(ConfigError, match=said):
            plain_values(deepxrd.compose([typed], command=command), command)
    plain_values(deepxrd.compose(["evaluate.baselines=false"], command="evaluate"), "evaluate")
    plain_values(deepxrd.compose(["sweeps=[a,b]"], command="report"), "report")


def test_the_commands_say_it_with_exit_code_2(tmp_path: Path) -> None:
    for arguments in (["train", "source=nope"], ["library", "build", "x.dxl", "source=nope"]):
        command = [sys.executable, "-m", "deepxrd.cli", *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert done.stderr.startswith("error: source=nope: there is no such choice; choose one of files, ")
        assert "search path" not in done.stderr


def test_other_errors_keep_their_text() -> None:
    from deepxrd.config.hydra_words import in_words

    assert in_words(ValueError("as it is")) == "as it is"
