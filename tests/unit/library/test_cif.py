"""CIF text, read back by pymatgen: the same composition, symmetry and pattern."""

import re
import warnings

import gemmi
import numpy as np
import pytest
import spglib
from pymatgen.core import Structure

from deepxrd.chem import Crystal
from deepxrd.library import AsymmetricUnit, cif_text
from deepxrd.library.cif import crystal_cif, operation_text
from deepxrd.library.space_groups import N_GROUPS, space_group
from deepxrd.sources.cif import cif_blocks
from deepxrd.xrd import XrdSettings, simulate
from made_libraries import cosines, make_unit, shared_site_crystal

XRD = XrdSettings(two_theta_min_deg=5, two_theta_max_deg=90, n_points=1701, sigma_deg=0.1)
SAME_PATTERN = 1 - 1e-6


def read_back(text: str) -> Crystal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Crystal.from_pymatgen(Structure.from_str(text, fmt="cif"))


def general_unit(number: int) -> AsymmetricUnit:
    """An element on the most special position and one on the general position."""
    positions = space_group(number).positions
    return make_unit(
        number,
        [("Ba", positions[0].letter, (0.05, 0.07, 0.03)), ("O", positions[-1].letter, (0.137, 0.291, 0.383))],
        scale=2.0,
    )


@pytest.mark.parametrize("number", range(1, N_GROUPS + 1, 7))
def test_a_cif_of_any_space_group_is_read_back_as_it_was(number: int) -> None:
    unit = general_unit(number)
    crystal, back = unit.to_crystal(), read_back(cif_text(unit, name="x"))
    assert back.formula == crystal.formula
    assert len(back.atomic_numbers) == unit.multiplicities.sum()
    cell = (back.lattice, back.frac_coords, back.atomic_numbers)
    assert spglib.get_symmetry_dataset(cell, symprec=0.001).number == number
    patterns = simulate([crystal, back], XRD)[0]
    assert cosines(patterns[1:], patterns[:1])[0] > SAME_PATTERN


def test_shared_and_partly_filled_sites_are_written() -> None:
    crystal = shared_site_crystal()
    back = read_back(crystal_cif(crystal, name="x"))
    assert back.formula == crystal.formula
    patterns = simulate([crystal, back], XRD)[0]
    assert cosines(patterns[1:], patterns[:1])[0] > SAME_PATTERN


@pytest.mark.parametrize("number", range(1, N_GROUPS + 1))
def test_the_name_of_a_space_group_is_one_that_others_read(number: int) -> None:
    """``P 2_1/c`` is in no list of names: the dictionary has screw axes without a sign."""
    unit = make_unit(number, [("Ba", space_group(number).positions[-1].letter, (0.137, 0.291, 0.383))], scale=2.0)
    names = re.findall(r"H-M(?:_alt)? '(.*)'", cif_text(unit, name="x"))
    assert len(names) == 2
    assert [gemmi.find_spacegroup_by_name(name).number for name in names] == [number, number]


@pytest.mark.parametrize("shares", [(0.7, 0.3), (1.997 / 2, 0.003 / 2), (0.9, 0.05), (0.63, 0.17213, 0.1177, 0.07311)])
def test_a_formula_of_any_shares_is_written_as_what_the_cell_holds(shares: tuple[float, ...]) -> None:
    """Shares of a doped compound mostly have no small whole multiples, and were refused."""
    n = len(shares)
    unit = AsymmetricUnit(
        221,
        np.array([4.0, 4.0, 4.0, 90.0, 90.0, 90.0]),
        np.array([*[26, 24, 28, 42][:n], 8]),
        "a" * n + "c",
        np.array([[0.0, 0.0, 0.0]] * n + [[0.0, 0.5, 0.5]]),
        np.array([*shares, 1.0]),
    )
    text = cif_text(unit, name="x")
    (written,) = re.findall(r"_chemical_formula_sum '(.*)'", text)
    amounts = {symbol: float(amount or 1) for symbol, amount in re.findall(r"([A-Z][a-z]?)([\d.]*)", written)}
    assert amounts == pytest.approx(dict(zip(["Fe", "Cr", "Ni", "Mo"][:n], shares, strict=True)) | {"O": 3}, rel=1e-5)
    assert "_cell_formula_units_Z 1\n" in text
    ((_, read),) = cif_blocks(text)
    crystal, _ = read()
    assert np.bincount(crystal.atomic_numbers, crystal.occupancies) == pytest.approx(
        np.bincount(unit.atomic_numbers, unit.occupancies * unit.multiplicities)
    )


def test_the_text_says_what_a_reader_looks_for() -> None:
    unit = make_unit(221, [("Sr", "a", ()), ("Ti", "b", ()), ("O", "c", ())])
    text = cif_text(unit, name="mp 5229 'x'\ndata_evil", comment="CC BY 4.0\ncite them")
    assert text.startswith("# CC BY 4.0\n# cite them\ndata_mp_5229__x__data_evil\n")
    assert text.count("data_") == 2
    for line in (
        "_space_group_name_H-M_alt 'P m -3 m'",
        "_space_group_IT_number 221",
        "_chemical_formula_sum 'O3 Sr Ti'",
        "_cell_formula_units_Z 1",
        "1 'x,y,z'",
        "O1 O 3 c 0.00000000 0.50000000 0.50000000 1",
    ):
        assert line in text.splitlines()


def test_operations_are_written_as_in_the_tables() -> None:
    rotation = np.array([[0.0, -1, 0], [1, -1, 0], [0, 0, 1]])
    assert operation_text(rotation, np.array([2 / 3, 0, 0.25])) == "-y+2/3,x-y,z+1/4"
