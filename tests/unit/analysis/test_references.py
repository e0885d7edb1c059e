import csv
from pathlib import Path
from typing import Any

import pytest

from deepxrd.analysis.references import is_papers, reference_rows, substitution_row
from deepxrd.chem import OneHotEncoding
from deepxrd.data import BuildOptions, Selection, Split, ensure_store, statement
from deepxrd.sources import FilesSource
from deepxrd.xrd import XrdSettings

PAPERS: dict[str, Any] = {
    "database": "Materials Project", "selection": {"n_elements": 3, "stoichiometry": "ABC3"}, "paper_encoding": True,
    "xrd": XrdSettings().to_dict(), "split": Split().to_dict(), "n_samples": 2545, "samples": "5a",
}  # fmt: skip
_RESULTS = Path(__file__).resolve().parents[3] / "results"


def test_the_papers_data_are_known_by_what_they_are() -> None:
    assert is_papers(PAPERS, "abc3")
    assert not is_papers(PAPERS, "ternary")
    every = {**PAPERS, "selection": {"n_elements": 3, "stoichiometry": None}, "n_samples": 37_201}
    assert is_papers(every, "ternary")
    assert not is_papers(every, "abc3")
    assert is_papers({**PAPERS, "xrd": XrdSettings(engine="pymatgen").to_dict()}, "abc3")
    assert is_papers({**PAPERS, "xrd": XrdSettings(sigma_deg=0.0).to_dict()}, "abc3")  # it gives no width
    assert not is_papers(None, "abc3")


@pytest.mark.parametrize(
    "change",
    [
        {"database": None},
        {"selection": {"n_elements": 3, "stoichiometry": "AB2C4"}},
        {"paper_encoding": False},
        {"xrd": XrdSettings(two_theta_max_deg=90).to_dict()},
        {"xrd": XrdSettings(radiation="MoKa").to_dict()},
        {"xrd": XrdSettings(sigma_deg=2.0).to_dict()},
        {"split": Split(by="chemical_system").to_dict()},
        {"n_samples": 300},
    ],
)
def test_data_that_differ_in_anything_are_not_the_papers(change: dict[str, Any]) -> None:
    assert not is_papers({**PAPERS, **change}, "abc3")


def test_reference_scores_are_those_that_were_measured_on_the_same_test_part() -> None:
    for row, name in zip(reference_rows(), ("abc3", "ternary"), strict=True):
        with (_RESULTS / f"baselines-{name}.csv").open(encoding="utf-8") as stream:
            measured = next(each for each in csv.DictReader(stream) if each["model"] == "substitution")
        assert row["substitution"] == {key: float(measured[key]) for key in row["substitution"]}
        assert row["split"] == Split().to_dict()


def test_structures_of_no_database_are_told_as_such_whatever_the_data_set_is_called(
    perovskite_source: FilesSource, tmp_path: Path
) -> None:
    store = ensure_store(
        perovskite_source, Selection(3, "ABC3", OneHotEncoding()), XrdSettings(), root=tmp_path,
        options=BuildOptions(n_jobs=1),
    )  # fmt: skip
    said = statement(store, Split(seed=3))
    assert said["database"] is None
    assert (said["n_samples"], said["split"]["seed"], said["paper_encoding"]) == (36, 3, True)
    assert substitution_row(said) is None
    assert not is_papers(said, "abc3")
