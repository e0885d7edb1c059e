"""What a sweeper optimises, so that the test part is left for the one network that is chosen in the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

OBJECTIVE = "peak_f1_2deg"
"""A score of the validation part; higher is better."""


def objective(metrics: Mapping[str, Any]) -> float:
    """The peak F1 at 2° over the validation part.

    Args:
        metrics: as in a run's ``metrics.json``.

    Returns:
        Not a number where the run has not noted it.
    """
    return float(metrics.get("val", {}).get(OBJECTIVE, math.nan))
