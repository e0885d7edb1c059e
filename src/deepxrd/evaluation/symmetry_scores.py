"""Predicted crystal systems, space groups and cells against the true ones: samples, tables, lattice parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.analysis.symmetry_tables import SHARES
from deepxrd.chem import Crystal, Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.library.symmetry import find_asymmetric_unit
from deepxrd.metrics.bootstrap import Interval, mean_interval
from deepxrd.metrics.calibration import calibration_error
from deepxrd.models.candidates.symmetry import Symmetry

Floats = NDArray[np.float64]

COVERAGES = ("a_covered", "b_covered", "c_covered", "volume_covered")
"""Whether a 90 % interval holds the true value: edges only where the likeliest space group is the true one."""
MLATTICE_ABC_R2 = {
    "triclinic": 0.800, "monoclinic": 0.520, "orthorhombic": 0.770, "tetragonal": 0.846, "trigonal": 0.843,
    "hexagonal": 0.892, "cubic": 0.979,
}  # fmt: skip
"""R² of *a* of MLatticeABC (Li et al. 2021), which is told the crystal system; other compositions than ours."""
_FREE_ORDER = [CRYSTAL_SYSTEMS.index(name) for name in ("triclinic", "orthorhombic")]


@dataclass(frozen=True, eq=False)
class Truth:
    """True structures of n compositions.

    Attributes:
        space_group: ``(n,)``; 0 where none could be determined.
        cell: conventional a, b, c in Å and angles in degrees, ``(n, 6)``; not a number where there is none.
        volume_per_atom: Å^3, ``(n,)``.
    """

    space_group: NDArray[np.int64]
    cell: Floats
    volume_per_atom: Floats

    @classmethod
    def of_crystals(cls, crystals: Sequence[Crystal]) -> Truth:
        """By moyopy, as the library of structures has them; some 2 ms for each crystal."""
        group, cell = np.zeros(len(crystals), dtype=np.int64), np.full((len(crystals), 6), np.nan)
        for row, crystal in enumerate(crystals):
            unit = find_asymmetric_unit(crystal)
            if unit is not None:
                group[row], cell[row] = unit.space_group, unit.cell
        return cls(group, cell, volumes_per_atom(crystals))


def volumes_per_atom(crystals: Sequence[Crystal]) -> Floats:
    """Å^3, ``(len(crystals),)``; sites that are partly filled count as far as they are."""
    return np.array([abs(np.linalg.det(each.lattice)) / each.occupancies.sum() for each in crystals])


def sample_table(said: Symmetry, truth: Truth, formulas: Sequence[Formula]) -> pd.DataFrame:
    """One row per composition whose true space group is known.

    Edges of orthorhombic and triclinic cells are put in ascending order, in truth and prediction, since which axis is
    called *a* is there a matter of choice.

    Args:
        said: of n compositions.
        truth: of the same.
        formulas: of the same.
    """
    system = crystal_system_places(np.maximum(truth.space_group, 1))
    right = (said.space_groups == truth.space_group[:, None]) & (truth.space_group > 0)[:, None]
    said_system = said.crystal_systems.argmax(axis=1)
    likely = said.crystal_systems.max(axis=1)
    said_system = np.where(likely > 0, said_system, -1)
    free = np.isin(system, _FREE_ORDER)
    true_edges = _ordered(truth.cell[:, :3, None], free)[..., 0]
    edges = _ordered(said.cell[:, :3], free)
    out: dict[str, Any] = {
        "formula": [formula.reduced for formula in formulas],
        "chemical_system": [formula.chemical_system for formula in formulas],
        "elements": [len(formula.counts) for formula in formulas],
        "system": system,
        "said_system": said_system,
        "system_probability": likely,
        "system_right": said_system == system,
        "space_group": truth.space_group,
        "said_group": said.space_groups[:, 0],
        "group_probability": said.space_group_probability[:, 0],
        "group_first": right[:, 0],
        "group_among_five": right.any(axis=1),
        "volume_error": np.abs(np.log(said.volume_per_atom[:, 1] / truth.volume_per_atom)),
        "volume_covered": _covered(said.volume_per_atom, truth.volume_per_atom),
    }
    for place, name in enumerate("abc"):
        out[name], out[f"said_{name}"] = true_edges[:, place], edges[:, place, 1]
        out[f"{name}_covered"] = np.where(right[:, 0], _covered(edges[:, place], true_edges[:, place]), np.nan)
    for rank in range(right.shape[1]):
        out[f"group_{rank + 1}_probability"] = said.space_group_probability[:, rank]
        out[f"group_{rank + 1}_right"] = right[:, rank]
    return pd.DataFrame(out)[truth.space_group > 0].reset_index(drop=True)


def summary(samples: pd.DataFrame, *, n_resamples: int = 2000) -> dict[str, Any]:
    """Shares with intervals (bootstrap by chemical system), calibration errors, coverages and errors of volumes."""
    systems = samples["chemical_system"].tolist()
    out: dict[str, Any] = {"n": len(samples)}
    for name in SHARES:
        found: Interval = mean_interval(samples[name].to_numpy(float), groups=systems, n_resamples=n_resamples)
        out |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
    out["system_calibration_error"] = calibration_error(
        samples["system_probability"].to_numpy(), samples["system_right"].to_numpy()
    )
    ranks = [rank for rank in range(1, 6) if f"group_{rank}_right" in samples]
    promised = np.concatenate([samples[f"group_{rank}_probability"].to_numpy() for rank in ranks])
    came = np.concatenate([samples[f"group_{rank}_right"].to_numpy() for rank in ranks])
    out["group_calibration_error"] = calibration_error(promised[promised > 0], came[promised > 0])
    for name in COVERAGES:
        out[name] = float(np.nanmean(samples[name])) if samples[name].notna().any() else float("nan")
    out["median_volume_error"] = float(np.nanmedian(samples["volume_error"])) if len(samples) else float("nan")
    return out


def summaries(samples: Mapping[str, pd.DataFrame], *, n_resamples: int = 2000) -> list[dict[str, Any]]:
    """`summary` of each number of elements and of all, a row per model.

    Args:
        samples: of `sample_table` by name of the model.
        n_resamples: for the intervals.
    """
    sizes = sorted({int(n) for table in samples.values() for n in table["elements"]})
    out: list[dict[str, Any]] = []
    for size in [*sizes, "all"]:
        for name, table in samples.items():
            part = table if size == "all" else table[table["elements"] == size]
            if len(part):
                out.append({"elements": size, "model": name, **summary(part, n_resamples=n_resamples)})
    return out


def lattice_table(samples: pd.DataFrame) -> pd.DataFrame:
    """*a* by true crystal system: R² and median relative error over all, where the system is right, and the group.

    R² = 1 − Σ (a − â)² / Σ (a − mean a)², which a single large cell can spoil; the median error tells of the others.
    """
    rows = []
    for place, name in enumerate(CRYSTAL_SYSTEMS):
        part = samples[(samples["system"] == place) & samples["said_a"].notna()]
        row: dict[str, Any] = {"crystal_system": name, "n": len(part), "mlattice_abc_r2": MLATTICE_ABC_R2[name]}
        for words, some in (
            ("", part),
            ("system_right_", part[part["system_right"]]),
            ("group_right_", part[part["group_first"]]),
        ):
            row[f"{words}n"] = len(some)
            row[f"{words}r2"] = r_squared(some["said_a"].to_numpy(), some["a"].to_numpy())
            off = np.abs(some["said_a"] / some["a"] - 1)
            row[f"{words}median_error"] = float(off.median()) if len(some) else float("nan")
        rows.append(row)
    return pd.DataFrame(rows)


def r_squared(said: Floats, true: Floats) -> float:
    """Coefficient of determination; not a number for fewer than two samples.

    Example:
        >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
        1.0
    """
    if len(true) < 2:  # noqa: PLR2004 - no spread
        return float("nan")
    return float(1 - ((said - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())


def confusion(samples: pd.DataFrame) -> NDArray[np.int64]:
    """How many of each true crystal system were said to be each, ``(7, 7)``; without those of which nothing is said."""
    n, said = len(CRYSTAL_SYSTEMS), samples["said_system"].to_numpy()
    there = said >= 0
    flat = samples["system"].to_numpy()[there] * n + said[there]
    return np.asarray(np.bincount(flat, minlength=n * n), dtype=np.int64).reshape(n, n)


def _ordered(edges: Floats, free: NDArray[np.bool_]) -> Floats:
    """Edges ``(n, 3, k)`` in ascending order where they may be in any."""
    return np.where(free[:, None, None], np.sort(edges, axis=1), edges)


def _covered(interval: Floats, true: Floats) -> Floats:
    """1 where ``(n, 3)`` low, median and high hold the truth up to rounding; not a number where none is said."""
    slack = 1e-6 * np.abs(true)
    inside = (interval[:, 0] - slack <= true) & (true <= interval[:, 2] + slack)
    return np.where(np.isfinite(interval[:, 1]), inside.astype(np.float64), np.nan)
