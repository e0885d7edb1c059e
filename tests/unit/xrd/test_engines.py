from typing import Any

import numpy as np
import pytest

from deepxrd.chem import Crystal
from deepxrd.errors import PatternError
from deepxrd.xrd import XrdSettings, simulate


@pytest.mark.parametrize("engine", ["pymatgen", "batched"])
def test_structures_of_pymatgen_are_simulated_as_the_same_crystals(
    nacl: Crystal, crystal: Crystal, engine: str
) -> None:
    settings = XrdSettings(engine=engine)
    patterns, failures = simulate([nacl.to_pymatgen(), crystal], settings)
    assert failures == [None, None]
    np.testing.assert_allclose(patterns, simulate([nacl, crystal], settings)[0], atol=1e-3)  # of 100


@pytest.mark.parametrize("given", [["NaCl"], [None], [np.eye(3)]])
def test_what_is_no_crystal_is_refused_by_its_place(nacl: Crystal, given: list[Any]) -> None:
    with pytest.raises(PatternError, match="structure 1 is a"):
        simulate([nacl, *given], XrdSettings())


def test_one_structure_in_place_of_a_list_is_refused(nacl: Crystal) -> None:
    given: list[Any] = [nacl, nacl.to_pymatgen(), "NaCl"]
    for each in given:
        with pytest.raises(PatternError, match=r"give \[structure\]"):
            simulate(each, XrdSettings())
