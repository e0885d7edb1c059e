"""For every model that there is: no score uses a composition's own structures, except as the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.config import conf_dir
from deepxrd.data import Split
from deepxrd.data.assemble import make_data
from deepxrd.evaluation.baselines import baseline_nodes, make_baseline
from deepxrd.evaluation.task import Task
from deepxrd.models.base import Truth
from deepxrd.prediction.predictor import load_predictor
from deepxrd.runs.finished import Finished
from deepxrd.sources import FilesSource, StructureRecord
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]
TRAINED = ["candidates", "paper"]


@pytest.fixture(scope="module")
def two_truths(perovskite_source: FilesSource, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same perovskites twice, but for the structures of the test part: there the cells differ much in shape."""
    folder, lines = tmp_path_factory.mktemp("truths"), perovskite_source.path.read_text(encoding="utf-8").splitlines()
    compositions = [each.crystal.formula.reduced for each in perovskite_source if isinstance(each, StructureRecord)]
    of_the_test = Split(seed=3).assign(compositions) == "test"  # the split of `composed`
    assert 3 <= of_the_test.sum() <= 20
    paths = []
    for name, stretch in (("first", np.ones(3)), ("second", np.array([1.3, 0.8, 1.1]))):
        changed = []
        for line, in_test in zip(lines, of_the_test, strict=True):
            entry = json.loads(line)
            if in_test:
                lattice = entry["structure"]["lattice"]
                lattice["matrix"] = (np.array(lattice["matrix"]) * stretch[:, None]).tolist()
            changed.append(json.dumps(entry))
        paths.append(folder / f"{name}.jsonl")
        paths[-1].write_text("\n".join(changed), encoding="utf-8")
    return paths


def test_each_model_of_the_configuration_is_tried_here() -> None:
    assert sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml")) == sorted([*baseline_nodes(), *TRAINED])


@pytest.mark.parametrize("name", sorted(baseline_nodes()))
def test_a_baseline_says_the_same_whatever_the_own_structures_are(
    name: str, two_truths: list[Path], composed: Compose
) -> None:
    first, second = (Task(make_data(composed(f"source.path={path}"))) for path in two_truths)
    assert first.formulas == second.formulas
    assert all(np.abs(a - b).max() > 20 for a, b in zip(first.true, second.true, strict=True)), "else nothing is shown"
    node = baseline_nodes()[name]
    # what an oracle may see is the truth that it is given, the same for both: here with others' structures as well
    truth = Truth(first.crystals, first.true, [[crystal] for crystal in second.crystals])
    said = []
    for task in (first, second):
        assert not set(task.reference.formulas) & set(task.formulas)
        baseline = task.fit(make_baseline(node))
        said.append(baseline.predict(task.formulas, oracle=truth if baseline.needs_oracle else None))
        if not baseline.needs_oracle:
            own = Truth(task.crystals, task.true, [[] for _ in task.crystals])
            np.testing.assert_array_equal(baseline.predict(task.formulas, oracle=own), said[-1])
    np.testing.assert_array_equal(*said)


@pytest.mark.parametrize("name", TRAINED)
def test_what_was_trained_says_the_same_whatever_the_own_structures_are(
    name: str, two_truths: list[Path], composed: Compose, tmp_path: Path
) -> None:
    said = []
    for place, path in enumerate(two_truths):
        cfg = composed(f"model={name}", f"source.path={path}", "trainer.max_epochs=1")
        run = tmp_path / str(place)
        fit_and_test(cfg, run, announce=False)
        said.append(_predicted(run, Task(make_data(cfg)).formulas))
    np.testing.assert_array_equal(*said)


def _predicted(run: Path, formulas: list[Formula]) -> NDArray[np.float32]:
    return load_predictor(Finished.open(run, setting="run").weights).predict(formulas).patterns
