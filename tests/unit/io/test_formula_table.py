"""Tables of formulas as spreadsheets and programs write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.errors import SourceError
from deepxrd.io.formula_table import read_formulas


def written(folder: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize(
    "header",
    [
        "formula",
        "Formula",
        "FORMULA",
        " formula ",
        "composition",
        "Composition",
        "pretty_formula",
        "Reduced Formula",
        "chemical formula",
        "formula_pretty",
        '"formula"',
        "Pretty-Formula",
    ],
)
def test_headers(header: str, tmp_path: Path) -> None:
    assert list(read_formulas(written(tmp_path, f"{header}\nSrTiO3\n"))) == [(2, "SrTiO3")]
    assert list(read_formulas(written(tmp_path, f"id;{header};x\r\n1;SrTiO3;2\r\n"))) == [(2, "SrTiO3")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("encoding", "ending"),
    [
        ("utf-8", "\n"),
        ("utf-8-sig", "\r\n"),
        ("utf-16", "\n"),
        ("utf-16-le", "\r\n"),
        ("cp1252", "\n"),
        ("utf-8", "\r"),
    ],
)
def test_separators_encodings_and_line_ends(separator: str, encoding: str, ending: str, tmp_path: Path) -> None:
    rows = [["name", "formula"], ["Bournonit\u00e4", "SrTiO3"], ["b", "CuSO4\u00b75H2O"]]
    text = ending.join(separator.join(row) for row in rows) + ending
    found = list(read_formulas(written(tmp_path, text, encoding)))
    assert found == [(2, "SrTiO3"), (3, "CuSO4\u00b75H2O")]


def test_the_best_name_is_taken_and_what_was_typed_is_kept_as_it_was(tmp_path: Path) -> None:
    assert list(read_formulas(written(tmp_path, "pretty_formula, formula \nx, SrTiO3\n"))) == [(2, " SrTiO3")]
    assert list(read_formulas(written(tmp_path, "Formula,formula\na,b\n"))) == [(2, "b")]


def test_excels_line_of_the_separator_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    assert list(read_formulas(written(tmp_path, "sep=;\n\nid;formula\n1;NaCl\n"))) == [(4, "NaCl")]


def test_two_columns_of_formulas_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"t\.csv: 2 columns are called 'formula'"):
        list(read_formulas(written(tmp_path, "Formula,FORMULA\na,b\n")))
    with pytest.raises(SourceError, match="2 columns are called 'formula'"):
        list(read_formulas(written(tmp_path, "formula,formula\na,b\n")))


def test_other_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column 'formula'.*its columns are a, b"):
        list(read_formulas(written(tmp_path, "a;b\n1;2\n")))
    with pytest.raises(SourceError, match="its columns are none"):
        list(read_formulas(written(tmp_path, "\n\n")))


def test_a_huge_cell_is_a_row_like_any_other(tmp_path: Path) -> None:
    found = list(read_formulas(written(tmp_path, "formula\nNaCl\n" + "F" * 200_000 + "\nSrTiO3\n")))
    assert [line for line, _ in found] == [2, 3, 4]
    assert found[2] == (4, "SrTiO3")


@pytest.mark.parametrize("name", ["formula", "Formula", " Composition"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet(name: str, kind: pa.DataType, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2], name: pa.array(["SrTiO3", None]).cast(kind)}), tmp_path / "T.PARQUET")
    assert list(read_formulas(tmp_path / "T.PARQUET")) == [(1, "SrTiO3"), (2, "")]


@given(st.binary(max_size=120))
def test_any_bytes_are_a_table_or_refused(tmp_path: Path, content: bytes) -> None:
    for head in (b"", b"formula\n", b"a;formula\n"):
        try:
            rows = list(read_formulas(written(tmp_path, head + content)))
        except SourceError:
            continue
        assert all(isinstance(text, str) for _, text in rows)


@pytest.mark.parametrize("end", ["", "\n", "NaCl,7\n"])
def test_a_quotation_mark_that_is_never_closed_hides_nothing(tmp_path: Path, end: str) -> None:
    """The rest of a table was one cell, and was gone without a word."""
    table = tmp_path / "open.csv"
    table.write_text('sep=,\nformula,note\nSrTiO3,"two\nlines"\nMgO,"see Fig. 3\nCaO,\nBaO,' + end)
    with pytest.raises(SourceError, match="opened in the row of line 5 and never closed"):
        list(read_formulas(table))
    table.write_text('formula,note\nSrTiO3,"two\nlines"\nMgO,5" pipe\nCaO,"a ""b"" c"\n')
    assert list(read_formulas(table)) == [(2, "SrTiO3"), (4, "MgO"), (5, "CaO")]


def test_a_packed_table_is_told_by_what_it_is(tmp_path: Path) -> None:
    """Its bytes were shown as names of columns, control characters and all."""
    table = tmp_path / "table.csv.gz"
    table.write_bytes(gzip.compress(b"formula\nNaCl\n"))
    with pytest.raises(SourceError, match=r"table\.csv\.gz is packed by gzip: unpack it; needed is a CSV"):
        list(read_formulas(table))
