"""What becomes of probabilities of crystal systems month by month of entry, where the split is by time."""

from __future__ import annotations

import pandas as pd

from deepxrd.metrics.calibration import calibration_error

_FEWEST = 100  # entries of a month that has a row of its own


def later_markdown(samples: pd.DataFrame) -> str:
    """A table by month, and the calibration error with each of the largest months left out.

    Args:
        samples: a row per composition: ``month`` of entry, ``stoichiometry``, ``space_group``, ``system_probability``,
            ``system_right``.
    """
    heads = ("month", "entries", "promised", "right", "most frequent", "its share", "error without this month")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for month, part in samples.groupby("month"):
        if len(part) < _FEWEST:
            continue
        kinds = part["stoichiometry"] + " in " + part["space_group"].astype(str)
        most = kinds.value_counts()
        cells = [str(month), f"{len(part):,}"]
        cells += [f"{part[name].astype(float).mean():.3f}" for name in ("system_probability", "system_right")]
        cells += [str(most.index[0]), f"{most.iloc[0] / len(part):.2f}"]
        cells.append(f"{error(samples[samples['month'] != month]):.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + (
        "\n\nThe likeliest crystal system: how often the model says it is right, and how often it is; the calibration "
        "error if all but one month count."
    )


def error(samples: pd.DataFrame) -> float:
    """Calibration error of the likeliest crystal system."""
    return calibration_error(samples["system_probability"].to_numpy(), samples["system_right"].to_numpy())
