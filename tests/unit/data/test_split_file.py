from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepxrd.data.split import NO_PART, Split, refuse_other_split
from deepxrd.data.split_file import read_parts
from deepxrd.errors import ConfigError, SourceError

ROWS = [("SrTiO3", "train"), ("CaTiO3", "Valid"), ("TiBaO3", "TEST")]


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_table_of_formulas(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", "part;reduced formula", *(f"{part};{formula}" for formula, part in ROWS))
    parts = read_parts(file).assign(["BaTiO3", "CaTiO3", "SrTiO3", "EuTiO3"], ["1", "2", "3", "4"], none=NO_PART)
    assert parts.tolist() == ["test", "val", "train", NO_PART]


def test_ids_decide_and_a_composition_in_one_part_stands_in_for_an_id_that_is_not_there(tmp_path: Path) -> None:
    header = "material_id,pretty_formula"
    write(tmp_path / "train.csv", header, "mp-1,SrTiO3", "mp-2,CaTiO3")
    write(tmp_path / "val.csv", header, "mp-3,SrTiO3")
    write(tmp_path / "test.csv", header, "mp-4,BaTiO3")
    parts = read_parts(tmp_path)
    compositions, ids = ["SrTiO3", "SrTiO3", "SrTiO3", "CaTiO3"], ["mp-3", "mp-1", "mp-9", "mp-9"]
    assert parts.assign(compositions, ids, none=NO_PART).tolist() == ["val", "train", NO_PART, "train"]


@given(order=st.permutations(ROWS))
def test_the_hash_is_of_what_is_assigned_not_of_how_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("hash")
    one = write(folder / "one.csv", "formula,part", *(",".join(row) for row in ROWS))
    other = write(folder / "other.csv", "part\tcomposition", *("\t".join(row[::-1]) for row in order))
    assert read_parts(one).hash == read_parts(other).hash
    assert read_parts(write(folder / "third.csv", "formula,part", "SrTiO3,val")).hash != read_parts(one).hash


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["formula,part", "SrTiO3,train", "TiSrO3,test"],
            r"SrTiO3 is in train \(x\.csv, line 2\) and in test \(x",
        ),
        (["material_id,part", "a,train", "a,val"], "a is in train"),
        (["formula,part", "SrTiO3,trian"], "line 2: 'trian' is no part; write train, val or test"),
        (["formula,part", "Xx3,train"], "line 2: "),
        (["formula", "SrTiO3"], "no column 'part'"),
        (["a,part", "1,train"], "neither a column 'formula' nor 'material_id'"),
        (["formula,part"], "names no sample"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_parts(write(tmp_path / "x.csv", *lines))


def test_a_folder_needs_three_tables_and_a_file_must_be_there(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "formula", "SrTiO3")
    with pytest.raises(SourceError, match=r"one table for val, such as val\.csv; found: none"):
        read_parts(tmp_path)
    with pytest.raises(SourceError, match="no such file"):
        read_parts(tmp_path / "nowhere.csv")


def test_a_file_and_by_file_belong_together(tmp_path: Path) -> None:
    for wrong in ({"by": "file"}, {"file": "x.csv"}):
        with pytest.raises(ConfigError, match="belong together"):
            Split(**wrong)
    assert "file" not in Split().to_dict()
    file = write(tmp_path / "x.csv", "formula,part", "SrTiO3,train")
    assert Split(by="file", file=str(file)).to_dict() == {"by": "file", "file": f"parts:{read_parts(file).hash}"}


def test_a_run_that_was_made_with_a_file_is_held_to_what_it_assigned(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", "formula,part", "SrTiO3,train")
    before = Split(by="file", file=str(file)).to_dict()
    refuse_other_split(before, Split(by="file", file=str(file)), where="run")
    write(file, "formula,part", "SrTiO3,test")
    with pytest.raises(ConfigError, match=r"data\.split\.file was parts:\w+ and is now parts:\w+"):
        refuse_other_split(before, Split(by="file", file=str(file)), where="run")


def test_a_note_of_a_run_that_names_a_file_is_not_followed(tmp_path: Path) -> None:
    file = write(tmp_path / "secret.csv", "formula,part", "SrTiO3,train")
    with pytest.raises(ConfigError, match="must have the hash"):
        refuse_other_split({"by": "file", "file": str(file)}, Split(), where="theirs")
