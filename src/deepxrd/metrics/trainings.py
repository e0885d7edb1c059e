"""Whether one way to train is better than another: the luck of each training counts beside the draw of the samples.

Trainings that differ in nothing but their seed differ in their scores, often by more than the ways that are compared
(Bouthillier et al. 2021, Accounting for variance in machine learning benchmarks). So what several pairs of trainings
say is held against both: how far the pairs disagree, and how far the samples do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from deepxrd.errors import ConfigError
from deepxrd.metrics.bootstrap import PairedDifference


def difference_over_trainings(
    differences: NDArray[np.floating], *, groups: Sequence[str], level: float = 0.95
) -> PairedDifference:
    """Mean difference over pairs of trainings, its interval and p value for other trainings on other samples.

    The variance of the mean is that of two crossed sets of clusters (Cameron, Gelbach and Miller 2011, section 2):
    from pair to pair, plus from group to group, less what both count, from pair and group to pair and group; each with
    its correction for few clusters. Interval and p value are Student's, of one degree of freedom less than pairs.

    Args:
        differences: of the score of each sample, between the trainings of each pair, ``(n_pairs, n_samples)``.
        groups: the group of each sample, such as its chemical system.
        level: share of repetitions whose interval shall hold the true difference.

    Raises:
        ConfigError: fewer than two pairs, or two groups.
    """
    n_pairs, n_samples = differences.shape
    names, member = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    if min(n_pairs, len(names)) < 2:  # noqa: PLR2004 - one tells of no spread
        msg = f"how far trainings differ takes 2 pairs and 2 groups of samples, not {n_pairs} and {len(names)}"
        raise ConfigError(msg)
    mean = float(differences.mean())
    cells = np.zeros((n_pairs, len(names)))
    np.add.at(cells.T, member, differences.T - mean)  # sums of each pair over each group
    of_pairs, of_groups, of_both = (_variance(sums) for sums in (cells.sum(axis=1), cells.sum(axis=0), cells.ravel()))
    variance = max(of_pairs + of_groups - of_both, of_pairs, of_groups) / (n_pairs * n_samples) ** 2
    error = float(np.sqrt(variance))
    if error == 0:
        return PairedDifference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(student.ppf((1 + level) / 2, n_pairs - 1)) * error
    return PairedDifference(mean, mean - half, mean + half, 2 * float(student.sf(abs(mean) / error, n_pairs - 1)))


def _variance(sums: NDArray[np.float64]) -> float:
    """Of a total, from the sums of its clusters, whose own total is zero."""
    return float((sums**2).sum() * len(sums) / (len(sums) - 1))
