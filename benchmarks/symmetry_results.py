r"""Crystal systems, space groups, cells and volumes of the test part, beside baselines, as tables and figures.

    python benchmarks/symmetry_results.py --store STORE --weights RUN/model --work FOLDER --out results/symmetry \
        [--split composition]

After ``symmetry_predictions.py`` with the same arguments, of which a part is enough: its parts are fair samples. Writes
``SPLIT.md``, ``SPLIT.csv``, ``SPLIT-lattice.csv`` and figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.symmetry_figures import confusion_figure, lattice_figure
from deepxrd.analysis.symmetry_tables import lattice_markdown, share_table, sureness_table
from deepxrd.chem import Formula, parse_formula
from deepxrd.data import PatternStore, Split, indices
from deepxrd.evaluation.symmetry_baselines import majority, nearest, neighbour_rows, volume_ratios
from deepxrd.evaluation.symmetry_scores import (
    Truth,
    confusion,
    lattice_table,
    sample_table,
    summaries,
    volumes_per_atom,
)
from deepxrd.io.files import atomic_path, file_hash, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.models.candidates.calibrate import known_structures
from deepxrd.models.candidates.saved import FACTS, load
from deepxrd.models.candidates.symmetry import Symmetry
from symmetry_predictions import part_folder, read_known, read_parts

MODEL = "candidates"
_SHARES_TEXT = (
    "Shares that are right; in brackets half the width of the 95 % interval (bootstrap by chemical system). "
    "Substitution keeps the symmetry of the nearest composition, so its shares are the same. Aims for ternaries: "
    "crystal system 0.80, space group first 0.68, among five 0.87."
)
_LOST_TEXT = (
    "Shares of the compositions. What the training part never shows for a stoichiometry cannot be found by candidates; "
    "of several known structures of a composition, which is the most stable is a matter of a few meV per atom."
)
_SURE_TEXT = (
    "Expected calibration error in tenths, of the likeliest crystal system and of the five space groups; how often a "
    "90 % interval holds the truth, edges only where the space group is right."
)
_LATTICE_TEXT = (
    "R² by true crystal system, of all compositions, whatever system was said. MLatticeABC (Li et al. 2021) is told "
    "the crystal system and was tested on other compositions: beside it belong those where the system is right."
)


def main() -> None:
    """Score what is predicted, write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="composition", choices=("composition", "time", "chemical_system"))
    arguments = parser.parse_args()
    store = PatternStore.open(arguments.store)
    rows = indices(store, Split(by=arguments.split))
    folder = part_folder(arguments.work, arguments.split, arguments.weights)
    kept = read_parts(folder, [each.name for each in fields(Symmetry)])
    place = kept.pop("place")
    train, some = _formulas(store, rows, place)
    truth, reference, answers = _answers(store, rows, folder, place)
    answers = {MODEL: Symmetry(**kept), **answers}
    samples = {name: sample_table(said, truth, some) for name, said in answers.items()}
    lost = _lost(samples[MODEL], train, reference, _polymorphs(arguments.weights, some))
    of_list = "" if len(place) == len(rows["test"]) else ", evenly from the whole list"
    about = (
        f"Written by `benchmarks/symmetry_results.py` on {machine()['processor']}, commit {git_commit()}. Data: "
        f"Materials Project 2025.02.12 (CC BY 4.0; Jain et al. 2013), data hash {store.content_hash}; split by "
        f"{arguments.split}, {len(train):,} compositions to learn from; {len(samples[MODEL]):,} of "
        f"{len(rows['test']):,} test compositions scored{of_list}. "
        f"Weights `{file_hash(arguments.weights / FACTS)}`. The truth is the most stable structure that is known."
    )
    _write(samples, lost, arguments.out, arguments.split, about)
    print(f"results: {arguments.out / arguments.split}.md")


def _answers(
    store: PatternStore, rows: dict[str, NDArray[np.int64]], folder: Path, place: NDArray[np.int64]
) -> tuple[Truth, Truth, dict[str, Symmetry]]:
    """Truth of the test compositions, that of the training part, and what baselines say."""
    crystals, (train, some) = store.crystals(), _formulas(store, rows, place)
    of_train = [crystals[row] for row in rows["train"].tolist()]
    known, learned = read_known(folder, "test"), read_known(folder, "train")
    volume = volumes_per_atom([crystals[row] for row in rows["test"][place].tolist()])
    truth = Truth(known.space_group[place], known.cell[place], volume)
    reference = Truth(learned.space_group, learned.cell, volumes_per_atom(of_train))
    file = folder / f"neighbours-{len(place)}.npy"
    if not file.is_file():
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, neighbour_rows(train, some))
    near = np.load(file)
    otherwise = majority(reference, len(some))
    ratios = volume_ratios(near, train, of_train, some)
    said = {
        "majority": otherwise,
        "nearest composition": nearest(near, reference, otherwise),
        "substitution": nearest(near, reference, otherwise, scale=ratios),
    }
    return truth, reference, said


def _formulas(
    store: PatternStore, rows: dict[str, NDArray[np.int64]], place: NDArray[np.int64]
) -> tuple[list[Formula], list[Formula]]:
    """Compositions of the training part, and those of the test part that are scored."""
    train = [store.formulas[row] for row in rows["train"].tolist()]
    return train, [store.formulas[row] for row in rows["test"][place].tolist()]


def _polymorphs(weights: Path, formulas: Sequence[Formula]) -> dict[str, set[int]]:
    """Space groups of all known structures of each composition."""
    known = known_structures(load(weights).maker, formulas)
    out: dict[str, set[int]] = {}
    for formula, group in zip(known.library.formulas(known.row), known.space_group.tolist(), strict=True):
        out.setdefault(formula.reduced, set()).add(group)
    return out


def _lost(
    samples: pd.DataFrame, train: Sequence[Formula], reference: Truth, polymorphs: dict[str, set[int]]
) -> pd.DataFrame:
    """Why the first space group is not the true one, a row per number of elements: shares of all compositions."""
    seen = {(f.anonymous, g) for f, g in zip(train, reference.space_group.tolist(), strict=True)}
    anonymous = [parse_formula(text).anonymous for text in samples["formula"]]
    groups, said = samples["space_group"].tolist(), samples["said_group"].tolist()
    missed = ~samples["group_first"].to_numpy()
    unseen = missed & np.array([(a, g) not in seen for a, g in zip(anonymous, groups, strict=True)])
    other = missed & ~unseen
    other &= np.array([g in polymorphs.get(f, set()) for f, g in zip(samples["formula"], said, strict=True)])
    unsure = missed & ~unseen & ~other & samples["group_among_five"].to_numpy()
    table = pd.DataFrame(
        {
            "elements": samples["elements"],
            "right": ~missed,
            "true one not among the training part's of this stoichiometry": unseen,
            "that of another known structure of the composition": other,
            "true one second to fifth": unsure,
            "true one below": missed & ~unseen & ~other & ~unsure,
        }
    )
    by_size = table.groupby("elements").mean()
    by_size.loc["all"] = table.drop(columns="elements").mean()
    return by_size


def _write(samples: dict[str, pd.DataFrame], lost: pd.DataFrame, out: Path, split: str, about: str) -> None:
    rows = summaries(samples)
    sizes = list(dict.fromkeys(row["elements"] for row in rows))
    lattice = {name: lattice_table(table) for name, table in samples.items() if name != "majority"}
    shown = [row for row in rows if row["model"] != "substitution"]
    mine = [row for row in rows if row["model"] == MODEL]
    with atomic_path(out / f"{split}.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.5f")
    with atomic_path(out / f"{split}-lattice.csv") as temporary:
        joined = pd.concat([table.assign(model=name) for name, table in lattice.items()])
        joined.to_csv(temporary, index=False, float_format="%.5f")
    text = [f"# Symmetry of the test part, split by {split}", about, _SHARES_TEXT]
    for size in sizes:
        heading = "All numbers of elements" if size == "all" else f"{size} element(s)"
        text += [f"## {heading}", share_table([row for row in shown if row["elements"] == size])]
    text += ["## Where the first space group is lost", _LOST_TEXT, _lost_table(lost)]
    text += ["## How sure", _SURE_TEXT, sureness_table(mine, first="elements")]
    text += ["## *a*, Å", _LATTICE_TEXT, lattice_markdown(lattice), f"![lattice](figures/lattice-{split}.png)"]
    text += ["## Which system is taken for which", f"![confusion](figures/confusion-{split}.png)"]
    write_text(out / f"{split}.md", "\n\n".join(text) + "\n")
    title = f"Crystal systems, {len(samples[MODEL]):,} compositions"
    save_figure(confusion_figure(confusion(samples[MODEL]), title=title), out / f"figures/confusion-{split}.png")
    save_figure(lattice_figure(samples[MODEL]), out / f"figures/lattice-{split}.png")


def _lost_table(lost: pd.DataFrame) -> str:
    lines = [f"| elements | {' | '.join(lost.columns)} |", "|---|" + "---|" * len(lost.columns)]
    lines += [
        f"| {size} | {' | '.join(f'{value:.3f}' for value in row)} |"
        for size, row in zip(lost.index, lost.to_numpy(), strict=True)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
