from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import PAPER_ELEMENTS, SYMBOLS, Formula, OneHotEncoding, formula_from_amounts, parse_formula
from deepxrd.errors import FormulaError

_PAPER = OneHotEncoding()
_inside = st.dictionaries(st.sampled_from(PAPER_ELEMENTS), st.integers(1, 9), min_size=1, max_size=5).map(
    formula_from_amounts
)


def _decode(matrix: np.ndarray, encoding: OneHotEncoding) -> dict[str, int]:
    """Read a matrix back: element and count of each cell that is set."""
    return {encoding.elements[row]: int(count) for row, count in zip(*np.nonzero(matrix), strict=True)}


def test_the_box_is_that_of_the_paper() -> None:
    assert _PAPER.shape == (84, 10)
    assert len(set(PAPER_ELEMENTS)) == 84
    assert set(SYMBOLS[:94]) - set(PAPER_ELEMENTS) == {"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Po", "At", "Fr", "Ra"}


@pytest.mark.snapshot
def test_the_abc3_compounds_of_the_snapshot_hold_exactly_the_84_elements(snapshot_path: Path) -> None:
    table = pd.read_parquet(snapshot_path, columns=["formula_anonymous", "chemsys"])
    systems = table.loc[table["formula_anonymous"] == "ABC3", "chemsys"]
    assert {symbol for system in systems for symbol in system.split("-")} == set(PAPER_ELEMENTS)


def test_the_cells_of_febo3_are_those_of_the_paper() -> None:
    matrix = _PAPER.encode([parse_formula("FeBO3")])
    assert matrix.shape == (1, 1, 84, 10)
    assert matrix.dtype == np.uint8
    assert _decode(matrix[0, 0], _PAPER) == {"Fe": 1, "B": 1, "O": 3}
    rows = {symbol: PAPER_ELEMENTS.index(symbol) for symbol in ("Fe", "B", "O")}
    assert sorted(_PAPER.cells(parse_formula("FeBO3"))) == sorted(
        [rows["Fe"] * 10 + 1, rows["B"] * 10 + 1, rows["O"] * 10 + 3]
    )


def test_rows_follow_the_atomic_number() -> None:
    numbers = [SYMBOLS.index(symbol) for symbol in PAPER_ELEMENTS]
    assert numbers == sorted(numbers)


@given(st.lists(_inside, min_size=1, max_size=6))
def test_every_formula_in_the_box_can_be_read_back_from_its_matrix(formulas: list[Formula]) -> None:
    matrices = _PAPER.encode(formulas)
    assert [_decode(matrix[0], _PAPER) for matrix in matrices] == [dict(f.counts) for f in formulas]


@given(_inside)
def test_a_matrix_has_one_cell_per_element_and_none_in_column_zero(formula: Formula) -> None:
    matrix = _PAPER.encode([formula])[0, 0]
    assert matrix.sum() == len(formula.counts)
    assert matrix.max() == 1
    assert matrix.sum(axis=1).max() == 1
    assert not matrix[:, 0].any()


def test_no_formulas_give_an_empty_batch() -> None:
    assert _PAPER.encode([]).shape == (0, 1, 84, 10)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("XeF2", "element Xe is not among the 84"),
        ("HeNeO", "element He"),
        ("LiFe10O", "10 atoms of Fe are more than the 9"),
        ("Al12Mg17", "17 atoms of Mg"),
        ("AmO2", "element Am"),
    ],
)
def test_a_formula_outside_the_box_is_refused_by_element_or_count(text: str, named: str) -> None:
    formula = parse_formula(text)
    with pytest.raises(FormulaError, match=named) as caught:
        _PAPER.encode([parse_formula("FeBO3"), formula])
    assert formula.reduced in str(caught.value)
    assert named in str(_PAPER.why_not(formula))


@pytest.mark.parametrize(("text", "fits"), [("Fe9O", True), ("Fe10O", False), ("Fe20O20", True)])
def test_nine_atoms_fit_and_ten_do_not(text: str, fits: bool) -> None:  # noqa: FBT001 - a parameter
    assert (_PAPER.why_not(parse_formula(text)) is None) is fits


def test_an_encoding_survives_being_written_as_plain_values() -> None:
    own = OneHotEncoding(elements=("O", "Ti", "Ba"), n_counts=4)
    assert OneHotEncoding.from_dict(own.to_dict()) == own
    assert own.to_dict() == {"elements": ["O", "Ti", "Ba"], "n_counts": 4}
    assert own.shape == (3, 4)
    assert own.cells(parse_formula("BaTiO3")).tolist() == [2 * 4 + 1, 1 * 4 + 1, 0 * 4 + 3]
