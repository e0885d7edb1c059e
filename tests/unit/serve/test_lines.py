"""Lines with d and hkl, against pymatgen's calculator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator

from deepxrd.chem import Crystal
from deepxrd.library import AsymmetricUnit
from deepxrd.library.space_groups import space_group
from deepxrd.library.symmetry import find_asymmetric_unit
from deepxrd.prediction.known import view
from deepxrd.serve.lines import _as_usual, lines_of

ANGLE_APART, D_APART = 0.002, 2e-4
"""Degrees and Å: three and four decimals are kept."""
INTENSITY_APART = 4.0
"""Of 100: form factors of another table, and dispersion, which pymatgen leaves out."""


@pytest.mark.parametrize("name", ["nacl", "silicon", "wurtzite", "cscl"])
def test_the_strongest_lines_are_those_of_pymatgen(name: str, request: pytest.FixtureRequest) -> None:
    crystal: Crystal = request.getfixturevalue(name)
    unit = find_asymmetric_unit(crystal)
    assert unit is not None
    lines = lines_of(unit, view(radiation="CuKa1", range_deg=(10, 80), width_deg=0.1))
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    theirs = XRDCalculator(1.54056).get_pattern(crystal.to_pymatgen(), two_theta_range=(10, 80))
    families = {
        round(d, 3): [tuple(abs(i) for i in each["hkl"]) for each in hkls]
        for d, hkls in zip(theirs.d_hkls, theirs.hkls, strict=True)
    }
    for angle, intensity, d in zip(theirs.x, theirs.y, theirs.d_hkls, strict=True):
        if intensity < 5:
            continue
        ours = [line for line in lines if abs(line[0] - angle) < ANGLE_APART]
        assert ours, f"no line at {angle:.3f}°"
        assert ours[0][2] == pytest.approx(d, abs=D_APART)
        assert sum(line[1] for line in ours) == pytest.approx(intensity, abs=INTENSITY_APART)
        if name == "nacl":  # pymatgen's cell is the conventional one there, too
            assert sorted(map(abs, map(int, ours[0][3].split()))) in [sorted(each) for each in families[round(d, 3)]]


def test_hkl_are_written_as_usual(nacl: Crystal, wurtzite: Crystal) -> None:
    def first(crystal: Crystal, n: int) -> list[str]:
        unit = find_asymmetric_unit(crystal)
        assert unit is not None
        return [line[3] for line in lines_of(unit, view(range_deg=(10, 60), width_deg=0.1))][:n]

    assert first(nacl, 4) == ["1 1 1", "2 0 0", "2 2 0", "3 1 1"]  # PDF 5-628
    assert first(wurtzite, 5) == ["1 0 0", "0 0 2", "1 0 1", "1 0 2", "1 1 0"]  # PDF 36-1451


def test_nothing_in_range_is_no_line(cscl: Crystal) -> None:
    unit = find_asymmetric_unit(cscl)
    assert unit is not None
    assert lines_of(unit, view(range_deg=(5, 10), width_deg=0.1)) == []
    assert np.isfinite([line[:3] for line in lines_of(unit, view(range_deg=(0, 180), width_deg=0.1))]).all()


def skew(number: int, *, alpha_deg: float = 90.0, gamma_deg: float = 90.0) -> AsymmetricUnit:
    """Iron and oxygen on general sites of a skew cell with axes that differ."""
    cell = np.array([4.1, 5.3, 9.7, alpha_deg, 112.0, gamma_deg])
    letter = space_group(number).positions[-1].letter
    coords = np.array([[0.11, 0.23, 0.37], [0.41, 0.07, 0.19]])
    return AsymmetricUnit(number, cell, np.array([26, 8]), letter * 2, coords, np.ones(2))


@pytest.mark.parametrize("number", [14, 15])  # 15 is centred: its primitive cell has other indices
def test_monoclinic_hkl_have_the_sign_of_their_d(number: int) -> None:
    lines = lines_of(skew(number), view(range_deg=(5, 60), width_deg=0.1))
    hkl = np.array([[int(i) for i in line[3].split()] for line in lines])
    h, k, l = hkl.T  # noqa: E741
    assert (h >= 0).all()
    assert (k >= 0).all()
    assert (l[h == 0] >= 0).all()
    assert ((l < -h) & (h > 0)).any(), "as 1 0 -2, which is written with l and not h below zero"
    a, b, c = 4.1, 5.3, 9.7
    cos, sin = np.cos(np.radians(112)), np.sin(np.radians(112))
    q = (h**2 / a**2 + l**2 / c**2 - 2 * h * l * cos / (a * c)) / sin**2 + k**2 / b**2
    np.testing.assert_allclose([line[2] for line in lines], 1 / np.sqrt(q), atol=1e-4)


def test_triclinic_hkl_have_the_fewest_negative_indices() -> None:
    lines = lines_of(skew(2, alpha_deg=95.0, gamma_deg=101.0), view(range_deg=(5, 60), width_deg=0.1))
    labels = {line[3] for line in lines}
    assert "-1 1 1" in labels  # not 1 -1 -1, which is larger
    assert "1 -1 -1" not in labels
    assert "1 0 -2" in labels  # not -1 0 2: of equally many the larger


@pytest.mark.parametrize("number", [2, 14, 15, 62, 88, 148, 167, 194, 205, 227])
def test_of_equivalent_hkl_the_usual_one_is_written(number: int) -> None:
    hkl = np.array([each for each in itertools.product((-7, -2, 0, 1, 5), repeat=3) if any(each)])
    turns = space_group(number).rotations_in(primitive=False).astype(int)
    expected = [
        max((tuple((sign * each @ turn).tolist()) for turn in turns for sign in (1, -1)), key=_usual) for each in hkl
    ]
    assert [tuple(each) for each in _as_usual(hkl, number).tolist()] == expected


def _usual(hkl: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return -sum(i < 0 for i in hkl), hkl


def test_lines_are_within_the_range_and_none_of_them_is_lost() -> None:
    everything = lines_of(skew(14), view(range_deg=(5, 60), width_deg=0.1))
    strong = [line[0] for line in everything if line[1] > 2 and 20 <= line[0] <= 40]
    some = [line[0] for line in lines_of(skew(14), view(range_deg=(20, 40), width_deg=0.1))]
    assert strong
    assert min(some) >= 20
    assert max(some) <= 40
    assert set(strong) <= set(some)
    last = some[-1]  # a range that ends just before and just behind a line
    assert lines_of(skew(14), view(range_deg=(20, last + 0.01), width_deg=0.1))[-1][0] == last
    assert lines_of(skew(14), view(range_deg=(20, last - 0.01), width_deg=0.1))[-1][0] < last
