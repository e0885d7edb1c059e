"""``python -m deepxrd.train``: build the data, train, score."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from deepxrd.cli.exit_codes import error_once, run_hydra
from deepxrd.config import conf_dir, plain_values, refuse_misnamed, trust
from deepxrd.config.own_class import compose_within, drop_defaults_of_command
from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.runs.names import OVERRIDES
from deepxrd.runs.objective import objective
from deepxrd.runs.unchanged import refuse_changed
from deepxrd.sweeps import share
from deepxrd.sweeps.resolvers import register_resolvers
from deepxrd.sweeps.watch import watched

register_resolvers()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
@error_once
def train(cfg: DictConfig) -> float:
    """Run one experiment and print its scores; returns the validation's peak F1 at 2°, for sweepers that optimise."""
    hydra_cfg = HydraConfig.get()
    drop_defaults_of_command(cfg)
    overrides = list(hydra_cfg.overrides.task)
    run_dir = Path(hydra_cfg.runtime.output_dir)
    if hydra_cfg.mode == RunMode.MULTIRUN:
        return _run_in_sweep(cfg, run_dir, overrides)
    if cfg.resume:
        saved = _resumed_overrides(Path(cfg.resume))
        overrides = [*saved, *overrides]
        plain = _resumed(compose_within("train", overrides), typed=cfg)
        refuse_changed(Path(cfg.resume), plain_values(compose_within("train", saved), "train"), now=plain)
    else:
        plain = plain_values(cfg, "train")
        refuse_misnamed(plain)
    share.refuse_threads(plain["threads"])
    _refuse_unreadable(plain["source"])
    from deepxrd.analysis import tables  # these take seconds, so only when the settings are found to be good
    from deepxrd.training.run import fit_and_test, is_main_process

    _refuse_baseline(plain["model"])
    if plain["threads"]:
        share.take_share(1, plain["threads"])
    if is_main_process() and (note := share.warning_of_other_work(plain["threads"])):
        print(note, file=sys.stderr)  # noqa: T201 - for the user, before a long wait
    result = fit_and_test(plain, run_dir, overrides=overrides)
    if is_main_process() and not result.metrics:
        print("trainer.fast_dev_run: batches of all parts went through; nothing was scored or kept")  # noqa: T201
    elif is_main_process():
        tables.show(tables.score_table(result.metrics))
        print(f"results: {os.path.relpath(result.run_dir)}")  # noqa: T201 - what the user asks for
    return objective(result.metrics)


def _resumed(cfg: DictConfig, *, typed: DictConfig) -> dict[str, Any]:
    """The settings of a run to resume: what they say more than what is typed now may be a stranger's."""
    now = plain_values(typed, "train")
    plain = trust.check_stored(plain_values(cfg, "train"), typed=now, where=Path(typed.resume) / OVERRIDES)
    plain["build"] = {**plain["build"], **{key: now["build"][key] for key in trust.HOW_TO_BUILD}}
    return plain


def _run_in_sweep(cfg: DictConfig, run_dir: Path, overrides: list[str]) -> float:
    launcher = HydraConfig.get().runtime.choices["hydra/launcher"]
    share.end_with_the_command(launcher)
    n_runs = share.runs_at_once(cfg.runs_at_once, launcher)
    with share.place(run_dir.parent / ".places", n_runs, launcher):
        from deepxrd.sweeps.sweep_run import refuse_one, run_one  # heavy, so only when it is this run's turn

        try:
            plain = plain_values(cfg, "train")
            refuse_misnamed(plain)
            share.refuse_threads(plain["threads"])
            _refuse_unreadable(plain["source"])
        except (DeepXRDError, OmegaConfBaseException) as error:
            return refuse_one(run_dir, error, overrides=overrides)
        share.take_share(n_runs, plain["threads"])
        return run_one(plain, run_dir, overrides=overrides)


def _refuse_unreadable(source: dict[str, Any]) -> None:
    from deepxrd.sources.early import refuse_unreadable

    refuse_unreadable(source)


def _refuse_baseline(model: dict[str, Any]) -> None:
    from deepxrd.evaluation.baselines import is_baseline

    if is_baseline(model):
        choice = HydraConfig.get().runtime.choices["model"]
        msg = f"model={choice} is fitted where it is evaluated: use python -m deepxrd.evaluate model={choice}"
        raise ConfigError(msg)


def _resumed_overrides(run_dir: Path) -> list[str]:
    """The settings of the run to resume."""
    saved = run_dir / OVERRIDES
    if not saved.is_file():
        msg = f"resume={run_dir}: no run there to resume; it needs a file {saved.name}"
        raise ConfigError(msg)
    return trust.read_overrides(saved)


def _with_source_of_run(words: list[str]) -> list[str]:
    """What is typed, with the run's own ``source=`` before a ``source.path=`` that says where its data are now.

    Hydra puts what is typed together before the run is looked at, and the source that is taken else has no path.
    """
    has = {word.split("=")[0] for word in words}
    if "resume" not in has or "source" in has or not any(name.startswith("source.") for name in has):
        return words
    run_dir = next(word for word in words if word.startswith("resume=")).removeprefix("resume=").strip("'\"")
    chosen = [each for each in _resumed_overrides(Path(run_dir)) if each.startswith("source=")]
    ours = [each for each in chosen if (conf_dir() / "source" / f"{each.removeprefix('source=')}.yaml").is_file()]
    return [*ours[-1:], *words]


def _train() -> None:
    sys.argv[1:] = _with_source_of_run(sys.argv[1:])
    try:
        with watched():
            train()
    except RuntimeError as error:  # of Hydra and of submitit alike
        if way_out := share.launcher_trouble(error):
            raise ConfigError(way_out) from error
        raise


def main() -> None:
    """Entry point."""
    run_hydra(_train)


if __name__ == "__main__":
    main()
