"""What a data set holds, counted: crystal systems, elements, stoichiometries, peaks, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import spglib
from joblib import delayed
from numpy.typing import NDArray

from deepxrd.analysis.tables import markdown_table
from deepxrd.chem import SYMBOLS, Crystal, parse_formula
from deepxrd.chem.crystal_system import CRYSTAL_SYSTEMS, UNKNOWN
from deepxrd.chem.symmetry import SAID_TOLERANCES, space_group_number
from deepxrd.data.selection import POLYMORPHS
from deepxrd.io.stopping import worker_pool
from deepxrd.xrd import MERGE_WITHIN_DEG, THRESHOLD, find_peaks

_CHUNK = 64  # crystals per call of a worker: about 0.1 s
_WORTH_PROCESSES = 500  # crystals; fewer are done before the worker processes have started
_ROWS_AT_A_TIME = 4096  # patterns whose peaks are looked for at once: 40 MB of intermediate arrays
_STOICHIOMETRIES_SHOWN = 10
_REASONS_SHOWN = 5


def space_groups(crystals: Sequence[Crystal], *, n_jobs: int = -1) -> Iterator[list[int]]:
    """Space groups of many crystals, in parallel: lists of numbers as they get done, in the crystals' order."""
    chunks = [crystals[start : start + _CHUNK] for start in range(0, len(crystals), _CHUNK)]
    parallel = worker_pool(n_jobs if len(crystals) > _WORTH_PROCESSES else 1, return_as="generator")
    yield from parallel(delayed(_space_groups)(chunk) for chunk in chunks)


def count_peaks(patterns: NDArray[np.floating], two_theta_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Peaks of each pattern as the scores see them: ``(n_samples,)``."""
    starts = range(0, len(patterns), _ROWS_AT_A_TIME)
    parts = [find_peaks(patterns[start : start + _ROWS_AT_A_TIME], two_theta_deg).count for start in starts]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def element_counts(compositions: Iterable[str]) -> dict[str, int]:
    """In how many compositions each element stands, in the order of the periodic table."""
    counts = Counter(symbol for text in compositions for symbol in parse_formula(text).elements)
    return {symbol: counts[symbol] for symbol in SYMBOLS if symbol in counts}


def data_card(
    name: str,
    manifest: dict[str, Any],
    samples: pd.DataFrame,
    *,
    systems: Sequence[str],
    n_peaks: NDArray[np.int64],
    split: dict[str, Any],
) -> dict[str, Any]:
    """All counts of a data set as plain values.

    Args:
        name: what the data set is called.
        manifest: of its store.
        samples: one row per pattern, as in the store.
        systems: crystal system of each sample.
        n_peaks: peaks of each sample, ``(n_samples,)``.
        split: samples in each part, ``none`` those in no part; and ``settings``, see `Split.to_dict`.
    """
    counts = manifest["counts"]
    excluded = dict(counts["excluded"])
    dates = samples["created_at"].dropna()
    tally = Counter(systems)
    return {
        "name": name,
        "id": manifest["id"],
        "samples": len(samples),
        "entries_in_source": counts["entries_in_source"],
        "polymorphs_dropped": excluded.pop(POLYMORPHS, 0),
        "excluded": excluded,
        "unreadable": counts["unreadable"],
        "unreadable_first": counts["unreadable_first"],
        "remarks": counts.get("remarks", {}),
        "simulation_failed": counts["simulation_failed"],
        "split": split,
        "crystal_systems": {system: tally[system] for system in (*CRYSTAL_SYSTEMS, UNKNOWN) if tally[system]},
        "stoichiometries": {str(k): int(n) for k, n in samples["stoichiometry"].value_counts(sort=True).items()},
        "elements": element_counts(samples["composition"]),
        "peaks_per_pattern": _summary(n_peaks),
        "sites_per_cell": _summary(samples["n_sites"].to_numpy()),
        "formation_energy_ev_per_atom": _summary(samples["formation_energy_per_atom"].dropna().to_numpy()),
        "entered": [str(dates.min()), str(dates.max())] if len(dates) else None,
        "patterns": manifest["inputs"]["xrd"],
        "symmetry": {"spglib": spglib.__version__, "symprec_angstrom_and_angle_tolerance_deg": SAID_TOLERANCES},
        "source": manifest["inputs"]["source"],
        "versions": manifest["versions"],
        "citation": manifest["citation"],
    }


def to_markdown(card: dict[str, Any]) -> str:
    """A card as Markdown for people: short enough for a terminal."""
    n = card["samples"]
    stoichiometries = sorted(card["stoichiometries"].items(), key=lambda item: (-item[1], item[0]))
    others = stoichiometries[_STOICHIOMETRIES_SHOWN:]
    rest = [(f"{len(others)} others", sum(count for _, count in others))] if others else []
    sections = [
        f"# {card['name']}: {n:,} patterns",
        _table("Where they come from", ["entries"], _origin(card)),
        *_failures(card),
        *_remarks(card),
        _shares(_split_title(card["split"]["settings"]), _parts(card["split"]), n),
        _shares("Crystal system (spglib)", card["crystal_systems"].items(), n),
        _shares("Stoichiometry", [*stoichiometries[:_STOICHIOMETRIES_SHOWN], *rest], n),
        _table("Per sample", ["least", "median", "mean", "most"], _summaries(card)),
        _elements(card["elements"]),
        *([f"**Cite:** {card['citation']}"] if card["citation"] else []),
    ]
    return "\n\n".join(sections) + "\n"


def _space_groups(crystals: Sequence[Crystal]) -> list[int]:
    return [space_group_number(crystal) for crystal in crystals]


def _summary(values: NDArray[Any]) -> dict[str, float] | None:
    """Least, median, mean and most of the values; None if there are none."""
    if not len(values):
        return None
    least, median, most = (float(x) for x in np.quantile(values, (0, 0.5, 1)))
    return {"samples": len(values), "least": least, "median": median, "mean": float(np.mean(values)), "most": most}


def _origin(card: dict[str, Any]) -> list[tuple[str, int]]:
    left_out = {
        **card["excluded"],
        "another structure of a composition that is taken (polymorph)": card["polymorphs_dropped"],
        "cannot be read": card["unreadable"],
        "no pattern could be simulated": len(card["simulation_failed"]),
    }
    return [
        ("in the source", card["entries_in_source"]),
        *((f"left out: {reason}", count) for reason, count in left_out.items() if count),
        ("**taken**", card["samples"]),
    ]


def _failures(card: dict[str, Any]) -> list[str]:
    """The first entries that failed, by name; the manifest lists more."""
    failed = {**card["unreadable_first"], **card["simulation_failed"]}
    lines = [f"- {name}: {reason}" for name, reason in list(failed.items())[:_REASONS_SHOWN]]
    return ["First of those that failed (more in `manifest.json`):\n\n" + "\n".join(lines)] if lines else []


def _remarks(card: dict[str, Any]) -> list[str]:
    """What readers had to repair or assume, and in how many entries."""
    lines = [f"- {count:,}: {remark}" for remark, count in list(card["remarks"].items())[:_REASONS_SHOWN]]
    return ["Entries read with a remark, taken or not:\n\n" + "\n".join(lines)] if lines else []


def _split_title(settings: dict[str, Any]) -> str:
    """How the parts were made, in words."""
    how = {
        "composition": "by composition",
        "chemical_system": "by chemical system",
        "time": f"by time: entries of {settings.get('before')} or later are for the test, the others by composition",
        "file": "by a file",
    }[settings["by"]]
    return f"Split {how} (seed {settings['seed']})" if "seed" in settings else f"Split {how}"


def _parts(split: dict[str, Any]) -> list[tuple[str, int]]:
    parts = [(part, split[part]) for part in ("train", "val", "test")]
    why = "not in the file" if split["settings"]["by"] == "file" else "no date is known"
    return [*parts, (f"in no part: {why}", split["none"])] if split.get("none") else parts


def _summaries(card: dict[str, Any]) -> list[tuple[str, ...]]:
    named = {
        f"peaks (of at least {THRESHOLD:g} of 100, merged within {MERGE_WITHIN_DEG:g}°)": ("peaks_per_pattern", 0),
        "sites in the cell": ("sites_per_cell", 0),
        "formation energy (eV/atom)": ("formation_energy_ev_per_atom", 2),
    }
    rows: list[tuple[str, ...]] = []
    for title, (key, digits) in named.items():
        values = card[key]
        if values is None:
            continue
        known = "" if values["samples"] == card["samples"] else f", known of {values['samples']:,}"
        least, median, most = (f"{values[which]:.{digits}f}" for which in ("least", "median", "most"))
        rows.append((title + known, least, median, f"{values['mean']:.{max(digits, 1)}f}", most))
    if card["entered"]:
        rows.append(("entered into the database", card["entered"][0], "", "", card["entered"][1]))
    return rows


def _elements(elements: dict[str, int]) -> str:
    by_count = sorted(elements.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{symbol} {count:,}" for symbol, count in by_count)
    return f"## Elements: {len(elements)}, by the number of samples that hold them\n\n{listed}"


def _shares(title: str, counts: Iterable[tuple[str, int]], total: int) -> str:
    """A section with numbers of samples, and their share of all."""
    return _table(title, ["samples", "share"], [(label, count, f"{count / total:.1%}") for label, count in counts])


def _table(title: str, headings: Sequence[str], rows: Iterable[tuple[str | int, ...]]) -> str:
    """A section with a table; numbers stand to the right."""
    cells = [[value if isinstance(value, str) else f"{value:,}" for value in row] for row in rows]
    return f"## {title}\n\n{markdown_table(['', *headings], cells, numbers=True)}"
