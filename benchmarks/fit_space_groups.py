r"""Add what weighs space groups to trained weights, whose other files stay as they are, byte for byte.

    python benchmarks/fit_space_groups.py --store STORE --weights FOLDER --work WORK [--split composition] [--out NEW]

``python -m deepxrd.train model=candidates`` does this itself; this is for weights that were trained before it did.
Small networks learn from the training part; trees, and a few weights, from the validation part, whose predictions
are kept under WORK. Without NEW the folder of the weights is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.chem import Formula, parse_formula
from deepxrd.io.files import atomic_path, file_hash
from deepxrd.io.progress import progress_bar
from deepxrd.models.candidates import CandidateModel
from deepxrd.models.candidates.agreement import agreement
from deepxrd.models.candidates.calibrate import ground_states, known_structures
from deepxrd.models.candidates.group_head import GroupEvidence, GroupHead
from deepxrd.models.candidates.saved import FACTS, load, save
from deepxrd.training.group_net import learn_groups
from split_arguments import open_split, split_parser

_AT_ONCE = 256


def main() -> None:
    """Predict the validation part, learn, save."""
    parser = split_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    model = replace(load(arguments.weights), head=None)  # candidates' probabilities as they are before a head sets them
    file = arguments.work / f"lessons-{arguments.split}-{_name(arguments.weights)}.npz"
    if not file.is_file():
        store, rows = open_split(arguments)
        _keep(file, _lessons(model, [store.formulas[row] for row in rows["val"].tolist()]))
    with np.load(file) as kept:
        evidence = GroupEvidence(*(kept[each.name] for each in fields(GroupEvidence)))
        formulas, true = [parse_formula(text) for text in kept["formulas"].tolist()], kept["true_group"]
    nets = learn_groups(*ground_states(model.maker.templates), seed=0, epochs=arguments.epochs)
    head = GroupHead.fit(nets, evidence, formulas, true, seed=0)
    out = arguments.out or arguments.weights
    before = _hashes(arguments.weights)
    save(replace(model, head=head), out, with_library=False)
    for name, value in _hashes(out).items():
        changed = "new" if name not in before else "as before" if before[name] == value else "CHANGED"
        print(f"{name}: {(out / name).stat().st_size:,} bytes, {changed}")
    print(f"weights {np.round(head.weights, 3).tolist()}; SHA-256 of {FACTS}: {file_hash(out / FACTS)}")


def _lessons(model: CandidateModel, formulas: list[Formula]) -> dict[str, NDArray[Any]]:
    known, parts, true = known_structures(model.maker, formulas), [], []
    with progress_bar() as bar:
        for start in bar.track(range(0, len(formulas), _AT_ONCE), description="Predicting the validation part"):
            (found,) = model.predict(formulas[start : start + _AT_ONCE]).candidates
            parts.append(GroupEvidence.of(model.maker.templates, found))
            true.append(agreement(model.maker.templates, known, found).true_space_group)
    names = np.array([formula.reduced for formula in formulas])
    return {**vars(GroupEvidence.join(parts)), "formulas": names, "true_group": np.concatenate(true)}


def _name(weights: Path) -> str:
    """Of what predicts, which a head does not change."""
    return file_hash(weights / "networks.safetensors")[:12]


def _hashes(folder: Path) -> dict[str, str]:
    return {file.name: file_hash(file) for file in sorted(folder.glob("*.safetensors"))}


def _keep(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


if __name__ == "__main__":
    main()
