"""Lines with d and hkl, against pymatgen's calculator."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator

from deepxrd.chem import Crystal
from deepxrd.library.symmetry import find_asymmetric_unit
from deepxrd.prediction.known import view
from deepxrd.serve.lines import lines_of

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
