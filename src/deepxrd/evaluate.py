"""``python -m deepxrd.evaluate``: score a finished run or a baseline on the test part, or compare two of them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from deepxrd.cli.exit_codes import error_once, run_hydra
from deepxrd.config import EVALUATION, conf_dir, plain_values, refuse_misnamed, register, trust
from deepxrd.config.own_class import drop_defaults_of_command
from deepxrd.config.own_error import own_errors
from deepxrd.errors import ConfigError

register()
_TELLING = frozenset(
    {"--help", "-h", "--hydra-help", "--version", "--info", "-i", "--cfg", "-c", "--shell-completion", "-sc"}
)
"""Options of Hydra's that tell something, and run nothing."""
_WHAT = ("run", "model", "weights", "a", "b")


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="evaluate")
@error_once
def evaluate(cfg: DictConfig) -> float | None:
    """Evaluate or compare and print the results; returns the peak F1 at 2° of an evaluation."""
    hydra_cfg = HydraConfig.get()
    drop_defaults_of_command(cfg)
    return _run(cfg, Path(hydra_cfg.runtime.output_dir), choice=hydra_cfg.runtime.choices.get("model"))


def _run(cfg: DictConfig, out: Path, *, choice: str | None) -> float | None:
    plain = plain_values(cfg, "evaluate")
    if not cfg.run:  # a run's data have the name that it was trained with
        refuse_misnamed(plain)
    _refuse_unclear([key for key in _WHAT if plain[key]])
    if not plain["a"]:
        from deepxrd.sources.early import refuse_unreadable

        refuse_unreadable(plain["source"])
    from deepxrd.analysis import evaluation_tables as make  # these take seconds
    from deepxrd.analysis.tables import show
    from deepxrd.evaluation.compare import compare
    from deepxrd.evaluation.run import run_evaluation
    from deepxrd.runs.finished import Finished

    f1: float | None = None
    if plain["a"]:
        a, b = (Finished.open(plain[key], setting=key) for key in ("a", "b"))
        show(make.comparison_table(compare(a, b, out, n_resamples=plain["evaluate"]["n_resamples"])))
    else:
        with own_errors(plain):
            done = run_evaluation(plain, out, choice=choice, command=["deepxrd.evaluate", *sys.argv[1:]])
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


def _evaluate() -> None:
    arguments = sys.argv[1:]
    given = dict(text.split("=", 1) for text in arguments if "=" in text)
    what = [key for key in _WHAT if given.get(key) not in (None, "", "null")]
    if what:  # nothing may be right for Hydra's own options, such as --help
        _refuse_unclear(what)
    options = [text for text in arguments if text.startswith("-")]
    if what != ["run"] or any(text.partition("=")[0] in _TELLING for text in options):
        evaluate()
    elif options:  # Hydra would compose the settings, and the data be others than the run's
        msg = (
            f"{' '.join(options)} cannot stand beside run={given['run']}, whose settings are that run's: leave it out; "
            "several runs are several commands"
        )
        raise ConfigError(msg)
    else:
        _evaluate_run(given["run"], arguments)


def _evaluate_run(folder: str, typed: list[str]) -> None:
    """With ``run=FOLDER`` the data settings are those of that run, and what is typed is set in them."""
    from deepxrd.config.stored import compose_over
    from deepxrd.runs.finished import Finished
    from deepxrd.runs.names import CONFIG

    folder = folder.strip("'\"")
    # in quotation marks, which Hydra wants around a name with = or a comma in it
    typed = [f"run={json.dumps(folder, ensure_ascii=False)}" if text.startswith("run=") else text for text in typed]
    finished = Finished.open(folder, setting="run")
    _ = finished.weights
    stored = trust.check_stored(finished.data_settings, typed=trust.typed_values(typed), where=finished.path / CONFIG)
    del stored["build"]  # how this machine computes is its own matter
    out = next((text.partition("=")[2].strip("'\"") for text in typed if text.startswith("hydra.run.dir=")), None)
    settings = [text for text in typed if not text.startswith("hydra.")]
    cfg = compose_over("evaluate", stored, settings)
    _run(cfg, Path(out) if out else finished.path / EVALUATION, choice=None)


def main() -> None:
    """Entry point."""
    run_hydra(_evaluate)


if __name__ == "__main__":
    main()
