"""Baselines by the names of ``conf/model``, and their scores on a task, kept beside the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deepxrd.config import conf_dir
from deepxrd.config.instantiate import build, class_of
from deepxrd.errors import ConfigError
from deepxrd.evaluation.scores import Summary, score
from deepxrd.evaluation.task import Task
from deepxrd.io.bounded import read_json
from deepxrd.io.code_hash import code_hash
from deepxrd.io.files import value_hash, write_json
from deepxrd.metrics import CURVE_TOLERANCES_DEG
from deepxrd.models.baselines import Model

_CODE = (
    "chem/*.py", "data/polymorphs.py", "data/split.py", "evaluation/scores.py", "evaluation/task.py", "metrics/*.py",
    "models/base.py", "models/baselines/*.py", "sources/*.py", "xrd/*.py",
)  # fmt: skip
"""Modules that the scores of a baseline come from; the sources give an oracle other structures of a composition."""


def baseline_nodes() -> dict[str, dict[str, Any]]:
    """The node of each baseline, by the name of its file in ``conf/model``."""
    files = sorted((conf_dir() / "model").glob("*.yaml"))
    nodes = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    return {name: node for name, node in nodes.items() if is_baseline(node)}


def is_baseline(node: dict[str, Any]) -> bool:
    """Whether a node describes what learns in seconds, where it is evaluated; else it is trained first."""
    return issubclass(class_of(node, object), Model)


def check_baseline_names(names: list[str]) -> None:
    """Find out before a long evaluation, and not at its end.

    Raises:
        ConfigError: one of the names is no baseline.
    """
    unknown = [name for name in names if name not in baseline_nodes()]
    if unknown:
        known = ", ".join(baseline_nodes())
        msg = f"evaluate.baselines names unknown baselines: {', '.join(map(str, unknown))}; known are {known}"
        raise ConfigError(msg)


def named(node: dict[str, Any], choice: str) -> str:
    """The name of a baseline in tables: its file's, with what was set to another value."""
    default = baseline_nodes().get(choice, {})
    changed = [f"{key}={value}" for key, value in node.items() if default.get(key) != value]
    return ", ".join([choice, *changed])


def make_baseline(node: dict[str, Any]) -> Model:
    """The baseline that a node describes.

    Raises:
        ConfigError: it is none.
    """
    if not is_baseline(node):
        msg = (
            f"model {node.get('_target_')} is no baseline and must be trained first: python -m deepxrd.train, "
            "then python -m deepxrd.evaluate run=FOLDER"
        )
        raise ConfigError(msg)
    return build(node, Model)  # type: ignore[type-abstract]


def baseline_summary(name: str, task: Task, *, n_resamples: int) -> Summary:
    """Scores of a baseline on a task; computed once for the same data, split, settings and code.

    Args:
        name: of its file in ``conf/model``.
        task: what it learns from and predicts.
        n_resamples: of the test part's chemical systems, for the intervals.
    """
    node = baseline_nodes()[name]
    made_from = {
        "code": code_hash(*_CODE),
        "data_hash": task.store.content_hash,
        "split": task.split.to_dict(),
        "node": node,
        "n_resamples": n_resamples,
        "tolerances_deg": CURVE_TOLERANCES_DEG,
        **({} if task.chosen is None else {"targets": task.chosen}),
    }
    file = task.store.path / "baselines" / f"{name}-{value_hash(made_from)[:12]}.json"
    if (kept := _kept(file)) is not None:
        return kept
    predicted, fallbacks = task.predict(task.fit(make_baseline(node)), label=f"Predicting {name}")
    summary, _ = score(task, predicted, label=name, n_resamples=n_resamples, fallbacks=fallbacks)
    write_json(file, summary.to_dict())
    return summary


def _kept(file: Path) -> Summary | None:
    """Scores that were computed before; None if there are none, or the file is damaged, so that it is written anew."""
    try:
        return Summary(**read_json(file))
    except (OSError, ValueError, TypeError):
        return None
