"""Miller indices against spacings worked out from them."""

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.xrd import XrdSettings, labelled_reflections


def test_labels_give_their_own_spacing_and_angle_back(crystal: Crystal) -> None:
    found = labelled_reflections(crystal, XrdSettings(two_theta_max_deg=90))
    inverse_metric = np.linalg.inv(crystal.lattice @ crystal.lattice.T)
    assert found
    for reflection in found:
        for hkl, _ in reflection.hkl:
            h = np.array([hkl[0], hkl[1], hkl[-1]])  # of four indices the third follows from the first two
            spacing = 1 / np.sqrt(h @ inverse_metric @ h)
            assert reflection.d_angstrom == pytest.approx(spacing, rel=1e-5)
            angle = np.degrees(2 * np.arcsin(1.54184 / (2 * spacing)))
            assert reflection.two_theta_deg == pytest.approx(angle, abs=1e-3)


def test_the_first_reflections_of_rock_salt_have_their_textbook_labels(nacl: Crystal) -> None:
    found = labelled_reflections(nacl, XrdSettings(two_theta_max_deg=50))
    families = {tuple(sorted(map(abs, hkl))): multiplicity for r in found for hkl, multiplicity in r.hkl}
    assert families == {(1, 1, 1): 8, (0, 0, 2): 6, (0, 2, 2): 12}


def test_a_range_without_reflections_has_no_labels(nacl: Crystal) -> None:
    assert labelled_reflections(nacl, XrdSettings(two_theta_max_deg=5)) == []
