import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepxrd.errors import ConfigError
from deepxrd.evaluation.compare import compare
from deepxrd.runs.finished import Finished

N = 60


def finished(
    folder: Path, *, shift: float = 0.0, data_hash: str = "abc", first: int = 0, reverse: bool = False
) -> Finished:
    """A folder of N samples; ``shift`` makes F1 better and leaves the Pearson distance as noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    hardness, noise = rng.random(N), np.random.default_rng(int(1000 * shift) + 1).normal(0, 0.02, N)
    table = pd.DataFrame({
        "composition": [f"C{i + first}" for i in range(N)],
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
    assert scores["peak_f1_2deg"]["verdict"] == "b is better: 0.050 higher"
    assert scores["mse"]["verdict"] == "b is better: 2.500 lower"
    assert scores["pearson_distance"]["verdict"] == "no real difference"
    assert scores["pearson_distance"]["p_value"] > 0.05 > scores["peak_f1_2deg"]["p_value"]
    written = json.loads((tmp_path / "out/comparison.json").read_text())
    assert written["scores"] == scores
    assert "| F1 2° |" in (tmp_path / "out/comparison.md").read_text()
    back = compare(b, a, tmp_path / "back", n_resamples=500)["scores"]
    assert back["peak_f1_2deg"]["verdict"] == "a is better: 0.050 higher"
    assert back["peak_f1_2deg"]["difference"] == pytest.approx(-scores["peak_f1_2deg"]["difference"])


def test_samples_are_joined_by_composition_whatever_their_order(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a"), finished(tmp_path / "b", reverse=True)
    for each in compare(a, b, tmp_path / "out", n_resamples=50)["scores"].values():
        assert (each["difference"], each["low"], each["high"], each["p_value"]) == (0, 0, 0, 1)


def test_other_data_and_other_samples_are_refused_by_name(tmp_path: Path) -> None:
    a = finished(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"scored on data abc, .*b on xyz"):
        compare(a, finished(tmp_path / "b", data_hash="xyz"), tmp_path / "out", n_resamples=50)
    with pytest.raises(ConfigError, match=r"2 \(C0, C1\) only in a, 2 \(C60, C61\) only in b"):
        compare(a, finished(tmp_path / "c", first=2), tmp_path / "out", n_resamples=50)
    assert not (tmp_path / "out").exists()
