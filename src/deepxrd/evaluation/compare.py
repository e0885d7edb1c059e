"""Is one model better than another? Sample by sample on the same test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deepxrd.analysis import evaluation_tables as tables
from deepxrd.analysis.tables import COLUMNS, higher_is_better
from deepxrd.chem import chemical_systems
from deepxrd.errors import ConfigError
from deepxrd.io.files import write_json, write_text
from deepxrd.metrics.bootstrap import SIGNIFICANT_AT, holm, paired_difference
from deepxrd.runs.finished import Finished

_SHOWN = 5  # compositions named in a message


def compare(a: Finished, b: Finished, out: Path, *, n_resamples: int) -> dict[str, Any]:
    """Compare two finished folders on each headline score and write ``comparison.json`` and ``comparison.md``.

    Args:
        a: one of them.
        b: the other; differences are b minus a.
        out: the folder to write into.
        n_resamples: of the chemical systems that the samples are of.

    Returns:
        What ``comparison.json`` holds.

    Raises:
        ConfigError: they were not scored on the same samples of the same data.
    """
    _refuse_unequal(a, b)
    one, other = a.per_sample, b.per_sample.loc[a.per_sample.index]
    names = [name for name in COLUMNS if name in one and name in other]
    groups = chemical_systems(one.index)
    pairs = {name: (one[name].to_numpy(np.float64), other[name].to_numpy(np.float64)) for name in names}
    differences = [paired_difference(*pairs[name], groups=groups, n_resamples=n_resamples) for name in names]
    corrected = holm([difference.p_value for difference in differences])
    scores = {
        name: {
            "a": float(pairs[name][0].mean()),
            "b": float(pairs[name][1].mean()),
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "p_value": difference.p_value,
            "p_corrected": p,
            "verdict": _verdict(name, difference.mean, significant=p <= SIGNIFICANT_AT),
        }
        for name, difference, p in zip(names, differences, corrected, strict=True)
    }
    comparison = {
        "a": {"folder": str(a.path), "model": a.metrics["model"], "seed": a.metrics.get("seed")},
        "b": {"folder": str(b.path), "model": b.metrics["model"], "seed": b.metrics.get("seed")},
        "data": a.metrics["data"],
        "data_hash": a.metrics["data_hash"],
        "n_test": len(one),
        "scores": scores,
    }
    write_text(out / "comparison.md", tables.comparison_markdown(comparison))
    write_json(out / "comparison.json", comparison)
    return comparison


def _verdict(score: str, difference: float, *, significant: bool) -> str:
    if not significant:
        return "not significant at 5 %"
    better = "b" if (difference > 0) == higher_is_better(score) else "a"
    direction = "higher" if higher_is_better(score) else "lower"
    return f"{better} is better, significant at 5 %: {abs(difference):.3f} {direction}"


def _refuse_unequal(a: Finished, b: Finished) -> None:
    hashes = a.metrics["data_hash"], b.metrics["data_hash"]
    if hashes[0] != hashes[1]:
        msg = f"{a.path} was scored on data {hashes[0]}, {b.path} on {hashes[1]}: evaluate both on the same data first"
        raise ConfigError(msg)
    one, other = set(a.per_sample.index), set(b.per_sample.index)
    if one != other:
        msg = (
            f"{a.path} and {b.path} were scored on other test compositions, of another split: {_only(one - other)} "
            f"only in a, {_only(other - one)} only in b; evaluate both with the same data.split"
        )
        raise ConfigError(msg)


def _only(compositions: set[str]) -> str:
    shown = ", ".join(sorted(compositions)[:_SHOWN])
    return f"{len(compositions)} ({shown}{', …' if len(compositions) > _SHOWN else ''})" if compositions else "none"
