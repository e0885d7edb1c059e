"""Where the error of chemical substitution comes from: each piece of the truth told in turn, on the validation part.

    python benchmarks/model_study.py --parquet mp-ternary-2025.02.12.parquet --out results/model-study

Templates are the structures of the training part, as for the baselines. Nothing is fitted on the validation part, and
the test part is not looked at. Writes ``README.md`` and ``scores.csv``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import spglib
from numpy.typing import NDArray

from deepxrd.analysis.tables import COLUMNS
from deepxrd.chem import Crystal, Formula, OneHotEncoding, parse_formula
from deepxrd.chem.symmetry import quiet_spglib
from deepxrd.data import Selection, Split, ensure_store, indices, other_structures
from deepxrd.io.files import write_text
from deepxrd.io.provenance import git_commit, machine
from deepxrd.metrics import score_patterns
from deepxrd.models.baselines.neighbours import Neighbours, NeighbourSearch
from deepxrd.models.baselines.volumes import AdditiveVolumes
from deepxrd.models.candidates.features import exchange_features, slot_counts
from deepxrd.models.candidates.protostructure import protostructures
from deepxrd.models.candidates.volumes import TemplateVolumes, folds
from deepxrd.sources.files import FilesSource
from deepxrd.xrd import XrdSettings, simulate

K = 60
SCORES = ("peak_f1_2deg", "peak_f1_1deg", "peak_f1_0.5deg", "cosine_distance", "pearson_distance")
_PAIRS_PER_STRUCTURE = 6


@dataclass(frozen=True, eq=False)
class Part:
    """Compositions with their structures, their kinds and their neighbours in the training part."""

    formulas: list[Formula]
    crystals: list[Crystal]
    kinds: NDArray[np.str_]
    neighbours: Neighbours

    @property
    def volume(self) -> NDArray[np.float64]:
        """Å^3 per atom."""
        return np.array([crystal.volume / crystal.occupancies.sum() for crystal in self.crystals])


class Study:
    """Templates, and the volumes learned from them."""

    def __init__(self, train: Part, xrd: XrdSettings, seed: int) -> None:
        self.train, self.xrd = train, xrd
        self.additive = AdditiveVolumes(train.formulas, train.crystals)
        place, rank = self._pairs_of_one_kind(train)
        correction = np.log(train.volume[place] / train.volume[train.neighbours.row[place, rank]])
        correction -= np.log(self._additive_ratio(train, place, rank))
        fold = folds(train.formulas)[place]
        self.volumes = TemplateVolumes.fit(self._features(train, place, rank), correction, fold, seed=seed)

    def scale(self, part: Part, place: NDArray[np.int64], rank: NDArray[np.int64], how: str) -> NDArray[np.float64]:
        """By what each cell vector of a template grows: volumes ``additive``, ``learned`` or ``true``."""
        if how == "true":
            ratio = part.volume[place] / self.train.volume[part.neighbours.row[place, rank]]
        else:
            ratio = self._additive_ratio(part, place, rank)
        if how == "learned":
            unseen = np.zeros(len(place), dtype=bool)
            zero = np.zeros(len(place), dtype=np.int64)
            ratio = ratio * np.exp(self.volumes.predict(self._features(part, place, rank), zero, unseen))
        return np.asarray(ratio ** (1 / 3))

    def crystals(self, part: Part, place: NDArray[np.int64], rank: NDArray[np.int64], how: str) -> list[Crystal]:
        """Substituted and scaled structures."""
        made, near = [], part.neighbours
        for i, k, scale in zip(place, rank, self.scale(part, place, rank, how), strict=True):
            template = self.train.crystals[near.row[i, k]]
            exchange = np.arange(119)
            exchange[near.old[i, k]] = near.new[i, k]
            numbers = exchange[template.atomic_numbers]
            made.append(replace(template, lattice=template.lattice * scale, atomic_numbers=numbers))
        return made

    def _pairs_of_one_kind(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        row = part.neighbours.row
        same = (self.train.kinds[row] == part.kinds[:, None]) & (row >= 0)
        return np.nonzero(same & (same.cumsum(axis=1) <= _PAIRS_PER_STRUCTURE))

    def _additive_ratio(self, part: Part, place: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.float64]:
        new = self.additive.of(part.formulas)[place]
        return np.asarray(new / self.additive.of(self.train.formulas)[part.neighbours.row[place, rank]])

    def _features(self, part: Part, place: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.float32]:
        near, train = part.neighbours, self.train
        row = near.row[place, rank]
        atoms = np.array([sum(count for _, count in each.counts) for each in train.formulas])
        additive = self.additive.of(train.formulas) / atoms
        counts = slot_counts(part.formulas, near.old.shape[2])[place]
        more = [
            near.distance[place, rank],
            np.log(train.volume[row] / additive[row]),
            np.log(additive[row]),
            np.log(self._additive_ratio(part, place, rank)),
        ]
        exchange = exchange_features(near.old[place, rank], near.new[place, rank], counts)
        return np.concatenate([exchange, np.stack(more, axis=1)], axis=1).astype(np.float32)


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--stores", type=Path, default=Path("data/stores"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    source = FilesSource(path=str(arguments.parquet), citation="")
    xrd = XrdSettings()
    store = ensure_store(source, Selection(n_elements=3, box=OneHotEncoding()), xrd, root=arguments.stores)
    rows, crystals = indices(store, Split()), store.crystals()
    formulas = [parse_formula(text) for text in store.samples["composition"]]
    search = NeighbourSearch([formulas[i] for i in rows["train"]])

    def part(name: str) -> Part:
        chosen = [formulas[i] for i in rows[name]]
        structures = [crystals[i] for i in rows[name]]
        kinds = np.array([kind.label for kind in protostructures(structures)])
        kinds = np.where(np.char.startswith(kinds, "unknown"), np.char.add(f"{name} ", kinds), kinds)
        return Part(chosen, structures, kinds, search.nearest(chosen, K))

    study, val = Study(part("train"), xrd, arguments.seed), part("val")
    true = np.array(store.patterns[rows["val"]])
    frames = _told(study, val, true)
    samples = store.identity(rows["val"])
    others = other_structures(source, list(zip(samples["composition"], samples["material_id"], strict=True)))
    frames["the best other structure of the same formula, where there is one"] = _best_of(
        [[*each] for each in others], true, xrd
    )
    abc3 = np.array([formula.anonymous == "ABC3" for formula in val.formulas])
    table = pd.concat({"Ternary": _means(frames, ~np.isnan(true[:, 0])), "ABC3": _means(frames, abc3)}, axis=1)
    write_text(arguments.out / "scores.csv", table.round(5).to_csv())
    write_text(arguments.out / "README.md", _page(table, study, val, time.perf_counter() - began, arguments))
    print(f"results: {arguments.out}")


def _told(study: Study, val: Part, true: NDArray[np.float32]) -> dict[str, pd.DataFrame]:
    """Scores with more and more of the truth told."""
    every = np.arange(len(val.formulas))
    has = val.neighbours.row[:, 0] >= 0
    same = (study.train.kinds[val.neighbours.row] == val.kinds[:, None]) & (val.neighbours.row >= 0)
    kind = np.where(same.any(axis=1), same.argmax(axis=1), 0)
    zero = np.zeros_like(kind)

    def one(rank: NDArray[np.int64], how: str) -> pd.DataFrame:
        made: list[list[Crystal]] = [[] for _ in every]
        for place, crystal in zip(every[has], study.crystals(val, every[has], rank[has], how), strict=True):
            made[place] = [crystal]
        return _best_of(made, true, study.xrd)

    frames = {
        "substitution": one(zero, "additive"),
        "the nearest template, learned volume": one(zero, "learned"),
        "the nearest template, true volume": one(zero, "true"),
        "the nearest template of the true kind, additive volume": one(kind, "additive"),
        "the nearest template of the true kind, learned volume": one(kind, "learned"),
        "the nearest template of the true kind, true volume": one(kind, "true"),
        "the nearest template of the true kind, true cell": _true_cell(study, val, every[has], kind, true),
    }
    for k in (3, 6, 12, 24):
        for how in ("learned", "true") if k == 24 else ("learned",):
            places, ranks = np.nonzero(val.neighbours.row[:, :k] >= 0)
            made: list[list[Crystal]] = [[] for _ in every]
            for place, crystal in zip(places, study.crystals(val, places, ranks, how), strict=True):
                made[place].append(crystal)
            frames[f"the best of {k} templates, {how} volume"] = _best_of(made, true, study.xrd)
    return frames


def _true_cell(
    study: Study, val: Part, places: NDArray[np.int64], kind: NDArray[np.int64], true: NDArray[np.float32]
) -> pd.DataFrame:
    """Sites of the nearest template of the true kind in the true cell, both in spglib's standard setting."""
    made: list[list[Crystal]] = [[] for _ in val.formulas]
    with quiet_spglib():
        for place, template in zip(places, study.crystals(val, places, kind[places], "true"), strict=True):
            made[place] = [template]
            cells = [
                spglib.get_symmetry_dataset((each.lattice, each.frac_coords, each.atomic_numbers), symprec=0.1)
                for each in (template, val.crystals[place])
            ]
            if all(cells) and len(cells[0].std_types) == len(cells[1].std_types):
                ones = np.ones(len(cells[0].std_types))
                made[place] = [
                    Crystal(cells[1].std_lattice, cells[0].std_types.astype(np.int64), cells[0].std_positions, ones)
                ]
    return _best_of(made, true, study.xrd)


def _best_of(candidates: Sequence[list[Crystal]], true: NDArray[np.float32], xrd: XrdSettings) -> pd.DataFrame:
    """Scores of each sample's best candidate by the mean F1 over 2, 1 and 0.5°; not a number where it has none."""
    flat = [crystal for each in candidates for crystal in each]
    owner = np.repeat(np.arange(len(candidates)), [len(each) for each in candidates])
    parts = []
    for start in range(0, len(flat), 4096):
        patterns, _ = simulate(flat[start : start + 4096], xrd)
        at = owner[start : start + 4096]
        parts.append(pd.DataFrame(score_patterns(patterns, true[at], xrd.two_theta_deg)).assign(owner=at))
    scores = pd.concat(parts, ignore_index=True)
    order = scores[list(SCORES[:3])].mean(axis=1).sort_values(ascending=False, kind="stable").index
    best = scores.loc[order].drop_duplicates("owner").set_index("owner")
    return best.reindex(range(len(candidates)))[list(SCORES)]


def _means(frames: dict[str, pd.DataFrame], chosen: NDArray[np.bool_]) -> pd.DataFrame:
    rows = {name: frame[chosen].mean() for name, frame in frames.items()}
    counts = {name: int(frame[chosen].iloc[:, 0].notna().sum()) for name, frame in frames.items()}
    return pd.DataFrame(rows).T.assign(n=pd.Series(counts))


def _page(table: pd.DataFrame, study: Study, val: Part, seconds: float, arguments: argparse.Namespace) -> str:
    shown = [*SCORES, "n"]
    intro = (
        f"{len(study.train.formulas)} training compositions to take templates from, {len(val.formulas)} validation "
        "compositions to predict; the test part was not looked at. Each row is told more of the truth, or may choose "
        "by it (best of k, by the mean F1 over 2, 1 and 0.5°). `kind`: the same space group and site symmetries, "
        "element by element; where no template of the true kind is among the 60 nearest, the nearest is taken."
    )
    lines = ["# Where the error of chemical substitution comes from", "", intro]
    for data in ("Ternary", "ABC3"):
        names = [COLUMNS.get(score, "compositions") for score in shown]
        lines += ["", f"## {data}", "", f"| | {' | '.join(names)} |", "|---" * (1 + len(shown)) + "|"]
        for name, row in table[data].iterrows():
            cells = [f"{row[score]:.3f}" for score in SCORES]
            lines.append(f"| {name} | {' | '.join(cells)} | {int(row['n'])} |")
    lines += ["", *_kinds_and_volumes(study, val)]
    facts = machine()
    how = (
        f"`benchmarks/model_study.py --seed {arguments.seed}`, commit {git_commit()}, {facts['processor']}, "
        f"{facts['cores']} cores, {seconds:.0f} s. Data: Materials Project 2025.02.12, CC BY 4.0; Jain et al., APL "
        "Materials 1, 011002 (2013), doi 10.1063/1.4812323."
    )
    lines += ["", how]
    return "\n".join(lines) + "\n"


def _kinds_and_volumes(study: Study, val: Part) -> list[str]:
    row = val.neighbours.row
    same = (study.train.kinds[row] == val.kinds[:, None]) & (row >= 0)
    lines = ["## How often the true kind is among the k nearest, and how good volumes are", ""]
    lines += ["| k | share |", "|---|---|"]
    lines += [f"| {k} | {same[:, :k].any(axis=1).mean():.3f} |" for k in (1, 2, 5, 10, 20, 60)]
    lines += [f"| anywhere in the training part | {np.isin(val.kinds, study.train.kinds).mean():.3f} |", ""]
    place = np.flatnonzero(same.any(axis=1))
    rank = same[place].argmax(axis=1)
    true = study.scale(val, place, rank, "true")
    lines += ["| volume of the nearest template of the true kind | median error | under 1.5 % | under 3 % |"]
    lines += ["|---|---|---|---|"]
    for how in ("additive", "learned"):
        error = np.abs(3 * np.log(study.scale(val, place, rank, how) / true))
        lines.append(f"| {how} | {np.median(error):.4f} | {(error < 0.015).mean():.3f} | {(error < 0.03).mean():.3f} |")
    return lines


if __name__ == "__main__":
    main()
