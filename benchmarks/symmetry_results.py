r"""Crystal systems, space groups, cells and volumes of the test part, beside baselines, as tables and figures.

    python benchmarks/symmetry_results.py --store STORE --weights RUN/model --work FOLDER --out results/symmetry \
        [--split composition] [--structures all]

After ``symmetry_predictions.py`` with the same arguments, of which a part is enough: its parts are fair samples. Writes
``SPLIT.md``, ``SPLIT.csv``, ``SPLIT-lattice.csv`` and figures; with ``--structures all``, as the model ships,
``SPLIT-all-structures.md`` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepxrd.analysis.figures import save_figure
from deepxrd.analysis.symmetry_figures import confusion_figure, lattice_figure
from deepxrd.analysis.symmetry_tables import lattice_markdown, share_table, sureness_table
from deepxrd.chem import Formula, parse_formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, crystal_system_places
from deepxrd.data import PatternStore
from deepxrd.evaluation.symmetry_baselines import majority, nearest, neighbour_rows, volume_ratios
from deepxrd.evaluation.symmetry_scores import (
    MLATTICE_ABC_R2,
    Truth,
    confusion,
    lattice_table,
    r_squared,
    sample_table,
    summaries,
    volumes_per_atom,
)
from deepxrd.io.files import atomic_path, file_hash, write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.models.candidates.calibrate import known_structures
from deepxrd.models.candidates.saved import FACTS, load
from deepxrd.models.candidates.symmetry import Symmetry
from split_arguments import made_from, open_split, result_name, split_parser
from symmetry_later import later_markdown
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
_NEAR_EV = 0.05
_NEAR_TEXT = (
    "Which of several structures is the most stable is often a matter of less than DFT's own errors. Here an answer is "
    "right if it is that of any known structure of the composition within 50 meV per atom of the most stable one."
)
_SURE_TEXT = (
    "Expected calibration error in tenths, of the likeliest crystal system and of the five space groups; how often a "
    "90 % interval holds the truth, edges only where the space group is right."
)
_LATTICE_TEXT = (
    "R² by true crystal system, of all compositions, whatever system was said; then of those where it is right."
)
_TOLD_TEXT = (
    "MLatticeABC (Li et al. 2021) has a model for each crystal system and so is told it; it sees the whole content of "
    "the conventional cell, so that the number of atoms in it is told too; and it was scored on random tenths of the "
    "entries of the Materials Project of 2020, where other structures of a test composition may be learned from. Told "
    "as much, for every composition of the test part (means over the candidates of that system and with so many atoms, "
    "weighed by probability; without any, those of the system are scaled to the predicted volume of so many atoms, or "
    "a cube of that volume is taken; where only the system is told and no candidate has it, the mean *a* of the "
    "training part). Which edge is called *a* in a monoclinic cell follows spglib's setting here, pymatgen's there:"
)


@dataclass(frozen=True, eq=False)
class _Further:
    """Tables beside the scores: where groups are lost, near structures counted, with the system told, by month."""

    lost: pd.DataFrame | None
    near: dict[str, pd.DataFrame]
    told: pd.DataFrame
    by_month: str


def main() -> None:
    """Score what is predicted, write tables and figures."""
    parser = split_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    store, rows = open_split(arguments)
    folder = part_folder(arguments)
    kept = read_parts(folder, [*(each.name for each in fields(Symmetry)), "edges_given"])
    place, edges = kept.pop("place"), kept.pop("edges_given")
    train, some = _formulas(store, rows, place)
    truth, reference, answers = _answers(store, rows, folder, place)
    answers = {MODEL: Symmetry(**kept), **answers}
    samples = {name: sample_table(said, truth, some) for name, said in answers.items()}
    polymorphs = _polymorphs(arguments.weights, some)
    is_learned = arguments.structures == "learned"
    lost = _lost(samples[MODEL], train, reference, polymorphs) if is_learned else None
    near = {name: _near(answers[name], truth, some, polymorphs) for name in (MODEL, "nearest composition")}
    of_list = "" if len(place) == len(rows["test"]) else ", evenly from the whole list"
    about = (
        f"Written by `benchmarks/symmetry_results.py` on {machine()['processor']}, commit {git_commit()}. Data: "
        f"Materials Project 2025.02.12 (CC BY 4.0; Jain et al. 2013), data hash {store.content_hash}; split by "
        f"{arguments.split}, {len(train):,} compositions to learn from; {len(samples[MODEL]):,} of "
        f"{len(rows['test']):,} test compositions scored{of_list}. "
        f"Weights `{file_hash(arguments.weights / FACTS)}`. {made_from(arguments)} "
        "The truth is the most stable structure that is known."
    )
    by_month = _by_month(samples[MODEL], store, rows["test"][place]) if arguments.split == "time" else ""
    further = _Further(lost, near, told_table(edges, truth, reference), by_month)
    _write(samples, further, arguments.out, result_name(arguments), about)
    print(f"results: {arguments.out / result_name(arguments)}.md")


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


def _polymorphs(weights: Path, formulas: Sequence[Formula]) -> dict[str, dict[int, float]]:
    """Space groups of all known structures of each composition, with the energy above the most stable, eV per atom.

    Not a number where an energy is not known.
    """
    known = known_structures(load(weights).maker, formulas)
    names = [formula.reduced for formula in known.library.formulas(known.row)]
    energies = known.library.energies_above_hull(known.row)
    least = {names[row]: energies[row] for row in np.flatnonzero(known.ground_state > 0).tolist()}
    out: dict[str, dict[int, float]] = {}
    for name, group, energy in zip(names, known.space_group.tolist(), energies.tolist(), strict=True):
        above = energy - least.get(name, np.nan)
        before = out.setdefault(name, {}).get(group, np.nan)
        out[name][group] = float(np.fmin(above, before))
    return out


def _near(
    said: Symmetry, truth: Truth, formulas: Sequence[Formula], polymorphs: dict[str, dict[int, float]]
) -> pd.DataFrame:
    """Shares that are right if any structure within `_NEAR_EV` of the most stable counts, by number of elements."""
    rows = []
    for row, formula in enumerate(formulas):
        if (true := int(truth.space_group[row])) > 0:
            energies = polymorphs.get(formula.reduced, {})
            groups = {true} | {group for group, energy in energies.items() if energy <= _NEAR_EV}
            systems = set(crystal_system_places(np.array(sorted(groups))).tolist())
            five = said.space_groups[row].tolist()
            rows.append(
                {
                    "elements": len(formula.counts),
                    "n": 1.0,
                    "another space group is as near": len(groups) > 1,
                    "another crystal system": len(systems) > 1,
                    "crystal system": int(said.crystal_systems[row].argmax()) in systems,
                    "space group first": five[0] in groups,
                    "among five": bool(groups & set(five)),
                }
            )
    table = pd.DataFrame(rows).astype(float)
    by_size = table.groupby("elements").mean()
    by_size["n"] = table.groupby("elements")["n"].sum()
    by_size.loc["all"] = table.drop(columns="elements").mean()
    by_size.loc["all", "n"] = len(table)
    by_size.index = [size if size == "all" else str(int(size)) for size in by_size.index]
    return by_size


def _lost(
    samples: pd.DataFrame, train: Sequence[Formula], reference: Truth, polymorphs: dict[str, dict[int, float]]
) -> pd.DataFrame:
    """Why the first space group is not the true one, a row per number of elements: shares of all compositions."""
    seen = {(f.anonymous, g) for f, g in zip(train, reference.space_group.tolist(), strict=True)}
    anonymous = [parse_formula(text).anonymous for text in samples["formula"]]
    groups, said = samples["space_group"].tolist(), samples["said_group"].tolist()
    missed = ~samples["group_first"].to_numpy()
    unseen = missed & np.array([(a, g) not in seen for a, g in zip(anonymous, groups, strict=True)])
    other = missed & ~unseen
    other &= np.array([g in polymorphs.get(f, {}) for f, g in zip(samples["formula"], said, strict=True)])
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


def _by_month(samples: pd.DataFrame, store: PatternStore, rows: NDArray[np.int64]) -> str:
    entries = store.samples.iloc[rows]
    month = dict(zip(entries["composition"], entries["created_at"].str[:7], strict=True))
    stoichiometry = dict(zip(entries["composition"], entries["stoichiometry"], strict=True))
    formulas = samples["formula"]
    return later_markdown(samples.assign(month=formulas.map(month), stoichiometry=formulas.map(stoichiometry)))


def _write(samples: dict[str, pd.DataFrame], further: _Further, out: Path, name: str, about: str) -> None:
    rows = summaries(samples)
    sizes = list(dict.fromkeys(row["elements"] for row in rows))
    lattice = {model: lattice_table(table) for model, table in samples.items() if model != "majority"}
    shown = [row for row in rows if row["model"] != "substitution"]
    mine = [row for row in rows if row["model"] == MODEL]
    with atomic_path(out / f"{name}.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.5f")
    with atomic_path(out / f"{name}-lattice.csv") as temporary:
        joined = pd.concat([table.assign(model=model) for model, table in lattice.items()])
        joined.to_csv(temporary, index=False, float_format="%.5f")
    text = [f"# Symmetry of the test part, split by {name.replace('-all-', ', all ')}", about, _SHARES_TEXT]
    for size in sizes:
        heading = "All numbers of elements" if size == "all" else f"{size} element(s)"
        text += [f"## {heading}", share_table([row for row in shown if row["elements"] == size])]
    if further.lost is not None:
        text += ["## Where the first space group is lost", _LOST_TEXT, _lost_table(further.lost)]
    text += ["## If any structure within 50 meV per atom counts", _NEAR_TEXT]
    text += [f"**{model[0].upper()}{model[1:]}**\n\n{_lost_table(table)}" for model, table in further.near.items()]
    text += ["## How sure", _SURE_TEXT, sureness_table(mine, first="elements")]
    text += ["## By month of entry", further.by_month] if further.by_month else []
    text += [
        "## *a*, Å",
        _LATTICE_TEXT,
        lattice_markdown(lattice),
        _TOLD_TEXT,
        _told_markdown(further.told),
        f"![lattice](figures/lattice-{name}.png)",
    ]
    text += ["## Which system is taken for which", f"![confusion](figures/confusion-{name}.png)"]
    write_text(out / f"{name}.md", "\n\n".join(text) + "\n")
    title = f"Crystal systems, {len(samples[MODEL]):,} compositions"
    save_figure(confusion_figure(confusion(samples[MODEL]), title=title), out / f"figures/confusion-{name}.png")
    save_figure(lattice_figure(samples[MODEL]), out / f"figures/lattice-{name}.png")


def told_table(edges: NDArray[np.float64], truth: Truth, reference: Truth) -> pd.DataFrame:
    """R² of *a* by crystal system if the system is told, and if also the number of atoms in the cell is.

    Args:
        edges: a, b, c of each of n compositions in both cases, Å, ``(n, 2, 3)``; not a number where there is none.
        truth: of the compositions.
        reference: of the training part, whose mean *a* in a system is taken where there is none.
    """
    rows = []
    for place, name in enumerate(CRYSTAL_SYSTEMS):
        mine, learned = (
            (each.space_group > 0) & (crystal_system_places(np.maximum(each.space_group, 1)) == place)
            for each in (truth, reference)
        )
        free = name in {"triclinic", "orthorhombic"}  # which edge is called a is a matter of choice
        true, mean = (
            (np.sort(cell, axis=1) if free else cell)[:, 0]
            for cell in (truth.cell[mine][:, :3], reference.cell[learned][:, :3])
        )
        row: dict[str, float | str] = {"crystal_system": name, "n": int(mine.sum())}
        for case, column in enumerate(("system", "system and atoms")):
            said = np.sort(edges[mine][:, case], axis=1)[:, 0] if free else edges[mine][:, case, 0]
            row[f"{column} answered"] = float(np.isfinite(said).mean())
            filled = np.where(np.isfinite(said), said, mean.mean())
            row[column] = r_squared(filled, true)
            row[f"{column} median error"] = float(np.median(np.abs(filled / true - 1)))
        rows.append({**row, "MLatticeABC": MLATTICE_ABC_R2[name]})
    return pd.DataFrame(rows)


def _told_markdown(told: pd.DataFrame) -> str:
    heads = [
        "crystal system",
        "n",
        "system told",
        "median error",
        "system and atoms told",
        "median error",
        "MLatticeABC",
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in told.to_dict("records"):
        cells = [row["crystal_system"], f"{row['n']:,}"]
        for case in ("system", "system and atoms"):
            cells += [f"{row[case]:.3f}", f"{100 * row[f'{case} median error']:.1f} %"]
        cells.append(f"{row['MLatticeABC']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _lost_table(lost: pd.DataFrame) -> str:
    lines = [f"| elements | {' | '.join(lost.columns)} |", "|---|" + "---|" * len(lost.columns)]
    lines += [
        f"| {size} | {' | '.join(f'{value:,.0f}' if value > 1 else f'{value:.3f}' for value in row)} |"
        for size, row in zip(lost.index, lost.to_numpy(), strict=True)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
