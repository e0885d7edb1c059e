"""The part of an evaluation that scores crystal systems, space groups, cells and volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.symmetry_figures import confusion_figure, lattice_figure
from deepxrd.analysis.symmetry_tables import lattice_markdown, share_table, sureness_table
from deepxrd.chem import Crystal
from deepxrd.evaluation.symmetry_baselines import majority, nearest, neighbour_rows, volume_ratios
from deepxrd.evaluation.symmetry_scores import (
    Truth,
    confusion,
    lattice_table,
    sample_table,
    summaries,
    volumes_per_atom,
)
from deepxrd.evaluation.task import Task, in_parts
from deepxrd.io.files import write_text
from deepxrd.io.progress import progress_bar
from deepxrd.models.candidates.symmetry import Symmetry

TABLE, LATTICE, PAGE = "symmetry.csv", "symmetry_lattice.csv", "symmetry.md"
CONFUSION_FIGURE, LATTICE_FIGURE = "figures/symmetry_confusion.png", "figures/symmetry_lattice.png"
_MOST_FOR_MAJORITY = 4000
Says = Callable[[Task], Symmetry]


def write_symmetry(task: Task, says: Says, out: Path, *, label: str, n_resamples: int) -> pd.DataFrame:
    """Score a model's symmetry beside the majority, the nearest composition and substitution, and write all of it.

    Args:
        task: what was to be predicted.
        says: the model's answer for the targets of a task.
        out: the folder.
        label: name of the model.
        n_resamples: of the chemical systems, for the intervals.

    Returns:
        What ``symmetry.csv`` holds: a row per model and number of elements.
    """
    truth = Truth.of_crystals(task.crystals)
    answers = {label: says(task), **baseline_answers(task)}
    samples = {name: sample_table(said, truth, task.formulas) for name, said in answers.items()}
    rows = summaries(samples, n_resamples=n_resamples)
    lattice = {name: lattice_table(each) for name, each in samples.items() if name != "majority"}
    mine = [row for row in rows if row["model"] == label]
    table, joined = pd.DataFrame(rows), pd.concat([each.assign(model=name) for name, each in lattice.items()])
    write_text(out / TABLE, table.round(6).to_csv(index=False))
    write_text(out / LATTICE, joined.round(6).to_csv(index=False))
    text = [
        f"# Symmetry: {label}, {len(samples[label])} test samples",
        share_table([row for row in rows if row["elements"] == "all"]),
        sureness_table(mine, first="elements"),
        lattice_markdown(lattice),
    ]
    write_text(out / PAGE, "\n\n".join(text) + "\n")
    save_figure(confusion_figure(confusion(samples[label]), title=label), out / CONFUSION_FIGURE)
    save_figure(lattice_figure(samples[label]), out / LATTICE_FIGURE)
    return table


def baseline_answers(task: Task) -> dict[str, Symmetry]:
    """What the majority, the nearest composition and substitution say of a task's targets."""
    train = task.reference
    near = neighbour_rows(train.formulas, task.formulas)
    some = np.random.default_rng(0).permutation(len(train.formulas))[:_MOST_FOR_MAJORITY]
    needed = np.union1d(near[near >= 0], some)
    found = _structures(train.crystals, needed.tolist())
    drawn = Truth(found.space_group[some], found.cell[some], found.volume_per_atom)
    otherwise = majority(drawn, len(near))
    ratios = volume_ratios(near, train.formulas, train.crystals, task.formulas)
    return {
        "majority": otherwise,
        "nearest composition": nearest(near, found, otherwise),
        "substitution": nearest(near, found, otherwise, scale=ratios),
    }


def in_parts_of(task: Task, says: Callable[[list[int]], Symmetry]) -> Symmetry:
    """A model's answer for all targets, with a progress bar.

    Args:
        task: whose targets.
        says: the answer for some places among them.
    """

    def part(places: np.ndarray) -> dict[str, np.ndarray]:
        return vars(says(places.tolist()))

    found = in_parts(part, np.arange(len(task.targets)), label="Predicting symmetry", at_once=128)
    return Symmetry(**{each.name: found[each.name] for each in fields(Symmetry)})


def _structures(crystals: Sequence[Crystal], needed: list[int]) -> Truth:
    """Of all crystals, space group and cell of those that are needed alone, since these take 2 ms each."""
    found = Truth(np.zeros(len(crystals), np.int64), np.full((len(crystals), 6), np.nan), volumes_per_atom(crystals))
    with progress_bar() as bar:
        for row in bar.track(needed, description="Symmetry of the training part"):
            one = Truth.of_crystals([crystals[row]])
            found.space_group[row], found.cell[row] = one.space_group[0], one.cell[0]
    return found
