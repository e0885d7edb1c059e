import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepxrd.chem import SYMBOLS
from deepxrd.errors import ConfigError
from deepxrd.evaluation.compare import compare
from deepxrd.runs.finished import Finished

N = 60
SYSTEMS = ["".join(pair) for pair in itertools.combinations(SYMBOLS, 2)]  # each compound a system of its own


def finished(
    folder: Path, *, shift: float = 0.0, data_hash: str = "abc", first: int = 0, reverse: bool = False
) -> Finished:
    """A folder of N samples; ``shift`` makes F1 better and leaves the Pearson distance as noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    hardness, noise = rng.random(N), np.random.default_rng(int(1000 * shift) + 1).normal(0, 0.02, N)
    table = pd.DataFrame({
        "composition": SYSTEMS[first : first + N],
        "peak_f1_2deg": 0.5 * hardness + shift + 0.1 * noise,
        "pearson_distance": hardness + noise,
        "mse": 100 - 50 * shift + hardness,
    })  # fmt: skip
    (table[::-1] if reverse else table).to_parquet(folder / "per_sample.parquet")
    metrics = {"data": "abc3", "data_hash": data_hash, "model": "M", "seed": 1, "n_test": N}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return Finished.open(folder, setting="a")


def test_a_shift_is_found_noise_is_not_and_low_is_good_for_distances(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a"), finished(tmp_path / "b", shift=0.05)
    scores = compare(a, b, tmp_path / "out", n_resamples=500)["scores"]
    assert scores["peak_f1_2deg"]["verdict"] == "b is better, significant at 5 %: 0.050 higher"
    assert scores["mse"]["verdict"] == "b is better, significant at 5 %: 2.500 lower"
    assert scores["pearson_distance"]["verdict"] == "not significant at 5 %"
    assert scores["pearson_distance"]["p_value"] > 0.05 > scores["peak_f1_2deg"]["p_value"]
    written = json.loads((tmp_path / "out/comparison.json").read_text())
    assert written["scores"] == scores
    assert "| F1 2° |" in (tmp_path / "out/comparison.md").read_text()
    back = compare(b, a, tmp_path / "back", n_resamples=500)["scores"]
    assert back["peak_f1_2deg"]["verdict"] == "a is better, significant at 5 %: 0.050 higher"
    assert back["peak_f1_2deg"]["difference"] == pytest.approx(-scores["peak_f1_2deg"]["difference"])


def test_a_difference_within_one_system_and_one_among_many_scores_are_not_significant(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a"), finished(tmp_path / "b", shift=0.05)
    for each in (a, b):  # the same scores, but all samples are of two chemical systems
        table = pd.read_parquet(each.path / "per_sample.parquet")
        table["composition"] = [f"Sr{i + 1}TiO{2 * i + 1}" if i % 2 else f"FeO{i + 1}" for i in range(N)]
        table.to_parquet(each.path / "per_sample.parquet")
    a, b = (Finished.open(each.path, setting="a") for each in (a, b))
    scores = compare(a, b, tmp_path / "out", n_resamples=500)["scores"]
    assert scores["peak_f1_2deg"]["verdict"] == "not significant at 5 %"  # of four flips two are as far from zero
    assert all(each["p_corrected"] >= each["p_value"] for each in scores.values())


def test_samples_are_joined_by_composition_whatever_their_order(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a"), finished(tmp_path / "b", reverse=True)
    for each in compare(a, b, tmp_path / "out", n_resamples=50)["scores"].values():
        assert (each["difference"], each["low"], each["high"], each["p_value"]) == (0, 0, 0, 1)


def test_other_data_and_other_samples_are_refused_by_name(tmp_path: Path) -> None:
    a = finished(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"scored on data abc, .*b on xyz"):
        compare(a, finished(tmp_path / "b", data_hash="xyz"), tmp_path / "out", n_resamples=50)
    with pytest.raises(ConfigError, match=r"2 \(HHe, HLi\) only in a, 2 \(HEu, HSm\) only in b"):
        compare(a, finished(tmp_path / "c", first=2), tmp_path / "out", n_resamples=50)
    assert not (tmp_path / "out").exists()
