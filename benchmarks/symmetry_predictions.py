r"""What the candidate model says of symmetry and cells of the test part, and what is true, kept part by part.

    python benchmarks/symmetry_predictions.py --store STORE --weights RUN/model --work FOLDER [--split composition]

A run that was stopped goes on where it was. ``symmetry_results.py`` and ``symmetry_patterns.py`` make tables of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.io.files import atomic_path, file_hash
from deepxrd.io.progress import progress_bar
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.calibrate import known_structures
from deepxrd.models.candidates.candidates import Candidates
from deepxrd.models.candidates.cells import log_volume
from deepxrd.models.candidates.saved import FACTS, load
from deepxrd.models.candidates.symmetry import Symmetry, symmetry
from split_arguments import open_split, result_name, split_parser

OUTPUTS = ("best", "decoded", "expected")
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Known:
    """The most stable known structure of each of n compositions.

    Attributes:
        space_group: ``(n,)``; 0 where none is known.
        cell: conventional a, b, c in Å and angles in degrees, ``(n, 6)``; not a number where none is known.
        n_atoms: in that cell, ``(n,)``; 0 where none is known.
    """

    space_group: NDArray[np.int64]
    cell: NDArray[np.float64]
    n_atoms: NDArray[np.int64]

    @classmethod
    def of(cls, model: CandidateModel, formulas: Sequence[Formula]) -> Known:
        """What the library of a model's templates knows, held-out compositions left out."""
        known = known_structures(model.maker, formulas)
        stable = np.flatnonzero(known.ground_state > 0)
        names = [formula.reduced for formula in known.library.formulas(known.row[stable])]
        place = {name: row for row, name in zip(stable[::-1].tolist(), names[::-1], strict=True)}
        at = np.array([place.get(formula.reduced, -1) for formula in formulas], dtype=np.int64)
        there = at >= 0
        cell = np.where(there[:, None], known.cell[at], np.nan)
        return cls(np.where(there, known.space_group[at], 0), cell, np.where(there, known.n_atoms[at], 0))

    def take(self, place: NDArray[np.int64]) -> Known:
        """Of some of the compositions."""
        return Known(self.space_group[place], self.cell[place], self.n_atoms[place])


def main() -> None:
    """Predict what is not predicted yet."""
    parser = split_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parts", type=int, help="no more than so many parts of 256 compositions")
    arguments = parser.parse_args()
    store, rows = open_split(arguments)
    model = load(arguments.weights, structures=arguments.structures)
    folder = part_folder(arguments)
    learned = int(model.maker.learned([store.formulas[row] for row in rows["test"].tolist()]).sum())
    if learned:
        print(f"warning: {learned} test compositions were learned from")
    for name in ("train", "test"):
        file = folder / f"known-{name}.npz"
        if not file.is_file():
            _save(file, vars(Known.of(model, [store.formulas[row] for row in rows[name].tolist()])))
    known = read_known(folder, "test")
    with progress_bar() as bar:
        n, n_parts = len(rows["test"]), -(-len(rows["test"]) // _AT_ONCE)
        for number in bar.track(range(min(n_parts, arguments.parts or n_parts)), description="Predicting symmetry"):
            file = folder / f"part-{number:06d}.npz"
            if not file.is_file():  # every n-th composition, so that the first parts are a fair sample of all
                place = np.arange(number, n, n_parts)
                some = [store.formulas[row] for row in rows["test"][place].tolist()]
                said = model.predict(some)
                patterns = {"decoded": said.patterns, **said.further}
                _save(file, {"place": place, **part_of(model, said.candidates[0], patterns, some, known.take(place))})
    print(f"kept: {folder}")


def part_folder(arguments: argparse.Namespace) -> Path:
    """Where the parts of a split's test part are, by the weights that said them."""
    weights = file_hash(arguments.weights / FACTS)[:12]
    return Path(arguments.work) / f"{result_name(arguments)}-{weights}"


def read_known(folder: Path, name: str) -> Known:
    """What is known of the ``train`` or the ``test`` part."""
    with np.load(folder / f"known-{name}.npz") as file:
        return Known(file["space_group"], file["cell"], file["n_atoms"])


def read_parts(folder: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Joined arrays of the parts that there are, and ``place`` of each row in the test part, ascending."""
    parts = []
    for path in sorted(folder.glob("part-*.npz")):
        with np.load(path) as file:
            parts.append({name: file[name] for name in ("place", *names)})
    order = np.argsort(np.concatenate([part["place"] for part in parts]))
    return {name: np.concatenate([part[name] for part in parts])[order] for name in ("place", *names)}


def part_of(
    model: CandidateModel,
    found: Candidates,
    patterns: Mapping[str, NDArray[np.float32]],
    formulas: Sequence[Formula],
    known: Known,
) -> dict[str, NDArray[Any]]:
    """What is kept of some compositions, from their candidates as the model weighed them."""
    said = symmetry(model.maker.templates, found, formulas)
    return {
        **{each.name: getattr(said, each.name) for each in fields(said)},
        "edges_given": _edges_given(model, found, said, known),
        **{name: patterns[name].astype(np.float16) for name in OUTPUTS},
    }


def _edges_given(model: CandidateModel, found: Candidates, said: Symmetry, known: Known) -> NDArray[np.float64]:
    """a, b and c, Å, if the true crystal system is told; and if also the atoms in the cell are, ``(n, 2, 3)``.

    Means over the candidates of that system, and with so many atoms, weighed by their probabilities. Where none has so
    many atoms, all of the system are scaled to their volume; where none is of the system, edges are those of a cube of
    that volume, or, without the number of atoms, not a number.
    """
    templates, first = model.maker.templates, found.found.member[:, 0]
    group = found.groups(templates)
    n_atoms = np.where(found.mask, np.append(templates.n_atoms[first], 0)[found.place], 0)
    edges = np.exp(np.concatenate([found.cells.mean[:, :3], np.zeros((1, 3))])[found.place])
    volume = np.exp(np.append(log_volume(found.cells.mean), 0.0)[found.place])
    true = crystal_system_places(np.maximum(known.space_group, 1))
    free = np.isin(true, [CRYSTAL_SYSTEMS.index(name) for name in ("triclinic", "orthorhombic")])
    edges = np.where(free[:, None, None], np.sort(edges, axis=2), edges)  # which is called a is a matter of choice
    of_system = (group > 0) & (crystal_system_places(np.maximum(group, 1)) == true[:, None])
    of_cell = of_system & (n_atoms == known.n_atoms[:, None])
    weight = np.where(found.mask, np.asarray(found.probability) + 1e-6, 0.0)
    cube = np.cbrt(known.n_atoms * said.volume_per_atom[:, 1])[:, None]
    scaled = edges * (cube / np.cbrt(volume))[..., None]
    told = _means(edges, weight * of_system, np.full_like(cube, np.nan))
    return np.stack([told, _means(edges, weight * of_cell, _means(scaled, weight * of_system, cube))], axis=1)


def _means(
    values: NDArray[np.float64], weight: NDArray[np.float64], otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted means ``(n, 3)`` of values ``(n, k, 3)``; ``otherwise`` where all weights are zero."""
    total = weight.sum(axis=1)[:, None]
    mean = (values * weight[..., None]).sum(axis=1) / np.maximum(total, 1e-30)
    return np.where(total > 0, mean, otherwise)


def _save(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


if __name__ == "__main__":
    main()
