from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.chem import Crystal
from deepxrd.errors import SourceError
from deepxrd.sources.poscar import TITLE_REMARK, read_poscar

_SITES = "0 0 0\n0.5 0.5 0.5\n0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5"
_CUBE = "3.905 0 0\n0 3.905 0\n0 0 3.905"


def poscar(
    symbols: str = "Sr Ti O",
    counts: str = "1 1 3",
    *,
    title: str = "x",
    scale: str = "1.0",
    vectors: str = _CUBE,
    kind: str = "Direct",
    sites: str = _SITES,
) -> str:
    head = [title, scale, vectors, *([symbols] if symbols else []), counts]
    return "\n".join([*head, kind, sites]) + "\n"


def formula(text: str) -> str:
    return read_poscar(text)[0].formula.reduced


@pytest.mark.parametrize("symbols", ["Sr Ti O", "Sr_sv Ti_pv O_s", "Sr/1a2b3c Ti/4d5e6f O/7a8b9c", "Sr_sv/abc Ti O_h"])
def test_symbols_as_vasp_writes_them(symbols: str) -> None:
    assert formula(poscar(symbols)) == "SrTiO3"


def test_scale_volume_and_cartesian_coordinates(triclinic: Crystal) -> None:
    written = triclinic.to_pymatgen().to(fmt="poscar")
    crystal, remarks = read_poscar(written)
    assert remarks == ()
    np.testing.assert_allclose(crystal.volume, triclinic.volume, rtol=1e-6)
    lines = written.splitlines()
    lines[1] = "2.0"
    assert read_poscar("\n".join(lines))[0].volume == pytest.approx(8 * triclinic.volume, rel=1e-6)
    lines[1] = "-500"
    assert read_poscar("\n".join(lines))[0].volume == pytest.approx(500)
    cartesian = poscar(
        kind="cart", sites="0 0 0\n.5 .5 .5\n.5 .5 0\n.5 0 .5\n0 .5 .5", vectors="1 0 0\n0 1 0\n0 0 1", scale="3.9"
    )
    np.testing.assert_allclose(read_poscar(cartesian)[0].frac_coords[1], 0.5)
    assert formula(poscar(kind="Selective dynamics\nDirect")) == "SrTiO3"
    assert formula(poscar(sites=_SITES + "\n\n0 0 0\n0 0 0")) == "SrTiO3", "velocities may follow"


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Ca Zr O", "CaZrO3"),
        ("perovskite cell from run 12", None),
        ("CaZrO3", None),
        ("Ca Zr", None),
        ("Ca Zr O F", None),
        ("O O O", None),
        ("", None),
        ("a b c", None),
    ],
)
def test_without_symbols_only_a_plain_title_counts(title: str, found: str | None) -> None:
    text = poscar("", title=title)
    if found is None:
        with pytest.raises(SourceError, match=r"VASP 4|a POSCAR has"):
            read_poscar(text)
    else:
        crystal, remarks = read_poscar(text)
        assert crystal.formula.reduced == found
        assert remarks == (TITLE_REMARK,)


def test_symbols_behind_the_coordinates_are_taken() -> None:
    behind = "\n".join(
        f"{line} {symbol}" for line, symbol in zip(_SITES.split("\n"), ["Sr", "Ti", "O", "O", "O"], strict=True)
    )
    assert formula(poscar("", title="no names", sites=behind)) == "SrTiO3"
    mixed = "\n".join(
        f"{line} {symbol}" for line, symbol in zip(_SITES.split("\n"), ["Sr", "Ti", "O", "O", "F"], strict=True)
    )
    with pytest.raises(SourceError, match="VASP 4"):
        read_poscar(poscar("", title="no names", sites=mixed))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"symbols": "Sr Vac O"}, "unknown species 'Vac'"),
        ({"symbols": "Sr X O"}, "unknown species 'X'"),
        ({"symbols": "Sr Ti"}, "2 symbols .* but 3 counts"),
        ({"counts": "1 1 x"}, "line 7 is no list of counts"),
        ({"counts": "1 1 4"}, "6 atoms are counted, but there are coordinates of 5"),
        ({"counts": "1 1 99999999"}, "more than the 100,000"),
        ({"scale": "zero"}, "line 2 is no scale"),
        ({"scale": "0"}, "line 2 is no scale"),
        ({"vectors": "1 0 0\n0 1\n0 0 1"}, "three vectors"),
        ({"vectors": "1 0 0\n2 0 0\n0 0 1"}, "make no cell"),
        ({"kind": "Fractional"}, "neither 'Direct' nor 'Cartesian'"),
        ({"sites": "0 0 0\na b c\n0 0 0\n0 0 0\n0 0 0"}, "is no number"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_poscar(poscar(**changes))


@given(st.text(max_size=60), st.integers(0, 120), st.integers(0, 8))
def test_any_text_is_read_or_refused(text: str, at: int, cut: int) -> None:
    whole = poscar()
    for broken in (text, whole[:at] + text + whole[at + cut :]):
        try:
            crystal, _ = read_poscar(broken)
        except SourceError:
            continue
        crystal.why_unusable()
