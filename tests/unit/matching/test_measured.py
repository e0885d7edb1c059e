"""Measured patterns against references that know the truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import ConfigError, SourceError
from deepxrd.matching import Measured, converted, read_measured, snip, target_of, wavelength
from deepxrd.xrd import XrdSettings, smooth_reflections

ANGLE = np.linspace(10, 90, 4001)
PLACES, HEIGHTS = np.array([22.8, 32.4, 40.0, 46.5, 57.8, 67.9]), np.array([20.0, 100.0, 35.0, 50.0, 40.0, 25.0])
LINE_SIGMA_DEG = 0.05


def lines(angle: np.ndarray, places: np.ndarray, sigma: float = LINE_SIGMA_DEG) -> np.ndarray:
    return (HEIGHTS * np.exp(-0.5 * ((angle[:, None] - places) / sigma) ** 2)).sum(axis=1)


def background(angle: np.ndarray) -> np.ndarray:
    return 30 + 60 * np.exp(-(angle - 10) / 20) + 10 * np.exp(-0.5 * ((angle - 25) / 6) ** 2)


def test_snip_is_what_its_definition_says_point_by_point() -> None:
    counts = np.random.default_rng(0).uniform(0, 50, 60)
    level = np.log(np.log(np.sqrt(counts + 1) + 1) + 1)
    for reach in range(7, 0, -1):
        before = level.copy()
        for i in range(reach, len(level) - reach):
            level[i] = min(before[i], (before[i - reach] + before[i + reach]) / 2)
    expected = (np.exp(np.exp(level) - 1) - 1) ** 2 - 1
    np.testing.assert_allclose(snip(counts, half_width=7), expected, rtol=1e-12, atol=1e-12)


def test_snip_follows_the_background_under_the_lines() -> None:
    coarse = ANGLE[::5]
    found = snip(lines(coarse, PLACES, 0.2) + background(coarse), half_width=10)
    np.testing.assert_allclose(found, background(coarse), atol=0.6)  # of lines up to 100, and a hump of 10


@given(st.lists(st.floats(-10, 1e6), min_size=1, max_size=30), st.integers(1, 40))
def test_snip_is_never_above_the_counts(counts: list[float], half_width: int) -> None:
    positive = np.maximum(np.array(counts), 0)
    assert np.all(snip(np.array(counts), half_width=half_width) <= positive * (1 + 1e-9) + 1e-9)


@pytest.mark.parametrize("settings", [XrdSettings(), XrdSettings(axis="q", n_points=2048)])
def test_a_measurement_becomes_what_would_have_been_predicted(settings: XrdSettings) -> None:
    target = target_of(Measured(ANGLE, lines(ANGLE, PLACES) + background(ANGLE)), settings)
    expected = smooth_reflections(PLACES, HEIGHTS, settings).astype(float)
    assert np.abs(target.pattern - expected)[target.inside].max() < 5.0  # a twentieth of the hump, ten times as wide
    covered = settings.two_theta_deg[target.inside]
    assert covered[0] == pytest.approx(10.5, abs=1.5)
    assert covered[-1] == pytest.approx(89.5, abs=1.5)
    assert not target.pattern[~target.inside].any()


def test_without_background_and_width_it_is_exact() -> None:
    narrow = Measured(ANGLE, lines(ANGLE, PLACES, 0.02))
    expected = smooth_reflections(PLACES, HEIGHTS, XrdSettings())
    target = target_of(narrow, XrdSettings())
    assert np.abs(target.pattern - expected)[target.inside].max() < 0.6  # of 100


def test_another_radiation_moves_lines_where_they_belong() -> None:
    settings = XrdSettings()
    by_molybdenum = converted(PLACES, settings.wavelength_angstrom, wavelength("MoKa"))
    angle = np.linspace(4, 42, 4001)
    measured = Measured(angle, lines(angle, by_molybdenum, 0.01))
    target = target_of(measured, settings, wavelength_angstrom=wavelength("MoKa"))
    found = target.pattern
    peaks = np.flatnonzero((found[1:-1] > found[:-2]) & (found[1:-1] > found[2:]) & (found[1:-1] > 5)) + 1
    np.testing.assert_allclose(settings.two_theta_deg[peaks], PLACES, atol=settings.step)


@given(st.floats(1, 170), st.sampled_from(["MoKa", "CoKa", "AgKa", "0.5"]))
def test_angles_come_back_from_another_wavelength(angle: float, radiation: str) -> None:
    there = converted(np.array([angle]), wavelength("CuKa"), wavelength(radiation))
    if np.isfinite(there[0]):
        back = converted(there, wavelength(radiation), wavelength("CuKa"))
        assert back[0] == pytest.approx(angle, abs=1e-5)
    else:
        assert np.sin(np.radians(angle / 2)) * wavelength(radiation) / wavelength("CuKa") > 1


@given(st.floats(1e-3, 1e6))
def test_the_unit_of_counts_does_not_matter_without_background(factor: float) -> None:
    one, other = (target_of(Measured(ANGLE, f * 1e4 * lines(ANGLE, PLACES)), XrdSettings()) for f in (1.0, factor))
    np.testing.assert_allclose(one.pattern, other.pattern, atol=0.5)


@pytest.mark.parametrize(
    "text",
    [
        "{a:.3f} {y:.4f}\n", "{a:.3f},{y:.4f}\n", "{a:.3f};{y:.4f};0.1\n", "  {a:.3f}\t{y:.4e}  1.0\n",
    ],
)  # fmt: skip
def test_two_columns_are_read_however_they_are_parted(tmp_path: Path, text: str) -> None:
    angle = np.linspace(10, 80, 200)
    body = "".join(text.format(a=a, y=i) for i, a in reversed(list(enumerate(angle))))
    (tmp_path / "m.xy").write_text("# a comment\n2theta, counts\n\n" + body, encoding="utf-8")
    measured = read_measured(tmp_path / "m.xy")
    np.testing.assert_allclose(measured.two_theta_deg, angle, atol=1e-3)
    np.testing.assert_allclose(measured.intensity, np.arange(200))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[:20], "has 20 points, too few"),
        (lambda rows: [*rows, "190 3"], "from 10 to 190 and has no name: it is no 2θ"),
        (lambda rows: [*rows, "10 777"], "two intensities at 2θ = 10°"),
        (lambda rows: [*rows[:50], "what", *rows[50:]], "line 51 is no data"),
        (lambda rows: [row for i, row in enumerate(rows) if i % 7 in {0, 1, 3}], "is a list of 87 peaks"),
    ],
)
def test_what_is_no_pattern_is_refused(tmp_path: Path, change: Callable[[list[str]], list[str]], told: str) -> None:
    rows = [f"{a:.3f} {i}" for i, a in enumerate(np.linspace(10, 80, 200))]
    (tmp_path / "m.xy").write_text("\n".join(change(rows)))
    with pytest.raises(SourceError, match=re.escape(told)):
        read_measured(tmp_path / "m.xy")


@pytest.mark.parametrize(
    ("measured", "settings", "told"),
    [
        (Measured(np.linspace(10, 14, 400), np.ones(400)), {}, r"from 10 to 14° 2θ.*--radiation"),
        (Measured(ANGLE, np.full(4001, 7.0)), {}, "nothing in the pattern stands out"),
        (Measured(ANGLE, lines(ANGLE, PLACES)), {"wavelength_angstrom": 0.1}, "--radiation"),
    ],
)
def test_what_cannot_be_compared_is_refused(measured: Measured, settings: dict[str, float], told: str) -> None:
    with pytest.raises(SourceError, match=told):
        target_of(measured, XrdSettings(), **settings)


@pytest.mark.parametrize("radiation", ["Foo", "-1", "0", "nan", ""])
def test_no_radiation_is_refused(radiation: str) -> None:
    with pytest.raises(ConfigError, match="unknown radiation"):
        wavelength(radiation)


def test_nothing_is_compared_in_a_gap_and_the_wavelength_is_the_files(tmp_path: Path) -> None:
    kept = (ANGLE < 30) | (ANGLE > 50)
    counts = np.random.default_rng(0).poisson(lines(ANGLE, PLACES)[kept] + 5)
    rows = "".join(f"{a:.3f} {c}\n" for a, c in zip(ANGLE[kept], counts, strict=True))
    (tmp_path / "m.xy").write_text("# wavelength 1.7890 A\n" + rows)
    measured = read_measured(tmp_path / "m.xy")
    assert measured.wavelength_angstrom == 1.7890
    target = target_of(measured, XrdSettings())
    by_copper = converted(np.array([30.0, 50.0]), 1.7890, XrdSettings().wavelength_angstrom)
    angle = XrdSettings().two_theta_deg
    gap = (angle > by_copper[0]) & (angle < by_copper[1])
    assert not target.inside[gap].any()
    assert target.inside[(angle > 12) & (angle < by_copper[0] - 1)].all()
    assert not target.pattern[gap].any()
