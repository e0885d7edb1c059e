"""What candidates say together: crystal system, space group, cell, volume and density, each with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from deepxrd.chem import ATOMIC_NUMBERS, Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS
from deepxrd.chem.element_properties import element_property
from deepxrd.models.candidates.candidates import CELL, Candidates
from deepxrd.models.candidates.cells import log_volume
from deepxrd.models.candidates.templates import Templates

Floats = NDArray[np.float64]

N_SPACE_GROUPS = 5
COVERED = 0.9
"""Share of intervals that hold the true value."""
_QUANTILES = ((1 - COVERED) / 2, 0.5, (1 + COVERED) / 2)
_REACH = 3.1  # standard deviations, beyond which less than 1e-3 of a normal distribution lies
_STEPS = 50  # of a bisection: to 1e-15 of where it began
_AMU_PER_ANGSTROM3 = 1.66053906660  # g/cm^3, CODATA 2018
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Of n compositions; not a number, or zero, where nothing is known.

    Attributes:
        crystal_systems: probability of each of `CRYSTAL_SYSTEMS`, ``(n, 7)``; what is missing to 1 is not known.
        space_groups: the likeliest, 1 to 230, ``(n, 5)``; 0 where there are fewer.
        space_group_probability: of each, ``(n, 5)``.
        cell: of the conventional cell a, b, c in Å and alpha, beta, gamma in degrees, in the likeliest space group that
            a candidate has: the lower end of an interval that holds the true value in 90 %, the median, and the upper
            end, ``(n, 6, 3)``.
        volume_per_atom: Å^3, likewise, ``(n, 3)``.
        density: g/cm^3, likewise, ``(n, 3)``.
    """

    crystal_systems: Floats
    space_groups: NDArray[np.int64]
    space_group_probability: Floats
    cell: Floats
    volume_per_atom: Floats
    density: Floats

    @classmethod
    def join(cls, parts: Sequence[Symmetry]) -> Symmetry:
        """Of several lists of compositions as of one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def crystal_system(self, row: int) -> str:
        """The likeliest crystal system of a composition; empty if there is none."""
        best = int(self.crystal_systems[row].argmax())
        return CRYSTAL_SYSTEMS[best] if self.crystal_systems[row, best] > 0 else ""


def symmetry(templates: Templates, found: Candidates, formulas: Sequence[Formula]) -> Symmetry:
    """Put candidates together.

    Args:
        templates: that they were made from.
        found: candidates of n compositions, as a model predicts them.
        formulas: the compositions.

    Raises:
        TypeError: no network was asked about them.
    """
    groups, systems, first = found.space_groups, found.crystal_systems, found.found.member[:, 0]
    if found.volume_deviation is None or found.probability is None or groups is None or systems is None:
        msg = "these candidates have no deviations yet: take those of a model's predictions"
        raise TypeError(msg)
    group = found.groups(templates)
    best = np.argsort(-groups, axis=1, kind="stable")[:, :N_SPACE_GROUPS]
    likely = np.take_along_axis(groups, best, axis=1)
    numbers = np.where(likely > 0, best + 1, 0)
    own = np.where(group > 0, np.take_along_axis(groups, np.maximum(group - 1, 0), axis=1), -1.0)
    chosen = np.take_along_axis(group, own.argmax(axis=1)[:, None], axis=1)
    told = found.mask & (groups.sum(axis=1, keepdims=True) > 0)
    of_best = np.where((group == chosen) & told, np.maximum(found.probability, _LEAST), 0.0)
    mean, spread = _at(found.cells.mean, found.place), _at(found.cells.deviation, found.place)
    cell = np.stack([mixture_quantiles(mean[..., i], spread[..., i], of_best) for i in range(6)], axis=1)
    cell = np.concatenate([np.exp(cell[:, :3]), np.degrees(cell[:, 3:])], axis=1)
    volume = log_volume(found.cells.mean) - np.log(templates.n_atoms[first])
    filled = _at(_atoms_per_site(found), found.place)  # atoms in place of each of the template's
    per_atom = _at(volume, found.place) - np.log(filled)
    every = np.where(told, np.maximum(found.probability, _LEAST), 0.0)
    volumes = np.exp(mixture_quantiles(per_atom, _at(found.volume_deviation, found.place), every))
    density = _mass_per_atom(formulas)[:, None] / volumes[:, ::-1] * _AMU_PER_ANGSTROM3
    return Symmetry(systems, numbers, likely, cell, volumes, density)


def mixture_quantiles(mean: Floats, deviation: Floats, weight: Floats) -> Floats:
    """Quantiles of mixtures of normal distributions: lower end, median, upper end, ``(n, 3)``.

    Args:
        mean: of each part, ``(n, k)``.
        deviation: likewise, at least zero.
        weight: likewise; where all of a row are zero the quantiles are not numbers.
    """
    total = weight.sum(axis=1, keepdims=True)
    share = weight / np.where(total > 0, total, 1.0)
    wide = np.maximum(deviation, 1e-12)
    there = (share > 0) | (total <= 0)  # where nothing counts, any ends will do
    out = []
    for quantile in _QUANTILES:
        low = np.where(there, mean - _REACH * wide, np.inf).min(axis=1)
        high = np.where(there, mean + _REACH * wide, -np.inf).max(axis=1)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            part = torch.special.ndtr(torch.from_numpy((middle[:, None] - mean) / wide)).numpy()
            below = (share * part).sum(axis=1) < quantile
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        out.append((low + high) / 2)
    return np.where(total > 0, np.stack(out, axis=1), np.nan)


def _at(values: NDArray[np.floating], place: NDArray[np.int64]) -> Floats:
    padded = np.concatenate([values, np.ones((1, *values.shape[1:]))])  # what stands for padding is never used
    return np.asarray(padded[place], dtype=np.float64)


def _atoms_per_site(found: Candidates) -> Floats:
    """Atoms for each site of the template, less than one where sites stay empty, ``(m,)``."""
    targets = found.targets
    filled = (targets.filled.sum(axis=2) * targets.counts).sum(axis=1) / np.maximum(targets.counts.sum(axis=1), 1)
    return np.asarray(np.maximum(filled[found.found.target], _LEAST))


def _mass_per_atom(formulas: Sequence[Formula]) -> Floats:
    """Mean atomic mass, unified atomic mass units, ``(n,)``."""
    masses = element_property("mass_dalton")
    out = np.empty(len(formulas))
    for row, formula in enumerate(formulas):
        counts = np.array([count for _, count in formula.counts], dtype=np.float64)
        numbers = [ATOMIC_NUMBERS[symbol] for symbol, _ in formula.counts]
        out[row] = masses[numbers] @ counts / counts.sum()
    return out


def symmetry_columns(said: Symmetry) -> dict[str, NDArray[np.generic]]:
    """The same in columns ``(n,)``, as tables of many formulas have them: likeliest first, ends of 90 % intervals."""
    best = said.crystal_systems.argmax(axis=1)
    likely = said.crystal_systems.max(axis=1, initial=0.0)
    names = np.where(likely > 0, np.array(CRYSTAL_SYSTEMS)[best], "")
    out: dict[str, NDArray[np.generic]] = {
        "crystal_system": names,
        "crystal_system_probability": likely.astype(np.float32),
    }
    for rank in range(N_SPACE_GROUPS):
        out[f"space_group_{rank + 1}"] = said.space_groups[:, rank].astype(np.int32)
        out[f"space_group_{rank + 1}_probability"] = said.space_group_probability[:, rank].astype(np.float32)
    values = {name: said.cell[:, place] for place, name in enumerate(CELL)}
    values |= {"volume_per_atom_angstrom3": said.volume_per_atom, "density_g_per_cm3": said.density}
    for name, each in values.items():
        for end, column in (("_low", 0), ("", 1), ("_high", 2)):
            out[f"{name}{end}"] = each[:, column].astype(np.float32)
    return out
