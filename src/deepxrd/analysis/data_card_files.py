"""The data card of a store: what it holds, in words, numbers and figures, in the folder ``card`` beside its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spglib
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deepxrd.analysis import data_figures as draw
from deepxrd.analysis.data_card import count_peaks, data_card, space_groups, to_markdown
from deepxrd.analysis.figures import save_figure
from deepxrd.chem.crystal_system import crystal_system
from deepxrd.chem.symmetry import SAID_TOLERANCES
from deepxrd.config import CardConfig
from deepxrd.data import PatternStore, Split, indices
from deepxrd.errors import ConfigError
from deepxrd.io.code_hash import code_hash
from deepxrd.io.files import atomic_path, write_json, write_text
from deepxrd.io.progress import progress_bar

_FIGURES_CODE = ("analysis/data_figures.py", "analysis/figures.py", "analysis/data_card.py", "xrd/peaks.py")
_SYMMETRY_CODE = ("analysis/data_card.py", "chem/symmetry.py")
_SAMPLE_SEED = 0


def write_data_card(store: PatternStore, split: Split, *, name: str, options: CardConfig, n_jobs: int = -1) -> Path:
    """Write ``data_card.md``, ``data_card.json`` and the figures; what is there already is not computed again.

    Args:
        store: the data set.
        split: whose parts are counted.
        name: of the data set.
        options: which figures.
        n_jobs: processes that look for symmetry; -1 for one per core.

    Returns:
        The folder.
    """
    parts = {part: len(rows) for part, rows in indices(store, split).items()}
    parts["none"] = len(store) - sum(parts.values())
    folder = store.path / "card"
    symmetry = _crystal_systems(store, folder / "crystal_systems.parquet", n_jobs=n_jobs)
    systems, n_peaks = symmetry["crystal_system"].tolist(), count_peaks(store.patterns, store.xrd.two_theta_deg)
    card = data_card(
        name,
        store.manifest,
        store.samples,
        systems=systems,
        n_peaks=n_peaks,
        split={**parts, "settings": split.to_dict()},
    )
    if options.figures:
        _write_figures(store, n_peaks, card["elements"], systems, folder=folder / "figures", options=options)
    write_text(folder / "data_card.md", to_markdown(card))
    write_json(folder / "data_card.json", card)
    return folder


def refuse_unusable(options: CardConfig) -> None:
    """Find out before a long build, and not at its end.

    Raises:
        ConfigError: a setting cannot be used.
    """
    if options.max_tsne < draw.LEAST_FOR_TSNE:
        least = draw.LEAST_FOR_TSNE
        msg = f"card.max_tsne={options.max_tsne}: a map needs at least {least} patterns, or set card.tsne=false"
        raise ConfigError(msg)
    if options.figures and options.interactive:
        draw.require_pymatviz()


def _crystal_systems(store: PatternStore, path: Path, *, n_jobs: int) -> pd.DataFrame:
    """Space group and crystal system of each sample; found once for a store, then read from ``path``."""
    made_from: dict[Hashable, Any] = {
        "store": store.content_hash,
        "tolerances": [list(pair) for pair in SAID_TOLERANCES],
        "spglib": spglib.__version__,
        "code": code_hash(*_SYMMETRY_CODE),
    }
    if path.is_file():
        known = pd.read_parquet(path)
        if known.attrs == made_from:
            return known
    numbers: list[int] = []
    with progress_bar() as bar:
        task = bar.add_task("Finding crystal systems", total=len(store))
        for part in space_groups(store.crystals(), n_jobs=n_jobs):
            numbers += part
            bar.advance(task, len(part))
    table = store.samples[["material_id", "composition"]].assign(
        space_group=numbers, crystal_system=[crystal_system(number) for number in numbers]
    )
    table.attrs = made_from
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    return table


def _write_figures(
    store: PatternStore,
    n_peaks: NDArray[np.int64],
    elements: dict[str, int],
    systems: list[str],
    *,
    folder: Path,
    options: CardConfig,
) -> None:
    """Draw what is not there yet, or was drawn of other data or with other settings."""
    to_draw: dict[str, Callable[[Path], None]] = {
        "peaks_per_pattern.png": lambda path: save_figure(draw.peaks_histogram(n_peaks), path),
        "elements.png": lambda path: save_figure(draw.periodic_table(elements), path),
    }
    if options.interactive:
        to_draw["elements.html"] = lambda path: write_text(
            path, draw.element_table_interactive(elements).to_html(include_plotlyjs=True)
        )
    if options.tsne and len(store) >= draw.LEAST_FOR_TSNE:
        to_draw["tsne.png"] = lambda path: save_figure(_map_of_patterns(store, systems, options.max_tsne), path)
    record = folder / "made_from.json"
    done: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    base = f"{store.content_hash}, code {code_hash(*_FIGURES_CODE)}"
    wanted = {name: f"{base}, {options.max_tsne} patterns" if name == "tsne.png" else base for name in to_draw}
    missing = [name for name in wanted if done.get(name) != wanted[name] or not (folder / name).is_file()]
    if not missing:
        return
    with progress_bar() as bar:
        for name in bar.track(missing, description="Drawing figures"):
            to_draw[name](folder / name)
    write_json(record, {**done, **wanted})


def _map_of_patterns(store: PatternStore, systems: list[str], most: int) -> Figure:
    """The t-SNE of the store's patterns, or of a sample that is the same every time."""
    n = len(store)
    rows = np.arange(n) if n <= most else np.sort(np.random.default_rng(_SAMPLE_SEED).choice(n, most, replace=False))
    return draw.crystal_system_map(draw.tsne(store.patterns[rows]), [systems[row] for row in rows], n_all=n)
