from __future__ import annotations

import importlib
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.errors import ConfigError, DeepXRDError
from deepxrd.metrics import DtwSettings, dtw_distance

_TOL = 1e-9
_FREE = DtwSettings(window_deg=None, n_jobs=1)


def _by_dynamic_programming(a: np.ndarray, b: np.ndarray, window: float, penalty: float, power: int = 2) -> float:
    """All cells of the table, one by one."""
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            if abs(i - j) <= window:
                detour = min(cost[i, j + 1], cost[i + 1, j]) + penalty**power
                cost[i + 1, j + 1] = abs(a[i] - b[j]) ** power + min(cost[i, j], detour)
    return float(cost[-1, -1] ** (1 / power))


def _patterns(seed: int, n: int = 3, n_points: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = 100 * rng.random((2, n, n_points)) ** 6
    return a, b


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, 0, 1, 3, 12, 100]),
    st.sampled_from([0.0, 5.0, 40.0]),
    st.sampled_from([1, 2]),
)
@settings(max_examples=40)
def test_dtw_is_that_of_the_plain_table(seed: int, window: float | None, penalty: float, power: int) -> None:
    a, b = _patterns(seed)
    grid = np.linspace(10, 88, 40)  # steps of 2°
    window_deg = None if window is None else 2.0 * window
    asked = DtwSettings(window_deg=window_deg, penalty=penalty, n_jobs=1, absolute=power == 1)
    ours = dtw_distance(a, b, grid, settings=asked)
    limit = np.inf if window is None else window
    pairs = zip(a / 100, b / 100, strict=True)
    expected = [_by_dynamic_programming(x, y, limit, penalty / 100, power) for x, y in pairs]
    np.testing.assert_allclose(ours, expected, rtol=_TOL, atol=_TOL)


def test_a_window_of_nothing_is_the_euclidean_distance_and_a_wider_one_never_larger() -> None:
    a, b = _patterns(1)
    grid = np.linspace(0, 78, 40)
    by_window = np.stack([dtw_distance(a, b, grid, settings=DtwSettings(w, n_jobs=1)) for w in (0, 4, 20, 78, None)])
    np.testing.assert_allclose(by_window[0], np.linalg.norm((a - b) / 100, axis=1), rtol=_TOL)
    assert (np.diff(by_window, axis=0) <= _TOL).all()
    assert (by_window[2] < by_window[0]).all()


def test_a_penalty_of_a_peaks_height_makes_warping_not_worth_while() -> None:
    grid = np.linspace(0, 78, 40)
    a, b = np.zeros((2, 1, 40))
    a[0, 10], b[0, 12] = 100, 100
    assert dtw_distance(a, b, grid, settings=_FREE).item() == 0
    cheap, dear = (dtw_distance(a, b, grid, settings=DtwSettings(None, p, n_jobs=1)).item() for p in (10, 100))
    assert cheap == pytest.approx(np.sqrt(4) * 0.1)  # two detours there, and two back
    assert dear == pytest.approx(np.sqrt(2))


def test_dtw_of_equal_patterns_is_zero_and_of_swapped_ones_the_same() -> None:
    a, b = _patterns(2)
    grid = np.linspace(0, 180, 40)
    assert dtw_distance(a, a, grid, settings=_FREE).tolist() == [0, 0, 0]
    there, back = dtw_distance(a, b, grid), dtw_distance(b, a, grid)
    np.testing.assert_allclose(there, back, rtol=_TOL)


def test_processes_do_not_change_the_numbers_and_read_only_patterns_will_do() -> None:
    a, b = (x.astype(np.float32) for x in _patterns(3, n=600))
    a.setflags(write=False)
    grid = np.linspace(0, 180, 40)
    one, two = (dtw_distance(a, b, grid, settings=DtwSettings(n_jobs=n)) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (600,)


def test_no_patterns_have_no_distance() -> None:
    assert dtw_distance(np.zeros((0, 40)), np.zeros((0, 40)), np.linspace(0, 180, 40)).shape == (0,)


@pytest.mark.parametrize("values", [{"window_deg": -1.0}, {"penalty": -0.1}, {"n_jobs": 0}, {"window_deg": np.nan}])
def test_settings_that_mean_nothing_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DtwSettings(**values)


def test_a_missing_package_and_a_missing_c_library_are_told_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = _patterns(4)
    grid = np.linspace(0, 180, 40)

    def missing(name: str) -> types.ModuleType:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DeepXRDError, match="pip install dtaidistance"):
        dtw_distance(a, b, grid)
    without_c = types.SimpleNamespace(dtw_cc=None)
    monkeypatch.setattr(importlib, "import_module", lambda _: without_c)
    with pytest.raises(DeepXRDError, match="without its C library"):
        dtw_distance(a, b, grid)
