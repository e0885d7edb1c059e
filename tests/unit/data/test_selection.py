from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import ATOMIC_NUMBERS, Crystal, OneHotEncoding, parse_formula
from deepxrd.data.selection import Selection, select
from deepxrd.errors import ConfigError, SelectionError, SourceError
from deepxrd.sources import ReadFailure, StructureRecord


def _record(
    formula: str, name: str = "x", *, energy: float | None = None, ground_state: bool | None = None
) -> StructureRecord:
    """A record of which only the composition matters."""
    numbers = [ATOMIC_NUMBERS[symbol] for symbol, count in parse_formula(formula).counts for _ in range(count)]
    crystal = Crystal(np.eye(3), np.array(numbers), np.zeros((len(numbers), 3)), np.ones(len(numbers)))
    return StructureRecord(name, crystal, energy, ground_state)


def _taken(records: list[StructureRecord]) -> str:
    selected = select(records, Selection())
    (position,) = selected.positions.values()
    return records[position].material_id


@pytest.mark.parametrize(
    "records",
    [
        [_record("SrTiO3", "best", ground_state=True, energy=-1.0), _record("SrTiO3", "a", energy=-9.0)],
        [_record("SrTiO3", "best", ground_state=True), _record("SrTiO3", "a", ground_state=False, energy=-9.0)],
        [_record("SrTiO3", "best", energy=-2.0), _record("SrTiO3", "a", energy=-1.9), _record("O6Sr2Ti2", "b")],
        [_record("SrTiO3", "best", energy=0.1), _record("SrTiO3", "a")],
        [_record("SrTiO3", "best", energy=0.0), _record("SrTiO3", "a", energy=0.5)],
        [_record("SrTiO3", "best", ground_state=False, energy=-1.0), _record("SrTiO3", "c", energy=-0.5)],
        [_record("SrTiO3", "best"), _record("SrTiO3", "c"), _record("SrTiO3", "d")],
        [_record("SrTiO3", "best", energy=-1.0), _record("SrTiO3", "c", energy=-1.0)],
        [_record("SrTiO3", "best", ground_state=True), _record("SrTiO3", "c", ground_state=True)],
    ],
    ids=[
        "a ground state beats a lower energy",
        "a ground state without energy does too",
        "the lowest energy",
        "a known energy beats none, even if positive",
        "zero is an energy",
        "no ground state is as good as unknown",
        "the first id where nothing is known",
        "the first id of equal energies",
        "the first id of two ground states",
    ],
)
def test_one_structure_is_taken_per_composition_whatever_the_order(records: list[StructureRecord]) -> None:
    assert {_taken(list(order)) for order in permutations(records)} == {"best"}


@given(st.lists(st.tuples(st.none() | st.floats(-9, 9), st.booleans()), min_size=1, max_size=8), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_source(
    facts: list[tuple[float | None, bool]], random: object
) -> None:
    records = [_record("BaZrO3", f"id-{i}", energy=e, ground_state=g) for i, (e, g) in enumerate(facts)]
    pool = [r for r in records if r.ground_state] or records
    known = [r for r in pool if r.formation_energy_per_atom is not None]
    expected = min(known, key=lambda r: (r.formation_energy_per_atom, r.material_id)) if known else pool[0]
    random.shuffle(records)  # type: ignore[attr-defined]
    assert _taken(records) == expected.material_id


def test_reasons_are_counted_and_add_up() -> None:
    records = [
        _record("NaCl", "1"),
        _record("SrTiO3", "2"),
        _record("SrTiO3", "3"),
        _record("SrTiO3", "4", ground_state=True),
        _record("Sr2TiO4", "5"),
        _record("SrTiXe3", "6"),
        _record("FeBO3", "7"),
        _record("SrXeO3", "8"),
        ReadFailure("9", "broken"),
    ]
    selected = select(records, Selection(3, "ABC3", OneHotEncoding()), max_failed_share=0.2)
    assert selected.positions == {"FeBO3": 6, "SrTiO3": 3} | selected.positions
    assert set(selected.positions.values()) == {3, 6}
    assert selected.excluded == Counter(
        {
            "not 3 elements": 1,
            "stoichiometry is not ABC3": 1,
            "an element outside the encoding": 2,
            "another structure of the composition is taken": 2,
        }
    )
    assert selected.counts() == {
        "entries_in_source": 9,
        "taken": 2,
        "excluded": dict(sorted(selected.excluded.items())),
        "unreadable": 1,
        "unreadable_first": {"9": "broken"},
        "remarks": {},
    }
    assert 2 + selected.excluded.total() + 1 == 9


def test_entries_that_share_a_name_are_all_named() -> None:
    broken = [ReadFailure("line 4", "no cell"), ReadFailure("line 4", "no atoms"), ReadFailure("line 4", "odd")]
    counts = select([_record("SrTiO3"), *broken], Selection(), max_failed_share=1).counts()
    assert counts["unreadable_first"] == {"line 4": "no cell", "line 4 (2)": "no atoms", "line 4 (3)": "odd"}


def test_a_count_outside_the_box_is_a_reason_of_its_own() -> None:
    records = [_record("SrTiO3"), _record("SrTiO10"), _record("SrTiO9", "b")]
    selected = select(records, Selection(box=OneHotEncoding()))
    assert selected.excluded == Counter({"a count over 9": 1})
    assert set(selected.positions.values()) == {0, 2}
    everything = select(records, Selection())
    assert not everything.excluded
    assert set(everything.positions.values()) == {0, 1, 2}


def test_compositions_are_taken_in_alphabetical_order() -> None:
    names = ["ZnTiO3", "BaTiO3", "MgTiO3", "AlFeO3"]
    selected = select([_record(name) for name in names], Selection())
    assert list(selected.positions) == sorted(selected.positions)
    assert len(selected.positions) == 4


@pytest.mark.parametrize(("n_elements", "taken"), [(2, {0}), (3, {1}), (None, {0, 1})])
def test_the_number_of_elements_is_a_choice(n_elements: int | None, taken: set[int]) -> None:
    records = [_record("NaCl"), _record("SrTiO3")]
    selected = select(records, Selection(n_elements=n_elements))
    assert set(selected.positions.values()) == taken


def test_a_source_of_which_too_much_is_broken_is_refused_with_examples() -> None:
    records = [_record("SrTiO3"), *(ReadFailure(f"file-{i}.cif", "no cell") for i in range(7))]
    with pytest.raises(SourceError, match=r"7 of 8 .* share of 0.05 .*max_failed_share.*file-0.cif: no cell"):
        select(records, Selection())


@pytest.mark.parametrize(("n_failures", "refused"), [(1, False), (2, True)])
def test_exactly_the_allowed_share_may_be_broken(n_failures: int, refused: bool) -> None:  # noqa: FBT001
    records = [_record("SrTiO3")] * (20 - n_failures) + [ReadFailure("f", "r")] * n_failures
    if refused:
        with pytest.raises(SourceError, match="2 of 20"):
            select(records, Selection(), max_failed_share=0.05)
    else:
        assert len(select(records, Selection(), max_failed_share=0.05).failures) == 1


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(SourceError, match="no entries"):
        select([], Selection())


@pytest.mark.parametrize(
    ("selection", "named"),
    [
        (Selection(stoichiometry="AB7C9"), r"no sample of AB7C9; .*ABC3 \(2\), AB \(1\)"),
        (Selection(n_elements=5), r"no sample of 5 elements; .*ABC3 \(2\), AB \(1\)"),
    ],
)
def test_where_nothing_is_left_the_message_says_what_there_is(selection: Selection, named: str) -> None:
    records = [_record("NaCl"), _record("SrTiO3"), _record("BaTiO3")]
    with pytest.raises(SelectionError, match=named):
        select(records, selection)


def test_a_small_encoding_can_leave_nothing() -> None:
    with pytest.raises(SelectionError, match="within the encoding"):
        select([_record("SrTiO3")], Selection(box=OneHotEncoding(elements=("O", "Ti"))))


def test_a_stoichiometry_is_taken_by_its_canonical_name_and_must_fit_the_number_of_elements() -> None:
    assert Selection(stoichiometry="ABX3") == Selection(stoichiometry="A3BC") == Selection(stoichiometry="ABC3")
    with pytest.raises(ConfigError, match="n_elements=2"):
        Selection(n_elements=3, stoichiometry="AB2")


def test_partly_filled_structures_are_counted_by_their_real_composition() -> None:
    full = _record("SrTiO3")
    half = replace(full, crystal=replace(full.crystal, occupancies=np.array([0.5, 1, 1, 1, 1.0])))
    selected = select([half, full], Selection(stoichiometry="ABC3"))
    assert set(selected.positions.values()) == {1}
    assert selected.excluded == Counter({"stoichiometry is not ABC3": 1})
