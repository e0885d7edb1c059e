"""``python -m deepxrd.prepare``: build a data set, or open it if it is there, and say what it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from deepxrd.config import CardConfig, conf_dir, register
from deepxrd.entry import run_hydra
from deepxrd.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from deepxrd.data import PatternStore

FIGURES_FORMAT = 1
"""Raised whenever the same data set would give other figures."""
_SAMPLE_SEED = 0

register()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="prepare")
def prepare(cfg: DictConfig) -> None:
    """Build the store, split it, and print and write what is in it."""
    from deepxrd.analysis.data_card import count_peaks, data_card, to_markdown
    from deepxrd.data import indices
    from deepxrd.files import write_json, write_text
    from deepxrd.training.assemble import make_datamodule

    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    options = CardConfig(**plain["card"])
    _refuse_unusable(options)
    datamodule = make_datamodule(plain)
    store = datamodule.store
    split = {part: len(rows) for part, rows in indices(store, datamodule.split).items()}
    folder = store.path / "card"
    symmetry = _crystal_systems(store, folder / "crystal_systems.parquet", n_jobs=plain["build"]["n_jobs"])
    systems, n_peaks = symmetry["crystal_system"].tolist(), count_peaks(store.patterns, store.xrd.two_theta_deg)
    card = data_card(
        plain["data"]["name"],
        store.manifest,
        store.samples,
        systems=systems,
        n_peaks=n_peaks,
        split={**split, "seed": datamodule.split.seed},
    )
    if options.figures:
        _write_figures(store, n_peaks, card["elements"], systems, folder=folder / "figures", options=options)
    write_text(folder / "data_card.md", to_markdown(card))
    write_json(folder / "data_card.json", card)
    _show(to_markdown(card))
    print(f"card: {os.path.relpath(folder)}")  # noqa: T201
    print(f"data: {os.path.relpath(store.path)}")  # noqa: T201


def _refuse_unusable(options: CardConfig) -> None:
    """Before anything is built: a setting that would be found out at the end of a long build."""
    from deepxrd.analysis.data_figures import LEAST_FOR_TSNE, require_pymatviz

    if options.max_tsne < LEAST_FOR_TSNE:
        msg = f"card.max_tsne={options.max_tsne} is too few for a map; at least {LEAST_FOR_TSNE}, or card.tsne=false"
        raise ConfigError(msg)
    if options.figures and options.interactive:
        require_pymatviz()


def _crystal_systems(store: PatternStore, path: Path, *, n_jobs: int) -> pd.DataFrame:
    """Space group and crystal system of each sample; found once for a store, then read from ``path``."""
    import pandas as pd

    from deepxrd.analysis.data_card import TOLERANCES, crystal_system, space_groups
    from deepxrd.files import atomic_path
    from deepxrd.progress import progress_bar

    made_from: dict[Hashable, Any] = {"store": store.content_hash, "tolerances": [list(pair) for pair in TOLERANCES]}
    if path.is_file():
        known = pd.read_parquet(path)
        if known.attrs == made_from:
            return known
    numbers: list[int] = []
    with progress_bar() as bar:
        task = bar.add_task("Finding crystal systems", total=len(store))
        for found in space_groups(store.crystals(), n_jobs=n_jobs):
            numbers += found
            bar.advance(task, len(found))
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
    from deepxrd.analysis import data_figures as draw
    from deepxrd.analysis.figures import save
    from deepxrd.files import write_json, write_text
    from deepxrd.progress import progress_bar

    to_draw: dict[str, Callable[[Path], None]] = {
        "peaks_per_pattern.png": lambda path: save(draw.peaks_histogram(n_peaks), path),
        "elements.png": lambda path: save(draw.element_table(elements), path),
    }
    if options.interactive:
        to_draw["elements.html"] = lambda path: write_text(
            path, draw.element_table_interactive(elements).to_html(include_plotlyjs=True)
        )
    if options.tsne and len(store) >= draw.LEAST_FOR_TSNE:
        to_draw["tsne.png"] = lambda path: save(_map_of_patterns(store, systems, options.max_tsne), path)
    record = folder / "made_from.json"
    done: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    base = f"{store.content_hash}, figures {FIGURES_FORMAT}"
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
    import numpy as np

    from deepxrd.analysis.data_figures import crystal_system_map, tsne

    n = len(store)
    rows = np.arange(n) if n <= most else np.sort(np.random.default_rng(_SAMPLE_SEED).choice(n, most, replace=False))
    return crystal_system_map(tsne(store.patterns[rows]), [systems[row] for row in rows], n_all=n)


def _show(markdown: str) -> None:
    """Print a card; as plain text of a fixed width where the output is a file."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(Markdown(markdown))


def main() -> None:
    """Entry point."""
    run_hydra(prepare)


if __name__ == "__main__":
    main()
