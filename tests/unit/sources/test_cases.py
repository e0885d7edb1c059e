"""Every file of shared/cases/structures and tables has the outcome that its README expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from absence import absent
from deepxrd.io.formula_table import read_formulas
from deepxrd.sources import FilesSource, ReadFailure

_READ = {
    "24_a_label_vs_type.cif": ("Ge2Sb2Te5", 12),
    "24_d_empty_block.cif": ("SrNbO3", 5),
    "24_e_Ominus.cif": ("SrMoO3", 5),
    "24_k_cart.cif": ("CaRuO3", 5),
    "24_n_Pnma.cif": ("LaCrO3", 20),
    "POSCAR_q2_v4_names": ("CaZrO3", 5),
    "POSCAR_q4_slash": ("SrZrO3", 5),
    "a_base.cif": ("SrTiO3", 5),
    "b_three_blocks.cif#BaTiO3": ("BaTiO3", 5),
    "b_three_blocks.cif#CaTiO3": ("CaTiO3", 5),
    "b_three_blocks.cif#KTaO3": ("KTaO3", 5),
    "f_H_F_shared.cif": ("K5Mg5H12F3", 8),
    "g3_bom.cif": ("BaCeO3", 5),
    "g_latin1.cif": ("BaSnO3", 5),
    "h_D.cif": ("MgH2O2", 5),
    "i_esd_q.cif": ("TiPbO3", 5),
    "j_data_in_text.cif": ("BaHfO3", 5),
    "k_occ_over1.cif": ("Sr50Ca51Mn101O303", 6),
    "l_third_3digits.cif": ("NiH2O2", 5),
    "m3_spinel_Z.cif": ("ZnFe2O4", 56),
    "n_calcite_H.cif": ("CaCO3", 30),
    "r2_txt.cif.txt": ("SrTiO3", 5),
    "r_zipped.cif.gz": ("SrTiO3", 5),
}
_LEFT_OUT = {
    "24_h_Li_missing.cif": "no site for Li",
    "POSCAR_q_v4": "no line of symbols",
    "c_gypsum_noH.cif": "no site for H",
    "e_icsd_attachedH.cif": "no site for H",
    "n3_nosym.cif": "no readable symmetry",
    "n4_badsym.cif": "'R-3cH (No. 167)' cannot be read",
    "o_OH_label.cif": "no site for H",
    "p2_X.cif": "unknown species 'X'",
    "p_vacancy.cif": "unknown species 'Vac'",
}


@pytest.fixture(scope="module")
def cases(snapshot_path: Path) -> Path:
    """The folder of cases, beside that of the snapshot."""
    folder = snapshot_path.parents[1] / "cases"
    if not folder.is_dir():
        absent(f"no cases at {folder}")
    return folder


@pytest.mark.snapshot
def test_structures(cases: Path) -> None:
    source = FilesSource(cases / "structures")
    entries = list(source)
    assert len(source) == len(entries)
    failed = {entry.name: entry.reason for entry in entries if isinstance(entry, ReadFailure)}
    found = {
        entry.material_id: (entry.crystal.formula.reduced, len(entry.crystal.atomic_numbers))
        for entry in entries
        if not isinstance(entry, ReadFailure)
    }
    assert found == _READ
    assert failed.keys() == _LEFT_OUT.keys()
    for name, reason in _LEFT_OUT.items():
        assert reason in failed[name]


@pytest.mark.snapshot
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("structures_caps.csv", "mp-0"),
        ("structures_windows.csv", "mp-0"),
        ("structures_jarvis.jsonl", "JVASP-0"),
        ("structures_optimade.jsonl", "0"),
    ],
)
def test_tables_of_structures(cases: Path, name: str, first: str) -> None:
    records = list(FilesSource(cases / "tables" / name))
    assert not [entry for entry in records if isinstance(entry, ReadFailure)]
    assert [entry.crystal.formula.reduced for entry in records] == ["SrTiO3", "BaTiO3", "KTaO3"]  # type: ignore[union-attr]
    assert records[0].material_id == first  # type: ignore[union-attr]


@pytest.mark.snapshot
@pytest.mark.parametrize(
    ("name", "formulas"),
    [
        ("composition.csv", ["SrTiO3"]),
        ("semicolon_caps.csv", ["SrTiO3", "BaTiO3"]),
        ("spaced_header.csv", [" SrTiO3"]),
        ("utf16.csv", ["SrTiO3", "BaTiO3"]),
    ],
)
def test_tables_of_formulas(cases: Path, name: str, formulas: list[str]) -> None:
    assert [text for _, text in read_formulas(cases / "tables" / name)] == formulas
