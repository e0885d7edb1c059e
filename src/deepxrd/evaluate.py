"""``python -m deepxrd.evaluate``: score a finished run or a baseline on the test part, or compare two of them."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from deepxrd.cli.exit_codes import run_hydra
from deepxrd.config import conf_dir, register
from deepxrd.errors import ConfigError

register()
_WHAT = ("run", "model", "weights", "a", "b")
_SETTINGS_OF_RUN = "+settings_of=the_run"


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="evaluate")
def evaluate(cfg: DictConfig) -> float | None:
    """Evaluate or compare and print the results; returns the peak F1 at 2° of an evaluation."""
    from deepxrd.analysis import evaluation_tables as make
    from deepxrd.analysis.tables import show
    from deepxrd.evaluation.compare import compare
    from deepxrd.evaluation.run import evaluate as run_evaluation
    from deepxrd.runs.finished import Finished

    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    _refuse_unclear([key for key in _WHAT if plain[key]])
    out = Path(HydraConfig.get().runtime.output_dir)
    f1: float | None = None
    if plain["a"]:
        a, b = (Finished.open(plain[key], setting=key) for key in ("a", "b"))
        show(make.comparison_table(compare(a, b, out, n_resamples=plain["evaluate"]["n_resamples"])))
    else:
        command = ["deepxrd.evaluate", *(text for text in sys.argv[1:] if text != _SETTINGS_OF_RUN)]
        done = run_evaluation(plain, out, choice=HydraConfig.get().runtime.choices.get("model"), command=command)
        models = {name: asdict(model) for name, model in done.models.items()}
        show(make.evaluation_table(models, data=done.metrics["data"]))
        if done.table2 is not None:
            show(make.table2_table(done.table2))
        f1 = float(done.metrics["test"]["peak_f1_2deg"])
    print(f"results: {os.path.relpath(out)}")  # noqa: T201 - what the user asks for
    return f1


def _refuse_unclear(given: list[str]) -> None:
    if given in (["run"], ["model"], ["weights"], ["a", "b"]):
        return
    msg = (
        f"{' and '.join(given) or 'nothing'} given: give either run=FOLDER of a finished run, or model=NAME of a "
        "baseline such as substitution, or weights=PATH (or weights=shipped), or two folders a=FOLDER b=FOLDER to "
        "compare"
    )
    raise ConfigError(msg)


def _with_settings_of_run(arguments: list[str]) -> list[str]:
    """With ``run=FOLDER``, the data settings of that run go under what else is given.

    Before Hydra looks at the command line, so that ``source.path=…`` is a setting of the run's source, and so that
    Hydra makes no folder where there is no run.
    """
    from deepxrd.runs.finished import Finished

    given = dict(text.split("=", 1) for text in arguments if "=" in text)
    what = [key for key in _WHAT if given.get(key) not in (None, "", "null")]
    if what:  # nothing may be right for Hydra's own options, such as --help
        _refuse_unclear(what)
    for key in what:
        if key not in ("model", "weights"):
            finished = Finished.open(given[key], setting=key)
    if what != ["run"]:
        return arguments
    _ = finished.checkpoint
    ConfigStore.instance().store(group="settings_of", name="the_run", node=finished.data_settings, package="_global_")
    return [*arguments, _SETTINGS_OF_RUN]


def _evaluate() -> None:
    sys.argv[1:] = _with_settings_of_run(sys.argv[1:])
    evaluate()


def main() -> None:
    """Entry point."""
    run_hydra(_evaluate)


if __name__ == "__main__":
    main()
