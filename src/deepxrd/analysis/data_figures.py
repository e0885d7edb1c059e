"""Figures of a data set. Functions return a figure and write nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from deepxrd.chem import SYMBOLS
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, UNKNOWN
from deepxrd.errors import ConfigError
from deepxrd.xrd import MERGE_WITHIN_DEG, THRESHOLD

# Seven hues that keep apart for the colour-blind (Tol, "bright", personal.sron.nl/~pault), and grey.
SYSTEM_COLOURS = dict(
    zip(
        (*CRYSTAL_SYSTEMS, UNKNOWN),
        ("#222222", "#4477AA", "#66CCEE", "#228833", "#CCBB44", "#EE6677", "#AA3377", "#BBBBBB"),
        strict=True,
    )
)
LEAST_FOR_TSNE = 10
"""Fewer patterns than this make no map."""
_PERPLEXITY = 30.0  # scikit-learn's default, from van der Maaten and Hinton (2008)
_ELEMENTS_LABEL = "number of samples that hold the element"
_DARK_BELOW = 0.45  # brightness under which a tile's text is white
_F_BLOCK = {57: 8.4, 89: 9.4}  # first element of each f-block row, and the row it is drawn in
_F_BLOCK_LENGTH = 15


def peaks_histogram(n_peaks: NDArray[np.int64]) -> Figure:
    """How many peaks the patterns have; ``n_peaks`` is ``(n_samples,)``."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.hist(n_peaks, bins=(np.arange(n_peaks.min(), n_peaks.max() + 2) - 0.5).tolist(), color="tab:blue", rwidth=0.9)
    median, mean = float(np.median(n_peaks)), float(n_peaks.mean())
    axis.axvline(median, color="black", linewidth=1, linestyle="--", label=f"median {median:g}, mean {mean:.1f}")
    axis.legend(frameon=False)
    axis.set(
        xlabel=f"peaks per pattern (at least {THRESHOLD:g} of 100, merged within {MERGE_WITHIN_DEG:g}°)",
        ylabel="number of patterns",
        title=f"Peaks per pattern, {len(n_peaks):,} patterns",
    )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def periodic_table(counts: dict[str, int]) -> Figure:
    """The periodic table, each element coloured by how many samples hold it, on a logarithmic scale.

    Drawn here, and not by pymatviz, whose figures need a browser to become a picture.

    Args:
        counts: samples by element symbol.
    """
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    axis = figure.subplots()
    least, most = min(counts.values()), max(counts.values())
    norm = LogNorm(least, max(most, least + 1))
    colours = colormaps["viridis"]
    for number, symbol in enumerate(SYMBOLS, start=1):
        count = counts.get(symbol, 0)
        _tile(axis, _place(number), (number, symbol, count), colours(norm(count)) if count else None)
    for row, text in ((6, "57–71"), (7, "89–103")):
        axis.text(3, row, text, ha="center", va="center", fontsize=8, color="grey")
    axis.set(xlim=(0.4, 18.6), ylim=(9.95, 0.4), aspect="equal")
    axis.axis("off")
    axis.set_title(f"Samples by element ({len(counts)} elements)")
    scale = axis.inset_axes((0.17, 0.93, 0.42, 0.03))
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=scale, orientation="horizontal")
    ticks = _round_numbers(least, max(most, least + 1))
    bar.set_ticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    bar.minorticks_off()
    bar.set_label(_ELEMENTS_LABEL, fontsize=10)
    return figure


def require_pymatviz() -> None:
    """Find out whether :func:`element_table_interactive` can be used, before work is done that ends in it.

    Raises:
        ConfigError: pymatviz is not installed, or plotly is too new for it.
    """
    way_out = "pip install 'pymatviz>=0.18' 'plotly>=6.4,<7', or set card.interactive=false"
    if find_spec("pymatviz") is None:
        msg = f"the interactive table of elements needs pymatviz, which is not installed: {way_out}"
        raise ConfigError(msg)
    if int(version("plotly").split(".")[0]) >= 7:  # noqa: PLR2004 - pymatviz 0.18 calls what plotly 7.0 has removed
        msg = f"the interactive table of elements needs plotly before 7, and this is {version('plotly')}: {way_out}"
        raise ConfigError(msg)


def element_table_interactive(counts: dict[str, int]) -> Any:
    """The same table as a plotly figure by pymatviz, to be explored in a browser.

    Raises:
        ConfigError: pymatviz is not installed, or plotly is too new for it.
    """
    require_pymatviz()
    pymatviz = import_module("pymatviz")  # by name: the types must check where it is not installed, too
    return pymatviz.ptable_heatmap(counts, log=True, fmt=",.0f", colorbar={"title": _ELEMENTS_LABEL})


def tsne(patterns: NDArray[np.floating]) -> NDArray[np.float32]:
    """Places of patterns in a plane such that similar ones lie together (t-SNE, van der Maaten and Hinton 2008).

    Args:
        patterns: ``(n_samples, n_points)``, at least :data:`LEAST_FOR_TSNE` of them.

    Returns:
        ``(n_samples, 2)``, each time the same; the axes have neither unit nor meaning, only nearness has.
    """
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(patterns) - 1) / 3)
    places: NDArray[np.float32] = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(patterns)
    return places


def crystal_system_map(places: NDArray[np.floating], systems: Sequence[str], *, n_all: int | None = None) -> Figure:
    """Patterns in a plane, coloured by crystal system (Dong et al. 2022, Figure 5).

    Args:
        places: ``(n_samples, 2)`` of :func:`tsne`.
        systems: crystal system of each.
        n_all: size of the data set if ``places`` are a sample of it.
    """
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    axis = figure.subplots()
    named = np.asarray(systems)
    axis.scatter(places[:, 0], places[:, 1], s=9, c=[SYSTEM_COLOURS[s] for s in systems], linewidths=0, alpha=0.85)
    for system, colour in SYSTEM_COLOURS.items():
        count = int((named == system).sum())
        if count:
            axis.scatter([], [], s=40, color=colour, label=f"{system} ({count:,})")
    figure.legend(loc="outside right center", frameon=False, title="crystal system")
    sampled = f" of {n_all:,}" if n_all and n_all > len(named) else ""
    axis.set(
        xticks=[],
        yticks=[],
        xlabel="t-SNE 1 (no unit)",
        ylabel="t-SNE 2 (no unit)",
        title=f"t-SNE of {len(named):,}{sampled} patterns: similar ones lie together",
    )
    return figure


def _round_numbers(least: int, most: int) -> list[int]:
    """Ticks of a logarithmic scale: powers of ten if it spans two, else 1, 2, 5 times them, else its ends."""
    steps = (1,) if most >= 100 * least else (1, 2, 5)
    ticks = [step * 10**power for power in range(len(str(most))) for step in steps]
    inside = [tick for tick in ticks if least <= tick <= most]
    return inside if len(inside) > 1 else [least, most]


def _place(number: int) -> tuple[float, float]:
    """Column and row of an element in the 18-column table, the f-block below it."""
    from pymatgen.core import Element

    for first, row in _F_BLOCK.items():
        if first <= number < first + _F_BLOCK_LENGTH:
            return 3.0 + number - first, row
    element = Element.from_Z(number)
    return float(element.group), float(element.row)


def _tile(
    axis: Axes,
    place: tuple[float, float],
    element: tuple[int, str, int],
    colour: tuple[float, float, float, float] | None,
) -> None:
    """One element: its number, symbol and count on its colour; grey and without a count where it is not there."""
    (column, row), (number, symbol, count) = place, element
    axis.add_patch(
        Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, facecolor=colour or "#f2f2f2", edgecolor="none", zorder=0)
    )
    text_colour = "#aaaaaa"
    if colour is not None:
        brightness = float(np.dot(colour[:3], (0.299, 0.587, 0.114)))
        text_colour = "white" if brightness < _DARK_BELOW else "black"
    axis.text(column - 0.42, row - 0.42, str(number), ha="left", va="top", fontsize=5.5, color=text_colour)
    axis.text(column, row - 0.02, symbol, ha="center", va="center", fontsize=12, weight="bold", color=text_colour)
    if count:
        axis.text(column, row + 0.4, f"{count:,}", ha="center", va="bottom", fontsize=7.5, color=text_colour)
