"""JSON Lines in the forms of pymatgen, JARVIS and OPTIMADE: read as plain arrays, and nothing is called."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import Crystal
from deepxrd.errors import SourceError
from deepxrd.library.cif import crystal_cif
from deepxrd.sources import FilesSource, ReadFailure, StructureRecord
from deepxrd.sources.plain_structures import crystal_from_json


def _pymatgen(crystal: Crystal) -> dict[str, Any]:
    return json.loads(json.dumps(crystal.to_pymatgen().as_dict()))  # type: ignore[no-any-return]


def _jarvis(crystal: Crystal, *, cartesian: bool = False) -> dict[str, Any]:
    coords = crystal.frac_coords @ crystal.lattice if cartesian else crystal.frac_coords
    elements = [site.specie.symbol for site in crystal.to_pymatgen()]
    return {
        "lattice_mat": crystal.lattice.tolist(),
        "coords": coords.tolist(),
        "elements": elements,
        "cartesian": cartesian,
    }


def _optimade(crystal: Crystal, *, listed: bool) -> dict[str, Any]:
    names = [site.specie.symbol for site in crystal.to_pymatgen()]
    species = [{"name": n, "chemical_symbols": [n], "concentration": [1.0]} for n in dict.fromkeys(names)]
    attributes = {
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": (crystal.frac_coords @ crystal.lattice).tolist(),
        "species_at_sites": names,
    }
    return attributes | ({"species": species} if listed else {})


def _forms(crystal: Crystal) -> dict[str, dict[str, Any]]:
    by_parameters = _pymatgen(crystal)
    del by_parameters["lattice"]["matrix"]
    by_xyz = _pymatgen(crystal)
    for site in by_xyz["sites"]:
        del site["abc"]
    return {
        "pymatgen": _pymatgen(crystal),
        "pymatgen nested": {"structure": _pymatgen(crystal)},
        "pymatgen, xyz": by_xyz,
        "pymatgen, lengths and angles": by_parameters,
        "jarvis": {"jid": "JVASP-1", "atoms": _jarvis(crystal)},
        "jarvis, Cartesian": {"atoms": _jarvis(crystal, cartesian=True)},
        "jarvis, bare": _jarvis(crystal),
        "optimade": {"id": "1", "type": "structures", "attributes": _optimade(crystal, listed=True)},
        "optimade without species": {"attributes": _optimade(crystal, listed=False)},
        "optimade, bare": _optimade(crystal, listed=True),
    }


@pytest.mark.parametrize("form", list(_forms(Crystal(np.eye(3) * 4, np.array([55]), np.zeros((1, 3)), np.ones(1)))))
def test_each_form_gives_the_same_crystal(form: str, triclinic: Crystal) -> None:
    found = crystal_from_json(_forms(triclinic)[form])
    metric, expected = (c.lattice @ c.lattice.T for c in (found, triclinic))
    np.testing.assert_allclose(metric, expected, atol=1e-8)
    np.testing.assert_array_equal(found.atomic_numbers, triclinic.atomic_numbers)
    np.testing.assert_allclose(found.frac_coords, triclinic.frac_coords, atol=1e-8)


def test_shares_charges_and_deuterium() -> None:
    site = {"species": [{"element": "D", "occu": 0.5}, {"element": "Li+", "occu": 0.25}], "abc": [0, 0, 0]}
    crystal = crystal_from_json({"lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}, "sites": [site]})
    assert crystal.atomic_numbers.tolist() == [1, 3]
    assert crystal.occupancies.tolist() == [0.5, 0.25]


def _changed(path: str, value: Any) -> dict[str, Any]:
    entry: Any = {
        "lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]},
        "sites": [{"species": [{"element": "Cs", "occu": 1}], "abc": [0, 0, 0]}],
    }
    place, keys = entry, [int(k) if k.isdecimal() else k for k in path.split(".")]
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return entry  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "its keys are none"),
        ({"a": 1, "formula": "NaCl"}, "its keys are a, formula"),
        ({"atoms": {}}, "it lacks 'elements'"),
        ({"attributes": {"lattice_vectors": []}}, "it lacks 'species_at_sites'"),
        (_changed("lattice", None), "it lacks 'lattice'"),
        (_changed("lattice", "cubic"), "it has no dict under 'lattice'"),
        (_changed("lattice.matrix", [[1, 2], [3, 4]]), "lattice.matrix are not 3 x 3 numbers"),
        (_changed("lattice.matrix", None), "neither a matrix nor"),
        (_changed("sites.0.abc", None), "it lacks 'xyz'"),
        (_changed("sites.0.abc", ["a", "b", "c"]), "coordinates are not 1 x 3 numbers"),
        (_changed("sites.0.species", None), "it lacks 'species'"),
        (_changed("sites.0.species.0.element", "Vac"), "unknown species 'Vac'"),
        (_changed("sites.0.species.0.element", "X0+"), "unknown species 'X0.'"),
        (_changed("sites.0", 3), "it lacks 'xyz'"),
        (_changed("sites.0.species.0.occu", "much"), "occupancies are not 1 numbers"),
    ],
)
def test_what_is_missing_or_wrong_is_said(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        crystal_from_json(entry)


def test_classes_named_in_a_line_are_never_called(tmp_path: Path, cscl: Crystal) -> None:
    marker = tmp_path / "ran"
    call = {"@module": "subprocess", "@class": "Popen", "args": ["touch", str(marker)], "@callable": "os.system"}
    entry = _pymatgen(cscl)
    entry["sites"][0]["properties"] = {"magmom": call}
    entry["properties"] = {"x": {"@module": "deepxrd_not_there", "@class": "Boom"}}
    entry["lattice"]["@module"] = "os"
    (tmp_path / "t.jsonl").write_text(json.dumps({"structure": entry}), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from deepxrd.sources import FilesSource\n"
        f"(record,) = FilesSource(Path({str(tmp_path / 't.jsonl')!r}))\n"
        "print(record.crystal.formula, 'pymatgen' in sys.modules, 'monty' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["CsCl", "False", "False"]
    assert not marker.exists()


def test_lines_of_any_form_may_stand_in_one_file(tmp_path: Path, cscl: Crystal) -> None:
    lines = [json.dumps(entry) for entry in _forms(cscl).values()]
    lines += ["{" * 100_000, "[]", "1e999", '{"structure": {"sites": NaN}}', '{"cif": "data_x"}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-16")
    source = FilesSource(tmp_path / "t.jsonl")
    entries = list(source)
    assert len(source) == len(entries) == len(lines)
    assert all(isinstance(entry, StructureRecord) for entry in entries[:-5])
    assert all(isinstance(entry, ReadFailure) and "Error:" not in entry.reason for entry in entries[-5:])


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "lattice",
                    "sites",
                    "matrix",
                    "species",
                    "abc",
                    "element",
                    "atoms",
                    "elements",
                    "coords",
                    "lattice_mat",
                    "attributes",
                    "lattice_vectors",
                    "species_at_sites",
                    "cartesian_site_positions",
                    "structure",
                    "a",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def test_several_structures_in_one_line_are_counted_and_refused(tmp_path: Path, cscl: Crystal) -> None:
    text = crystal_cif(cscl, name="one")
    (tmp_path / "t.jsonl").write_text(json.dumps({"cif": text + text.replace("data_one", "data_two")}), "utf-8")
    (entry,) = FilesSource(tmp_path / "t.jsonl")
    assert isinstance(entry, ReadFailure)
    assert entry.reason == "its CIF holds 2 structures: give one a line"


def test_an_element_of_which_there_is_next_to_nothing_is_a_reason(tmp_path: Path, cscl: Crystal) -> None:
    little = replace(cscl, occupancies=np.array([1.0, 0.0004]))
    (tmp_path / "t.jsonl").write_text(json.dumps({"structure": _pymatgen(little)}), "utf-8")
    (entry,) = FilesSource(tmp_path / "t.jsonl")
    assert isinstance(entry, ReadFailure)
    assert entry.reason == "the amount 0.0004 of Cl is too small: the least is 1/1000"


@given(_json)
def test_any_json_is_read_or_refused_without_a_key_error(tmp_path: Path, value: Any) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(value) + "\n", encoding="utf-8")
    (entry,) = FilesSource(tmp_path / "t.jsonl")
    if isinstance(entry, ReadFailure):
        assert not re.match(r"\w+Error:", entry.reason), entry.reason
