"""What ``import deepxrd`` offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

import deepxrd
from deepxrd.errors import ConfigError, FormulaError, PatternError
from deepxrd.sources import FilesSource


def test_the_import_brings_no_torch_and_the_names_come_when_asked_for() -> None:
    script = (
        "import sys, deepxrd; heavy = {'torch', 'pymatgen', 'hydra', 'numpy'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "assert set(deepxrd.__all__) <= set(dir(deepxrd)); [getattr(deepxrd, name) for name in deepxrd.__all__]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(AttributeError, match="no_such_name"):
        deepxrd.no_such_name  # noqa: B018


def test_formulas_are_encoded() -> None:
    encoded = deepxrd.encode(["SrTiO3", "NaCl"])
    assert encoded.shape == (2, 1, 84, 10)
    assert encoded.sum(axis=(1, 2, 3)).tolist() == [3, 2]
    small = deepxrd.OneHotEncoding(elements=("Na", "Cl"), n_counts=2)
    assert deepxrd.encode(["NaCl"], small).tolist() == [[[[0, 1], [0, 1]]]]
    with pytest.raises(FormulaError, match="O is not among"):
        deepxrd.encode(["SrO"], deepxrd.OneHotEncoding(elements=("Sr",)))
    with pytest.raises(FormulaError, match="give \\['NaCl'\\]"):
        deepxrd.encode("NaCl")


@pytest.mark.parametrize(
    ("formulas", "said"),
    [
        (["Al203"], "write Al2O3"),
        (["SIO2"], "did you mean SiO2"),
        (["NaCl", None], "formula 1 is None"),
        ([float("nan")], "formula 0 is nan"),
        (None, "needed is a list of formulas, not None"),
    ],
)
def test_what_is_no_formula_is_refused_as_on_the_command_line(formulas: Any, said: str) -> None:
    with pytest.raises(FormulaError, match=said):
        deepxrd.encode(formulas)


@pytest.mark.parametrize("given", [None, 3])
def test_what_is_no_list_of_structures_is_refused(given: Any) -> None:
    with pytest.raises(PatternError, match=f"needed is a list of structures, not one {type(given).__name__}"):
        deepxrd.simulate(given)


@pytest.fixture
def cubic() -> list[Structure]:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return [Structure(Lattice.cubic(a), ["Sr", "Ti", "O", "O", "O"], sites) for a in (3.905, 4.1)]


def test_structures_are_simulated_and_patterns_scored(cubic: list[Structure]) -> None:
    patterns = deepxrd.simulate(cubic)
    assert patterns.shape == (2, 1024)
    assert patterns.max(axis=1) == pytest.approx([100, 100])
    assert deepxrd.score(patterns, patterns)["peak_f1_2deg"].tolist() == [1, 1]
    swapped = deepxrd.score(torch.from_numpy(patterns[::-1].copy()), patterns, full=True)
    assert (swapped["pearson_distance"] > 0.1).all()
    wide = deepxrd.XrdSettings(n_points=512)
    assert deepxrd.score(deepxrd.simulate(cubic, wide), deepxrd.simulate(cubic, wide), wide)["mse"].tolist() == [0, 0]
    with pytest.raises(PatternError, match="on a grid"):
        deepxrd.score(patterns, patterns, wide)


def test_a_structure_without_a_pattern_is_told_by_its_place(cubic: list[Structure]) -> None:
    flat = Structure(Lattice.cubic(0.2), ["Sr"], [[0, 0, 0]])
    with pytest.raises(PatternError, match=r"^structure 1: its cell"):
        deepxrd.simulate([cubic[0], flat])


def test_a_configuration_is_composed_trained_and_scored(perovskite_source: FilesSource, tmp_path: Path) -> None:
    cfg = deepxrd.compose(["data=abc3", "source=files", "model.depth=10", "trainer.accelerator=cpu", "build.n_jobs=1"])
    cfg.source.path = Path(perovskite_source.path)
    cfg.paths.data_dir = tmp_path / "data"
    cfg.trainer.max_epochs = 1
    cfg.trainer.enable_progress_bar = False
    cfg.data.split.seed = 3
    result = deepxrd.fit_and_test(cfg, str(tmp_path / "run"))
    assert result.metrics["epochs"] == 1
    assert (tmp_path / "run/metrics.json").is_file()
    assert 0 <= np.mean(result.per_sample["peak_f1_2deg"]) <= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [(["no_such=1"], "no_such"), (["model=no_such"], "no_such"), ("seed=1", "give \\['seed=1'\\]")],
)
def test_settings_that_are_not_there_are_named(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        deepxrd.compose(given)


@pytest.mark.parametrize(
    ("given", "change", "message"),
    [
        ([], {"optimizer": None}, "optimizer=null"),
        (["model=substitution"], {}, "deepxrd.evaluate"),
        (["source=files", "source.path=x.csv"], {}, "data=abc3"),
        ([], {"seed": "${no.such}"}, "no"),
    ],
)
def test_a_configuration_that_cannot_be_trained_is_refused(
    given: list[str], change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(deepxrd.compose(given), resolve=False)
    with pytest.raises(ConfigError, match=message):
        deepxrd.fit_and_test({**plain, **change}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
