"""The scores of the runs of a sweep, read from their files, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepxrd.analysis.references import PAPER_DATA, is_papers
from deepxrd.analysis.tables import higher_is_better
from deepxrd.chem import chemical_systems
from deepxrd.config import EVALUATION
from deepxrd.errors import ConfigError
from deepxrd.metrics.bootstrap import mean_interval
from deepxrd.runs.finished import Finished
from deepxrd.runs.names import ERROR, METRICS, PER_SAMPLE
from deepxrd.runs.sweep_folder import DONE, FAILED, NOT_RUN, SweepFolder, SweepRun

_PAPER_TABLES = {
    "table3": ("Table 3", "paper_table3.csv", ("data",), "loss"),
    "table4": ("Table 4", "paper_table4.csv", ("model.depth", "optimizer.lr"), "data.batch_size"),
    "table5": ("Table 5", "paper_table5.csv", ("model.depth", "optimizer.lr"), "data.batch_size"),
}
_PAPER_DATA = {"Table 4": "abc3", "Table 5": "ternary"}
_PAPER_COLUMNS = {
    "dataset": "data",
    "depth": "model.depth",
    "learning_rate": "optimizer.lr",
    "batch_size": "data.batch_size",
    "peak_match": "paper",
}
SEED = "seed"
"""The setting over which scores are averaged."""


@dataclass(frozen=True)
class Layout:
    """How the table of a sweep is laid out.

    Attributes:
        title: such as ``Table 4``.
        rows: what the rows are told by.
        column: what the columns are told by.
        paper: the paper's table, its values in the column ``paper``; no rows where the paper has no such table.
    """

    title: str
    rows: tuple[str, ...]
    column: str
    paper: pd.DataFrame

    @property
    def keys(self) -> list[str]:
        """All settings in which sweep runs differ, rows first."""
        return [*self.rows, self.column]


def layout_of(sweep: SweepFolder) -> Layout:
    """The layout of the paper's table, or of what a free sweep varies: its last key across, the others down.

    Sweep runs that differ in their seed alone share a place, unless the seed is all that varies.
    """
    title, file, rows, column = _PAPER_TABLES.get(sweep.table or "", ("", "", (), ""))
    keys = [key for key in sweep.keys if key != SEED] or sweep.keys
    if sorted([*rows, column]) == sorted(keys):
        return Layout(title, rows, column, paper_table(file))
    if not sweep.keys:
        msg = f"sweeps={sweep.path}: it varies nothing, so there is no table to make"
        raise ConfigError(msg)
    *rest, last = keys
    return Layout(sweep.path.resolve().name, tuple(rest), last, pd.DataFrame(columns=[*keys, "paper"]))


def paper_table(file: str) -> pd.DataFrame:
    """One of the paper's Tables 3 to 5, a row per value; packaged with the code."""
    with files("deepxrd.analysis").joinpath(file).open(encoding="utf-8") as stream:
        table = pd.read_csv(stream).rename(columns=_PAPER_COLUMNS)
    if "paper" in table:
        return table
    return table.melt(id_vars="data", var_name="loss", value_name="paper")


@dataclass(frozen=True)
class SweepScores:
    """One score of all runs of a sweep.

    Attributes:
        sweep: the folder.
        layout: of its table.
        metric: the score.
    """

    sweep: SweepFolder
    layout: Layout
    metric: str

    @classmethod
    def read(cls, folder: str | Path, metric: str) -> SweepScores:
        """Read a sweep's folder.

        Args:
            folder: of the sweep.
            metric: name of a score in the sweep runs' ``metrics.json``, or in that of their evaluations.

        Raises:
            ConfigError: there is no sweep, or no such score.
        """
        sweep = SweepFolder.open(folder)
        scores = cls(sweep, layout_of(sweep), metric)
        if not sweep.runs:
            msg = f"sweeps={folder}: none of its runs has begun, so there is no table to make yet"
            raise ConfigError(msg)
        known = scores.names
        if known and metric not in known:
            msg = f"metric={metric}: the finished runs of {folder} have no such score; choose one of {', '.join(known)}"
            raise ConfigError(msg)
        return scores

    @property
    def names(self) -> list[str]:
        """The scores that all finished sweep runs have."""
        found = [list(_test_scores(run)) for runs in self.done.values() for run in runs]
        return [name for name in found[0] if all(name in names for names in found)] if found else []

    @cached_property
    def averages(self) -> bool:
        """Whether a place in the table is for sweep runs of several seeds."""
        return SEED in self.sweep.keys and SEED not in self.layout.keys

    @cached_property
    def done(self) -> dict[tuple[Any, ...], list[SweepRun]]:
        """The finished sweep runs by the values of the layout's keys; several where they differ in their seed."""
        found = {key: [run for run in runs if run.state == DONE] for key, runs in self._runs.items()}
        return {key: runs for key, runs in found.items() if runs}

    @cached_property
    def paper(self) -> pd.DataFrame:
        """The paper's values, as far as they are of the data that the finished sweep runs were tested on."""
        table = self.layout.paper
        if table.empty:
            return table
        belongs = dict.fromkeys(PAPER_DATA, True)
        for key, runs in self.done.items():
            which = _paper_data(self.layout, dict(zip(self.layout.keys, key, strict=True)))
            if which in belongs:
                belongs[which] &= all(is_papers(run.metrics.get("data_set"), which) for run in runs)
        kept = [belongs[_paper_data(self.layout, row)] for row in table.to_dict("records")]
        return table[np.array(kept)]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row per place in the table, the paper's first.

        Columns are the keys, ``state``, ``value`` (the mean over seeds), ``std`` (between them), ``n`` (finished) of
        ``n_runs``, ``low``, ``high``, ``paper``, ``best``, ``paper_best``.
        """
        keys = self.layout.keys
        paper = {tuple(row[key] for key in keys): row["paper"] for row in self.paper.to_dict("records")}
        rows = []
        for key in [*paper, *_in_order([key for key in self._runs if key not in paper])]:
            row = dict(zip(keys, key, strict=True)) | {"state": NOT_RUN, "value": np.nan, "low": np.nan, "high": np.nan}
            row |= {"std": np.nan, "n": 0, "n_runs": len(self._runs.get(key, []))}
            if key in self._runs:
                states = [run.state for run in self._runs[key]]
                row["state"] = next((state for state in (DONE, FAILED) if state in states), states[0])
            if key in self.done:
                means = [_test_scores(run)[self.metric] for run in self.done[key]]
                row |= {"n": len(means), "std": float(np.std(means, ddof=1)) if len(means) > 1 else np.nan}
                values = self.per_sample[key]
                interval = mean_interval(values.to_numpy(np.float64), groups=chemical_systems(values.index))
                row |= {"value": interval.mean, "low": interval.low, "high": interval.high}
            rows.append(row | {"paper": paper.get(key, np.nan)})
        frame = pd.DataFrame(rows)
        groups = frame["data"] if "data" in frame else pd.Series(0, index=frame.index)  # data sets do not compete
        for name, column, up in (("best", "value", higher_is_better(self.metric)), ("paper_best", "paper", True)):
            frame[name] = frame[column].groupby(groups).transform(is_best, up=up).astype(bool)
        return frame

    @cached_property
    def per_sample(self) -> dict[tuple[Any, ...], pd.Series]:
        """The score of each test sample, indexed by composition: the mean over the finished sweep runs of a place.

        Raises:
            ConfigError: they were tested on other samples.
        """
        return {
            key: pd.concat(_of_same_samples([self._per_run[run.path] for run in runs]), axis=1).mean(axis=1)
            for key, runs in self.done.items()
        }

    def pairs(self, one: tuple[Any, ...], other: tuple[Any, ...]) -> list[tuple[pd.Series, pd.Series]]:
        """The score of each test sample for the finished sweep runs of two places, those of one seed side by side.

        Raises:
            ConfigError: they were tested on other samples.
        """
        here, there = ({run.settings.get(SEED): run for run in self.done.get(place, [])} for place in (one, other))
        shared = [seed for seed in here if seed in there]
        found = _of_same_samples([self._per_run[runs[seed].path] for seed in shared for runs in (here, there)])
        return list(zip(found[::2], found[1::2], strict=True))

    @cached_property
    def _per_run(self) -> dict[Path, pd.Series]:
        """The score of each test sample for each finished sweep run, by its folder."""
        return {run.path: _per_sample(run, self.metric) for runs in self.done.values() for run in runs}

    @cached_property
    def _runs(self) -> dict[tuple[Any, ...], list[SweepRun]]:
        found: dict[tuple[Any, ...], list[SweepRun]] = {}
        for run in self.sweep.runs:
            found.setdefault(tuple(run.settings[key] for key in self.layout.keys), []).append(run)
        return found


def _in_order(keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Places of a table with numbers by size; all else, such as losses, stays in the order in which it was planned."""
    columns = [list(dict.fromkeys(column)) for column in zip(*keys, strict=True)]
    for values in columns:
        if all(isinstance(value, int | float) for value in values):
            values.sort()
    return sorted(keys, key=lambda key: [values.index(value) for values, value in zip(columns, key, strict=True)])


def _of_same_samples(scores: list[pd.Series]) -> list[pd.Series]:
    if any(set(each.index) != set(scores[0].index) for each in scores):
        msg = "two runs of the sweep were tested on other samples; run it again with one data set and one data.split"
        raise ConfigError(msg)
    return scores


def _paper_data(layout: Layout, settings: Mapping[Any, Any]) -> str:
    """Which of the paper's data sets a value of its tables is of: Table 3 names it, Tables 4 and 5 have one each."""
    return str(settings["data"]) if "data" in settings else _PAPER_DATA[layout.title]


def is_best(values: pd.Series, *, up: bool) -> pd.Series:
    """Which values are the best; none where there are none. Equal ones share the place."""
    best: pd.Series = values == (values.max() if up else values.min())
    return best


def facts_of_runs(scores: SweepScores) -> pd.DataFrame:
    """A row per run of the sweep: keys, state, all scores, how long it trained, with what, and what went wrong."""
    rows = []
    for run in scores.sweep.runs:
        row: dict[str, Any] = {**run.settings, "state": run.state}
        if run.state == DONE:
            metrics = run.metrics
            provenance = run.facts
            seconds = metrics["train_seconds"]
            row |= {name: metrics[name] for name in ("n_train", "epochs", "best_epoch", "train_seconds", "precision")}
            row["samples_per_second"] = round(metrics["n_train"] * metrics["epochs"] / max(seconds, 1e-9), 1)
            row |= {"data": metrics["data"], "data_hash": metrics["data_hash"], "seed": metrics["seed"]}
            row |= {
                "code_hash": (run.record.get("fingerprint") or {}).get("code"),
                "git_commit": provenance["git_commit"],
            }
            row |= {"machine": _machine(provenance), "torch": provenance["versions"]["torch"]}
            row["resumed"] = len(provenance.get("resumed", []))
            row |= _test_scores(run)
        elif run.state != NOT_RUN:
            row["error"] = run.error if (run.path / ERROR).is_file() else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _machine(run: dict[str, Any]) -> str:
    machine = run["machine"]
    return ", ".join([f"{machine['cores']} cores of {machine['processor']}", *machine.get("gpus", [])])


def _test_scores(run: SweepRun) -> dict[str, float]:
    evaluated = run.path / EVALUATION / METRICS
    more = SweepRun(evaluated.parent, run.settings).metrics["test"] if evaluated.is_file() else {}
    return {**run.metrics["test"], **more}


def _per_sample(run: SweepRun, metric: str) -> pd.Series:
    own = run.metrics
    folder = run.path if metric in own["test"] else run.path / EVALUATION
    scores = Finished(folder, own).per_sample
    if metric not in scores:
        msg = f"{folder / PER_SAMPLE} has no column {metric}; run it anew"
        raise ConfigError(msg)
    return scores[metric]
