"""DeepXRD from Python: the few functions that ``import deepxrd`` offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepxrd.chem import Encoding, OneHotEncoding
from deepxrd.chem.encodings import encoded
from deepxrd.chem.typed_formula import parse_each
from deepxrd.errors import ConfigError, PatternError
from deepxrd.xrd import XrdSettings
from deepxrd.xrd import simulate as simulate_each
from deepxrd.xrd.engines import as_crystals

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pymatgen.core import Structure

    from deepxrd.chem import Crystal
    from deepxrd.data.datamodule import PatternDataset
    from deepxrd.training.run import RunResult

_NAMED = 5  # structures in an error


def compose(
    overrides: Sequence[str] = (), *, command: str = "train", config_dir: str | Path | None = None
) -> DictConfig:
    """The configuration that a command would have.

    Args:
        overrides: what would be typed after the command, such as ``["data=abc3", "seed=1"]``.
        command: train, evaluate, prepare or report.
        config_dir: a folder with groups of your own, as ``--config-dir`` takes it.

    Raises:
        ConfigError: there is no such setting, or no such folder.
    """
    from hydra.errors import HydraException

    from deepxrd.config.groups import COMMANDS
    from deepxrd.config.hydra_words import in_words
    from deepxrd.config.own_class import compose_command
    from deepxrd.sweeps.resolvers import register_resolvers

    if isinstance(overrides, str):
        msg = f"needed is a list of settings, not {overrides!r}: give [{overrides!r}]"
        raise ConfigError(msg)
    if command not in COMMANDS:
        msg = f"there is no command {command!r}: those with a configuration are {', '.join(COMMANDS)}"
        raise ConfigError(msg)
    register_resolvers()
    try:
        return compose_command(command, overrides, config_dir=None if config_dir is None else Path(config_dir))
    except HydraException as error:
        raise ConfigError(in_words(error)) from error


def fit_and_test(cfg: DictConfig | Mapping[str, Any], run_dir: str | Path) -> RunResult:
    """Train and score one configuration, as ``python -m deepxrd.train`` does.

    Args:
        cfg: from :func:`compose`, perhaps changed since; or the same as plain values.
        run_dir: where everything goes; a new folder, or with ``resume`` that of the run to resume.

    Returns:
        The folder, the means over the test part, and one row per test sample.

    Raises:
        DeepXRDError: an error you can fix.
    """
    from deepxrd.config import refuse_misnamed
    from deepxrd.evaluation.baselines import is_baseline
    from deepxrd.training import run

    plain = _plain(cfg)
    if is_baseline(plain["model"]):
        msg = f"{plain['model']['_target_']} is fitted where it is evaluated: use python -m deepxrd.evaluate"
        raise ConfigError(msg)
    if not plain.get("resume"):
        refuse_misnamed(plain)
    return run.fit_and_test(plain, Path(run_dir))


def datasets(cfg: DictConfig | Mapping[str, Any]) -> dict[str, PatternDataset]:
    """The parts of a configuration's data for a loop of your own, built if they are not there.

    Args:
        cfg: from :func:`compose`, perhaps changed since; or the same as plain values.

    Returns:
        ``train``, ``val`` and ``test``: map-style datasets for :class:`torch.utils.data.DataLoader`, of which each
        sample is an encoded formula, the paper's ``(1, 84, 10)``, and its pattern ``(n_points,)`` in 0 to 100.

    Raises:
        DeepXRDError: an error you can fix.
    """
    from deepxrd.config import refuse_misnamed
    from deepxrd.data.assemble import make_data
    from deepxrd.data.datamodule import PatternDataset

    plain = _plain(cfg)
    refuse_misnamed(plain)
    data = make_data(plain)
    return {part: PatternDataset(data.store, rows, data.encoding) for part, rows in data.rows.items()}


def encode(formulas: Sequence[str], encoding: Encoding | None = None) -> NDArray[Any]:
    """Formulas as a network reads them.

    Args:
        formulas: such as ``["SrTiO3"]``.
        encoding: without, the paper's one-hot of 84 elements and counts to 9.

    Returns:
        ``(len(formulas), 1, 84, 10)`` zeros and ones, or what another encoding gives.

    Raises:
        FormulaError: one is no formula, or surely another is meant, as by ``Al203``, or it lies outside the encoding.
    """
    return encoded(encoding or OneHotEncoding(), parse_each(formulas))


def simulate(structures: Sequence[Crystal | Structure], settings: XrdSettings | None = None) -> NDArray[np.float32]:
    """Powder patterns of structures; :func:`deepxrd.xrd.simulate` goes on where one of them has none.

    Args:
        structures: pymatgen's, or our own crystals.
        settings: radiation, range, grid and width; without, the paper's: Cu Kα, 0 to 180° in 1024 points.

    Returns:
        ``(n, n_points)``, the largest value of each pattern 100.

    Raises:
        PatternError: something that was given is no structure, or has no pattern; the message tells which and why.
    """
    crystals = as_crystals(structures)
    reasons = [crystal.why_unusable() for crystal in crystals]
    if not any(reasons):
        patterns, reasons = simulate_each(crystals, settings or XrdSettings())
    failed = [f"structure {place}: {reason}" for place, reason in enumerate(reasons) if reason]
    if failed:
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        msg = f"{'; '.join(failed[:_NAMED])}{more}"
        raise PatternError(msg)
    return patterns


def score(
    predicted: ArrayLike, true: ArrayLike, settings: XrdSettings | None = None, *, full: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Distances and peak scores of predicted patterns, one value per pattern.

    Args:
        predicted: ``(n, n_points)``, largest = 100.
        true: the same shape.
        settings: of the patterns, for the angles of their points; without, the paper's.
        full: whether to give all scores; without, those that are cheap.

    Returns:
        Arrays ``(n,)`` by name; see :func:`deepxrd.metrics.score_patterns`.

    Raises:
        PatternError: the arrays are of other shapes or on another scale.
    """
    from deepxrd.metrics import score_patterns

    grid = (settings or XrdSettings()).two_theta_deg
    return score_patterns(np.asarray(predicted), np.asarray(true), grid, full=full)


def _plain(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Resolved and checked plain values.

    Raises:
        ConfigError: a setting cannot be used.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from deepxrd.config import plain_values

    values = OmegaConf.to_container(cfg, resolve=False) if isinstance(cfg, DictConfig) else dict(cfg)
    try:
        return plain_values(OmegaConf.create(_with_texts_for_paths(values)), "train")
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from error


def _with_texts_for_paths(values: Any) -> Any:
    """The same tree of plain values with paths as texts, as they are kept in a run's files."""
    if isinstance(values, Mapping):
        return {key: _with_texts_for_paths(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_with_texts_for_paths(value) for value in values]
    return str(values) if isinstance(values, Path) else values
