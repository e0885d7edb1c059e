"""One evaluation: predictions of the test part by a finished run or a baseline, scored and written into a folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from deepxrd.analysis.case_studies import PAPER_FORMULAS, pick_cases
from deepxrd.chem import Formula
from deepxrd.config import EvaluateOptions
from deepxrd.data import refuse_other_split, statement
from deepxrd.data.assemble import make_data
from deepxrd.errors import CheckpointError, ConfigError, FormulaError
from deepxrd.evaluation import baselines, output
from deepxrd.evaluation.scores import Summary, score
from deepxrd.evaluation.symmetry import Says, in_parts_of, write_symmetry
from deepxrd.evaluation.task import Task, in_parts
from deepxrd.io.files import locked_or_refused, write_json, write_text
from deepxrd.io.provenance import run_facts
from deepxrd.metrics import DtwSettings
from deepxrd.models.candidates.saved import Structures
from deepxrd.models.candidates.symmetry import Symmetry
from deepxrd.prediction.predictor import CandidatePredictor, load_predictor
from deepxrd.runs.finished import Finished
from deepxrd.runs.names import CONFIG, METRICS, OVERRIDES, RUN_FACTS

SHIPPED = "shipped"
"""What stands for the weights that come with the package."""
_LOCK = ".lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation leaves, besides the files in its folder.

    Attributes:
        metrics: as in ``metrics.json``.
        models: summaries of the model, the first, and of the baselines beside it, by name.
        table2: as in ``table2.csv``; None if it was left out.
    """

    metrics: dict[str, Any]
    models: dict[str, Summary]
    table2: pd.DataFrame | None


@dataclass(frozen=True, eq=False)
class _Model:
    label: str
    predict: Callable[[Task], tuple[NDArray[np.float32], NDArray[np.bool_] | None]]
    facts: dict[str, Any]
    takes: Callable[[Formula], bool] = lambda _: True
    symmetry: Says | None = None


def run_evaluation(
    cfg: dict[str, Any], out: Path, *, choice: str | None = None, command: list[str] | None = None
) -> Evaluation:
    """Evaluate a finished run, or a baseline.

    Args:
        cfg: a composed and resolved configuration, plain values; with ``run``, its data settings are that run's.
        out: the folder to write into.
        choice: name of the baseline's file in ``conf/model``.
        command: what was typed, kept in ``run.json``.

    Raises:
        DeepXRDError: an error the user can fix.
    """
    options = EvaluateOptions(**cfg["evaluate"])
    baseline_names = list(options.baselines or [])
    baselines.check_baseline_names(baseline_names)
    dtw = DtwSettings(**cfg["evaluate"]["dtw"], n_jobs=cfg["build"]["n_jobs"]) if options.dtw else None
    finished = Finished.open(cfg["run"], setting="run") if cfg["run"] else None
    _refuse_used_folder(out, of_run=finished is not None)
    if cfg["model"]:
        baselines.make_baseline(cfg["model"])  # a bad setting is found before the data are built
    task = Task(make_data(cfg))
    model = _model(cfg, task, finished, choice=str(choice), device=options.device)
    says = _symmetry_of(model) if options.symmetry else None
    with locked_or_refused(
        out / _LOCK, f"another process evaluates in {out}: wait for its end, or choose another folder"
    ):
        (out / METRICS).unlink(missing_ok=True)  # of an earlier evaluation; a folder that has it is done
        return _evaluated(cfg, out, task, model, says=says, baseline_names=baseline_names, dtw=dtw, command=command)


def _evaluated(
    cfg: dict[str, Any],
    out: Path,
    task: Task,
    model: _Model,
    *,
    says: Says | None,
    baseline_names: list[str],
    dtw: DtwSettings | None,
    command: list[str] | None,
) -> Evaluation:
    """Predict, score and write."""
    options = EvaluateOptions(**cfg["evaluate"])
    task, n_left_out = task.only(model.takes)
    predicted, fallbacks = model.predict(task)
    write_text(out / CONFIG, yaml.safe_dump(cfg, sort_keys=False, allow_unicode=True))
    write_json(out / RUN_FACTS, run_facts(command))

    data, label = cfg["data"]["name"], model.label
    summary, per_sample = score(task, predicted, label=label, n_resamples=options.n_resamples, fallbacks=fallbacks)
    output.write_predictions(predicted, per_sample, out)
    table2 = None
    if options.table2:
        table2 = output.write_table2(
            task, predicted, out, label=label, data=data, dtw=dtw, n_resamples=options.n_resamples
        )
    if says:
        write_symmetry(task, says, out, label=label, n_resamples=options.n_resamples)
    models = {label: summary}
    for name in baseline_names:
        if name != label:
            models[name] = baselines.baseline_summary(name, task, n_resamples=options.n_resamples)
    output.write_scores(models, out)
    if options.cases:
        _write_cases(task, model, predicted, per_sample, out)
    metrics = {
        "data": data,
        "data_set": statement(task.store, task.split),
        **model.facts,
        "data_hash": task.store.content_hash,
        "store_id": task.store.id,
        "split": task.split.to_dict(),
        **{f"n_{part}": len(rows) for part, rows in task.rows.items()},
        **({"n_test": len(task.targets), "n_test_left_out": n_left_out} if n_left_out else {}),
        **{key: value for key, value in summary.to_dict().items() if key not in {"n_samples", "curves"}},
    }
    write_json(out / METRICS, metrics)  # last of all: a folder with metrics is an evaluation that is done
    return Evaluation(metrics, models, table2)


def _model(cfg: dict[str, Any], task: Task, finished: Finished | None, *, choice: str, device: str) -> _Model:
    """What is to be evaluated, by what was given."""
    trust = cfg.get("trust") or []
    if finished:
        return _finished(finished, task, device=device, trust=trust)
    if cfg["weights"]:
        return _weights(cfg["weights"], task, device=device, trust=trust)
    return _baseline(cfg, task, choice=choice)


def _write_cases(
    task: Task, model: _Model, predicted: NDArray[np.float32], per_sample: pd.DataFrame, out: Path
) -> None:
    output.write_cases(task, predicted, pick_cases(per_sample), out)
    # not scored, since a network may have learned them
    more, _ = task.outside_the_test(PAPER_FORMULAS).only(model.takes)
    if len(more.targets):
        cases = {formula.reduced: place for place, formula in enumerate(more.formulas)}
        output.write_cases(more, model.predict(more)[0], cases, out)


def _finished(finished: Finished, task: Task, *, device: str, trust: list[str]) -> _Model:
    """What a run has trained.

    Raises:
        ConfigError: the data, or the split, are not those of the run.
        CheckpointError: it predicts other patterns.
    """
    trained_on, now = finished.metrics["data_hash"], task.store.content_hash
    if not task.store.holds(trained_on):
        msg = (
            f"run={finished.path} was trained and tested on data {trained_on}, but the data are now {now} "
            f"({task.store.path}): give the source that it had, such as source.path=PATH"
        )
        raise ConfigError(msg)
    refuse_other_split(finished.split, task.split, where=f"run={finished.path}")
    kept = ("model", "loss", "seed", "best_epoch", "epochs", "parameters")
    facts = {key: finished.metrics[key] for key in kept if key in finished.metrics}
    label = ", ".join(str(facts[key]) for key in ("model", "loss") if key in facts)
    facts["run"] = str(finished.path)
    return _trained(finished.weights, task, label=label, facts=facts, device=device, trust=trust, structures="learned")


def _weights(given: str, task: Task, *, device: str, trust: list[str]) -> _Model:
    """Weights in a file or folder, scored as they answer; `SHIPPED` stands for those that come with the package."""
    path = None if given == SHIPPED else Path(given)
    facts = {"model": given, "loss": None, "weights": given}
    return _trained(path, task, label=given, facts=facts, device=device, trust=trust, structures="all")


def _trained(
    path: Path | None,
    task: Task,
    *,
    label: str,
    facts: dict[str, Any],
    device: str,
    trust: list[str],
    structures: Structures,
) -> _Model:
    predictor = load_predictor(path, device=device, trust=trust, structures=structures)
    if predictor.xrd != task.xrd:
        msg = f"{path or SHIPPED} predicts other patterns ({predictor.xrd}) than those of the data ({task.xrd})"
        raise CheckpointError(msg)

    if isinstance(predictor, CandidatePredictor):
        facts = {**facts, "structures": structures}
        if learned := int(predictor.learned(task.formulas).sum()):  # weights may be of another split
            warning = "%d of %d test compositions were among those that %s was learned from: its scores are too good"
            _log.warning(warning, learned, len(task.formulas), path or SHIPPED)
            facts["n_test_learned"] = learned

    def predict(task: Task) -> tuple[NDArray[np.float32], None]:
        def part(places: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
            return {"patterns": predictor.predict([task.formulas[i] for i in places]).patterns}

        return in_parts(part, np.arange(len(task.targets)), label="Predicting", at_once=128)["patterns"], None

    def takes(formula: Formula) -> bool:
        try:
            predictor.check(formula.reduced)
        except FormulaError:
            return False
        return True

    if not isinstance(predictor, CandidatePredictor):
        return _Model(label, predict, facts, takes)

    def symmetry(task: Task) -> Symmetry:
        return in_parts_of(task, lambda places: predictor.symmetry([task.formulas[i] for i in places]))

    return _Model(label, predict, facts, takes, symmetry)


def _baseline(cfg: dict[str, Any], task: Task, *, choice: str) -> _Model:
    """A baseline, fitted on the training part."""
    label = baselines.named(cfg["model"], choice)
    baseline = task.fit(baselines.make_baseline(cfg["model"]))

    def predict(task: Task) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return task.predict(baseline, label=f"Predicting {label}")

    return _Model(label, predict, {"model": label, "loss": None, "seed": cfg["seed"]})


def _symmetry_of(model: _Model) -> Says:
    if model.symmetry is None:
        msg = (
            f"evaluate.symmetry=true needs a candidate model, and {model.label} says nothing of symmetry: leave it "
            "out, or give weights=shipped or run=FOLDER of a candidate model"
        )
        raise ConfigError(msg)
    return model.symmetry


def _refuse_used_folder(out: Path, *, of_run: bool) -> None:
    """What a run's evaluation left may be written over by another of it, but never what a training left."""
    if (out / (OVERRIDES if of_run else CONFIG)).exists():
        msg = f"{out} already holds a run: choose another hydra.run.dir"
        raise ConfigError(msg)
