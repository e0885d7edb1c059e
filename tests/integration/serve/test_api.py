"""The REST API of a running server, asked as a program would."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepxrd.chem import parse_formula
from deepxrd.library import SHIPPED, Library
from deepxrd.prediction.known import view
from deepxrd.scans.read import read_scan
from deepxrd.serve.examples import example, examples
from deepxrd.xrd import simulate
from live_server import LiveServer

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ROUNDED = 0.0051
"""Of 100: intensities are sent with two decimals."""


def predict(server: LiveServer, *formulas: str, **settings: object) -> list[dict]:
    answer = server.client.post("/api/predict", json={"formulas": list(formulas), **settings})
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def test_known_phases_have_the_patterns_of_the_library(server: LiveServer) -> None:
    [answer] = predict(server, "SrTiO3")
    known = {each["name"]: each for each in answer["known"]}
    library = Library.open(SHIPPED)
    rows = library.find_formula(parse_formula("SrTiO3"))
    patterns, _ = simulate(library.crystals(rows), view(range_deg=(5, 90), width_deg=0.1))
    assert answer["n_known"] == len(rows) == len(known)
    for name, pattern in zip(library.ids(rows), patterns, strict=True):
        np.testing.assert_allclose(known[name]["intensity"], pattern, atol=ROUNDED, err_msg=name)


def test_candidates_have_probabilities_cells_and_cifs(server: LiveServer) -> None:
    [answer] = predict(server, "SrTiO3")
    chances = [each["probability"] for each in answer["candidates"]]
    assert chances == sorted(chances, reverse=True)
    assert 0 <= sum(chances) + answer["none_of_them"] <= 1.001
    assert all("PREDICTED, not measured" in each["cif"] for each in answer["candidates"])
    assert (answer["crystal_system"], answer["space_groups"][0]["symbol"]) == ("cubic", "P m -3 m")
    groups = [each["probability"] for each in answer["space_groups"]]
    assert groups == sorted(groups, reverse=True)
    assert sum(groups) <= 1.001
    cubic = next(each for each in answer["known"] if each["space_group"] == 221)
    # a = 3.913 Å in the library: 1 1 0 at d = a/√2, the strongest line of the perovskite
    strongest = max(cubic["lines"], key=lambda line: line[1])
    assert strongest[3] == "1 1 0"
    assert strongest[2] == pytest.approx(cubic["cell"][0] / 2**0.5, abs=2e-4)


def test_radiation_range_and_width_are_as_asked_for(server: LiveServer) -> None:
    [answer] = predict(server, "NaCl", radiation="MoKa", first_deg=10, last_deg=40, width_deg=0.2)
    assert answer["wavelength_angstrom"] == 0.71073
    assert (answer["pattern"]["first_deg"], answer["pattern"]["last_deg"]) == (10, 40)
    lines = answer["known"][0]["lines"]
    assert all(10 <= line[0] <= 40 for line in lines)
    angle, _, d, _ = lines[0]
    assert 2 * d * np.sin(np.radians(angle / 2)) == pytest.approx(0.71073, abs=1e-4)


def test_a_structure_without_a_line_in_range_says_so(server: LiveServer) -> None:
    [nothing] = predict(server, "SrTiO3", first_deg=5, last_deg=6)
    [all_of_it] = predict(server, "SrTiO3")
    for part in ("known", "candidates"):
        assert not any(nothing[part][0]["intensity"])
        assert nothing[part][0]["no_pattern"] == "no reflection within the range"
        assert all_of_it[part][0]["no_pattern"] is None


def test_what_was_typed_stays_beside_what_was_understood(server: LiveServer) -> None:
    first, second = predict(server, "PbCrO4", "CrPbO4")
    assert (first["typed"], second["typed"]) == ("PbCrO4", "CrPbO4")
    assert {**first, "typed": ""} == {**second, "typed": ""}
    assert predict(server, "KNBO3")[0]["hint"] == "KNbO3"


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"formulas": ["Xx2O3"]}, "Xx"),
        ({"formulas": ["SIO2"]}, "did you mean SiO2"),
        ({"formulas": []}, "at least 1"),
        ({"formulas": ["NaCl"] * 9}, "at most 8"),
        ({"formulas": ["NaCl"], "radiation": "0.15418"}, "nm"),
        ({"formulas": ["NaCl"], "first_deg": 90, "last_deg": 5}, "2θ"),
        ({"formulas": ["NaCl"], "width_deg": 0.011, "last_deg": 180}, "points"),
        ({"formulas": ["NaCl"], "first_deg": "NaN"}, "first_deg"),
        ({"formulas": ["NaCl"], "checkpoint": "x"}, "checkpoint"),
        ({"formulas": [["NaCl"]]}, "string"),
        (["NaCl"], "send a JSON object"),
    ],
)
def test_what_cannot_be_predicted_is_said_in_a_sentence(server: LiveServer, question: object, says: str) -> None:
    answer = server.client.post("/api/predict", json=question)
    assert answer.status_code == 422
    assert says in answer.json()["error"]


@pytest.mark.parametrize("typed", ["S1I1O2", "C1S"])
def test_the_way_out_that_a_refusal_names_is_answered(server: LiveServer, typed: str) -> None:
    """It was understood as ``SIO2``, which a worker then refused for a slip."""
    (answer,) = predict(server, typed)
    assert answer["formula"] == str(parse_formula(typed))


def test_a_formula_is_understood_while_it_is_typed(server: LiveServer) -> None:
    def ask(text: str) -> dict:
        return server.client.get("/api/formula", params={"text": text}).json()

    assert ask("CaSO4·2H2O")["formula"] == "CaH4SO6"
    assert ask("SrTiO3")["known"] >= 1
    assert ask("KNBO3")["hint"] == "KNbO3"
    assert "Sr2TiO4" in ask("SrTiO3")["others"]
    assert "SrTiO3" not in ask("SrTiO3")["others"]
    assert ask("Sr(Ti")["formula"] is None
    assert "bracket" in ask("Sr(Ti")["message"]


def test_an_example_is_read_matched_and_reported(server: LiveServer) -> None:
    scan = server.client.post("/api/scan", data={"example_name": "rock"}).json()
    assert scan["format"] == "PANalytical XRDML"
    path, _ = example("rock")
    assert scan["points"]["counts"] == pytest.approx(read_scan(path).counts.tolist(), abs=1e-3)
    answer = server.client.post("/api/match", data={"example_name": "rock", "formulas": "SiO2, NaCl"}).json()
    assert answer["phases"][0]["formula"] == "SiO2"
    assert answer["phases"][0]["space_group"] == 152  # quartz
    assert answer["phases"][0]["cell"]["a_angstrom"] == pytest.approx(4.913, abs=0.005)  # Kihara 1990: 4.9137 Å
    curves = answer["curves"]
    assert len({len(curves[name]) for name in ("two_theta_deg", "measured", "fit", "residual", "background")}) == 1
    measured, fit, rest = (np.array(curves[name], dtype=float) for name in ("measured", "fit", "residual"))
    np.testing.assert_allclose(measured - fit, rest, atol=0.02)
    kept = server.client.get(f"/api/matches/{answer['id']}")
    assert kept.json() == answer
    alone = server.client.post("/api/match", data={"example_name": "rock", "formulas": "SiO2"}).json()
    assert "only one formula was compared" in alone["notes"][-1]
    assert not any("only one formula" in note for note in answer["notes"])
    shown = server.client.get(f"/api/matches/{alone['id']}/report.html").text
    assert "<li>only one formula was compared" in shown
    page = server.client.get(f"/api/matches/{answer['id']}/report.html")
    assert answer["verdict"] in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("address", ["scan", "match", "jobs"])
def test_a_form_with_an_unknown_field_is_refused(server: LiveServer, address: str) -> None:
    data = {"max_phases": "9"}
    answer = server.client.post(f"/api/{address}", data=data, files={"file": ("a.csv", "formula\nNaCl\n")})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("there is no field 'max_phases': the fields are file")
    assert ("most_phases" in answer.json()["error"]) == (address == "match")


def test_a_film_has_no_confident_match(server: LiveServer) -> None:
    answer = server.client.post("/api/match", data={"example_name": "zno-film", "formulas": "ZnO"}).json()
    assert not answer["confident"]
    assert answer["verdict"].startswith("no confident match")


def test_three_real_examples_ship_with_citation_and_licence() -> None:
    assert len(examples()) == 3
    for each in examples():
        assert each["citation"]
        assert each["licence"]
        assert len(read_scan(example(each["name"])[0]).counts) > 1000


TABLE = "formula,what\nSrTiO3,a\n=cmd|' /C calc'!A0,b\nPbCrO4,c\nNaCl,d\nXx,e\n"


def test_a_table_is_screened_sorted_filtered_and_had_as_files(server: LiveServer) -> None:
    job = server.client.post("/api/jobs", files={"file": ("../../my <b>table</b>.csv", TABLE)}).json()
    assert job["name"] == "my <b>table<" or "/" not in job["name"]
    done = server.wait_for_job(job["id"])
    assert (done["state"], done["n_rows"], done["n_done"], done["n_skipped"]) == ("done", 5, 5, 2)

    def rows(**asked: object) -> dict:
        return server.client.post(f"/api/jobs/{job['id']}/rows", json=asked).json()

    by_density = rows(sort="density_g_per_cm3", descending=True)
    at = by_density["columns"].index("density_g_per_cm3")
    densities = [row[at] for row in by_density["rows"]]
    assert densities == sorted(densities, reverse=True)
    assert [row[1] for row in rows(contains="pbcr")["rows"]] == ["PbCrO4"]
    assert rows(least={"density_g_per_cm3": 5.0})["n_rows"] == sum(value >= 5 for value in densities)
    assert "no column" in rows(sort="no_such")["error"]
    assert "no numbers" in rows(least={"typed": 1})["error"]
    files = f"/api/jobs/{job['id']}/files"
    parquet = pd.read_parquet(io.BytesIO(server.client.get(f"{files}/results.parquet").content))
    table = pd.read_csv(io.BytesIO(server.client.get(f"{files}/results.csv").content))
    assert parquet["typed"].tolist() == table["typed"].tolist() == ["SrTiO3", "PbCrO4", "NaCl"]
    assert len(parquet["expected"][0]) == 1024
    assert "expected" not in table.columns
    skipped = server.client.get(f"{files}/skipped.csv").text
    assert "'=cmd" in skipped  # not taken for a formula by a spreadsheet
    assert server.client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert server.client.get(f"/api/jobs/{job['id']}").status_code == 404
    assert server.client.get(f"{files}/results.csv").status_code == 404


def test_a_table_without_formulas_is_done_as_by_the_command(server: LiveServer) -> None:
    job = server.client.post("/api/jobs", files={"file": ("empty.csv", "formula,what\n")}).json()
    done = server.wait_for_job(job["id"])
    assert (done["state"], done["n_rows"], done["message"]) == ("done", 0, "empty.csv holds no formulas")
    assert server.client.post(f"/api/jobs/{job['id']}/rows", json={}).json()["rows"] == []


def test_a_damaged_parquet_is_not_read_as_text(server: LiveServer) -> None:
    job = server.client.post("/api/jobs", files={"file": ("bad.parquet", "formula\nx\n")}).json()
    done = server.wait_for_job(job["id"])
    assert done["state"] == "failed"
    assert done["message"].startswith("bad.parquet cannot be read as a table: ")


def test_a_screening_can_be_cancelled(server: LiveServer) -> None:
    table = "formula\n" + "".join(f"SrTi{n}O{n + 2}\n" for n in range(1, 400))
    job = server.client.post("/api/jobs", files={"file": ("long.csv", table)}).json()
    cancelled = server.client.post(f"/api/jobs/{job['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert predict(server, "MgO")  # the worker is free again
    assert server.client.get(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
    server.client.delete(f"/api/jobs/{job['id']}")


def test_the_documentation_of_the_api_is_whole_and_needs_no_internet(server: LiveServer) -> None:
    described = server.client.get("/api/openapi.json").json()
    assert {"/api/predict", "/api/scan", "/api/match", "/api/jobs"} <= set(described["paths"])
    for path, methods in described["paths"].items():
        for method, details in methods.items():
            assert details["summary"], (path, method)
    page = server.client.get("/docs.html").text
    assert "http://" not in page
    assert "https://" not in page
    json.dumps(described)


def test_the_client_of_the_examples_asks_for_all(server: LiveServer, tmp_path: Path) -> None:
    found = importlib.util.spec_from_file_location("serve_client", EXAMPLES / "serve_client.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    client = module.Client(server.address)
    assert client.predict("MgO", radiation="Mo")[0]["wavelength_angstrom"] == 0.71073
    assert client.match(example("rock")[0], formulas="SiO2,MgO")["phases"][0]["formula"] == "SiO2"
    (tmp_path / "t.csv").write_text("formula\nMgO\n")
    assert client.screen(tmp_path / "t.csv").decode().splitlines()[1].split(",")[1] == "MgO"
    with pytest.raises(SystemExit, match="Xx"):
        client.predict("Xx")


def test_the_dockerfile_names_what_is_there() -> None:
    text = (EXAMPLES.parent / "Dockerfile").read_text()
    left_out = (EXAMPLES.parent / ".dockerignore").read_text().split()
    copied = [
        word
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert {"src", "conf", "pyproject.toml", "constraints.txt"} <= set(copied)
    assert all((EXAMPLES.parent / name).exists() and name not in left_out for name in copied)
    assert text.count("\nFROM ") == 2
    assert "\nUSER deepxrd\n" in text
    assert "torch==" in (EXAMPLES.parent / "constraints.txt").read_text()


def test_a_request_that_cannot_be_read_is_refused_by_a_sentence(server: LiveServer) -> None:
    def said(method: str, path: str, **body: object) -> tuple[int, str]:
        answer = server.client.request(method, path, **body)
        return answer.status_code, answer.json()["error"]

    json_header = {"Content-Type": "application/json"}
    assert said("POST", "/api/predict", content='{"formulas": [', headers=json_header) == (
        422,
        "the body is no JSON: Expecting value at character 14",
    )
    assert said("POST", "/api/predict", json={}) == (422, "the field 'formulas' is missing: give it; see /docs.html")
    assert said("POST", "/api/predict", json=[1])[1].startswith("the body cannot be used: send a JSON object")
    assert said("POST", "/api/predict")[1].startswith("the body is missing: send a JSON object")
    asked = {"formulas": ["NaCl"]}
    assert said("POST", "/api/predict", json={**asked, "widht": 1})[1].startswith("there is no field 'widht'")
    assert said("POST", "/api/predict", json={**asked, "width_deg": 0}) == (
        422,
        "the field 'width_deg' cannot be used: input should be greater than 0",
    )


def test_an_address_says_which_method_it_takes(server: LiveServer) -> None:
    answer = server.client.get("/api/predict")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json() == {"error": "GET is not for /api/predict: send POST"}
    answer = server.client.post("/api/jobs/abc")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET")
    answer = server.client.get("/api/nothing")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no /api/nothing: see /docs.html"})
