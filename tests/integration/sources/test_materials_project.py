"""Fetching from the Materials Project's own server code: what arrives, what is written, and what goes wrong loudly."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emmet.core.types.typing import format_identifier
from faults import Fault
from fetching import Server, mp_source, records
from mp_server import (
    GOOD_KEY,
    N_ABC3,
    N_ALL,
    N_TERNARY,
    NC_KEY,
    VERSION,
    build_documents,
    created_at,
    energy_above_hull,
    is_theoretical,
)  # fmt: skip
from pymatgen.core import Structure

from deepxrd.errors import DeepXRDError, SourceError
from deepxrd.sources import ReadFailure, page_cache
from deepxrd.sources.materials_project import MaterialsProjectSource
from deepxrd.sources.mp_client import day_of
from deepxrd.sources.plain_structures import crystal_from_pymatgen_dict
from deepxrd.sources.retry import TransientError


def test_all_ternaries(mp: Server, tmp_path: Path) -> None:
    made = mp_source(mp, tmp_path)
    found = records(made)
    assert len(found) == len(made) == N_TERNARY
    assert found[0].material_id == "mp-1000"
    assert found[0].crystal.formula.anonymous == "ABC3"
    assert found[0].formation_energy_per_atom == pytest.approx(-3.5)
    assert found[0].provenance == {"database": f"Materials Project {VERSION}", "license": "BY-C", "icsd": "True"}
    assert len({record.material_id for record in found}) == N_TERNARY
    assert [record.material_id for record in made.at({3, 0})] == [found[0].material_id, found[3].material_id]
    assert mp.app.requests("_page") == 3  # one request a page, no more


@pytest.mark.parametrize("stoichiometry", ["ABC3", "A3BC", "ABX3", "A2B2C6"])
def test_one_stoichiometry(mp: Server, tmp_path: Path, stoichiometry: str) -> None:
    found = records(mp_source(mp, tmp_path, stoichiometry))
    assert len(found) == N_ABC3
    assert {record.crystal.formula.anonymous for record in found} == {"ABC3"}


def test_any_number_of_elements_comes_with_energies_above_the_hull(mp: Server, tmp_path: Path) -> None:
    made = mp_source(mp, tmp_path, num_elements=None, dates=True)
    found = records(made)
    assert len(found) == len(made) == N_ALL
    assert {len(record.crystal.formula.elements) for record in found} == {2, 3}
    assert [record.energy_above_hull for record in found] == [energy_above_hull(i) for i in range(N_ALL)]
    assert [record.provenance["icsd"] for record in found] == [str(not is_theoretical(i)) for i in range(N_ALL)]
    assert sum("created_at" in record.provenance for record in found) > N_ALL - 5
    (manifest,) = tmp_path.rglob("manifest.json")
    assert json.loads(manifest.read_text())["count_before"] == N_ALL


@pytest.mark.parametrize(("numbers", "n"), [([2], N_ALL - N_TERNARY), ([2, 3], N_ALL), ((3, 4, 5), N_TERNARY)])
def test_several_numbers_of_elements(mp: Server, tmp_path: Path, numbers: Sequence[int], n: int) -> None:
    found = records(mp_source(mp, tmp_path, num_elements=numbers))
    assert len(found) == n
    assert {len(record.crystal.formula.elements) for record in found} <= set(numbers)


@pytest.mark.parametrize(("numbers", "told"), [([2, 4], "in a row only"), ([], "no number"), (0, "no number")])
def test_numbers_of_elements_that_cannot_be_asked_for(tmp_path: Path, numbers: Any, told: str) -> None:
    with pytest.raises(DeepXRDError, match=told):
        MaterialsProjectSource(cache_dir=tmp_path, num_elements=numbers)


def test_the_day_of_each_entry_is_fetched_where_it_is_asked_for(mp: Server, tmp_path: Path) -> None:
    made = mp_source(mp, tmp_path, dates=True)
    assert made.no_dates is None
    found = {record.material_id: record.provenance.get("created_at") for record in records(made)}
    expected = {}
    for document in build_documents():
        moment = created_at(document["material_id"])
        expected[format_identifier(document["material_id"], legacy=True)] = moment and moment.date().isoformat()
    assert found == {name: expected[name] for name in found}
    assert 0 < sum(day is None for day in found.values()) < 5
    assert len(set(found.values())) > 5
    without = mp_source(mp, tmp_path)
    assert without.query != made.query  # a download without dates does not do
    assert "source.dates=true" in str(without.no_dates)


def test_dates_that_come_short_once_are_asked_for_again(mp: Server, tmp_path: Path) -> None:
    whole = records(mp_source(mp, tmp_path / "whole", dates=True))
    mp.app.faults = [Fault("short", path="/materials/provenance", options={"n": 4})]
    found = records(mp_source(mp, tmp_path / "short", dates=True))
    assert [record.provenance for record in found] == [record.provenance for record in whole]
    assert mp.app.faults[0].times == 0


@pytest.mark.parametrize(
    ("moment", "day"), [("2011-05-13T14:21:50.000Z", "2011-05-13"), ({"$date": "2018-01-01T00:00:00Z"}, "2018-01-01")]
)
def test_moments_are_read_as_the_server_writes_them(moment: object, day: str) -> None:
    assert day_of(moment) == day


@pytest.mark.parametrize("moment", ["soon", 17, {"$date": 3}, "2011-13-40"])
def test_what_is_no_moment_is_asked_for_again(moment: object) -> None:
    with pytest.raises(TransientError, match="the time at which an entry was made"):
        day_of(moment)


def test_gnome_only_when_asked_for(mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_KEY", NC_KEY)
    made = mp_source(mp, tmp_path, include_gnome=True)
    assert len(made) == N_TERNARY + 1
    assert "GNoME" in made.citation
    (manifest,) = tmp_path.rglob("manifest.json")
    assert json.loads(manifest.read_text())["licenses"] == {"BY-C": N_TERNARY, "BY-NC": 1}


def test_manifest_says_what_was_fetched(mp: Server, tmp_path: Path) -> None:
    made = mp_source(mp, tmp_path)
    assert made.citation == "Jain et al., APL Materials 1, 011002 (2013), doi 10.1063/1.4812323"
    len(made)
    (path,) = tmp_path.rglob("manifest.json")
    manifest = json.loads(path.read_text())
    assert manifest["database_version"] == VERSION
    assert manifest["count_before"] == manifest["count_after"] == manifest["documents"] == manifest["unique_ids"] == 23
    assert manifest["licenses"] == {"BY-C": N_TERNARY}
    assert manifest["with_formation_energy"] == N_TERNARY
    assert manifest["query"]["search"] == {"deprecated": False, "include_gnome": False, "num_elements": 3}
    assert [page["documents"] for page in manifest["pages"]] == [10, 10, 3]
    assert made.citation.endswith(f"database {VERSION}, fetched {manifest['finished'][:10]}")
    assert made.fingerprint()["sha256"] == manifest["content_sha256"]


def test_complete_download_needs_no_key_and_no_server(
    mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mp_source(mp, tmp_path)
    names = [record.material_id for record in records(first)]
    monkeypatch.delenv("MP_API_KEY")
    mp.app.log.clear()
    again = mp_source(mp, tmp_path, page_size=7)
    assert [record.material_id for record in records(again)] == names
    assert again.fingerprint() == first.fingerprint()
    assert not mp.app.log


def test_content_hash_does_not_depend_on_the_page_size(mp: Server, tmp_path: Path) -> None:
    sizes = [mp_source(mp, tmp_path / str(size), page_size=size).fingerprint() for size in (5, 1000)]
    assert sizes[0] == sizes[1]


def test_refresh_asks_the_server_and_fetches_only_another_version(mp: Server, tmp_path: Path) -> None:
    len(mp_source(mp, tmp_path))
    mp.app.log.clear()
    len(mp_source(mp, tmp_path, refresh=True))
    assert mp.app.requests("_page") == 0
    mp.app.faults = [Fault("version", path="/heartbeat", times=99, options={"version": "2026.06.01"})]
    newer = mp_source(mp, tmp_path, refresh=True)
    assert newer.fingerprint()["database_version"] == "2026.06.01"
    assert mp.app.requests("_page") == 3
    assert mp_source(mp, tmp_path).fingerprint()["database_version"] in {VERSION, "2026.06.01"}


def test_records_equal_those_of_pymatgen(mp: Server, tmp_path: Path) -> None:
    made = mp_source(mp, tmp_path)
    for record, document in zip(records(made), made._complete.documents(), strict=True):
        expected = crystal_from_pymatgen_dict(Structure.from_dict(document["structure"]).as_dict())
        np.testing.assert_allclose(record.crystal.lattice, expected.lattice)
        np.testing.assert_array_equal(record.crystal.atomic_numbers, expected.atomic_numbers)
        np.testing.assert_allclose(record.crystal.frac_coords, expected.frac_coords)


def test_malformed_structure_is_named_and_the_rest_kept(mp: Server, tmp_path: Path) -> None:
    mp.app.faults = [Fault("malformed", at=10)]
    mp.app.edits["malformed"] = lambda content, _: content["data"][3]["structure"].pop("lattice")
    found = list(mp_source(mp, tmp_path))
    (failure,) = [entry for entry in found if isinstance(entry, ReadFailure)]
    assert failure.name == "mp-1091"
    assert "lattice" in failure.reason
    assert len(found) == N_TERNARY


def test_wrong_key_stops_at_once(mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_KEY", "z" * 32)
    with pytest.raises(SourceError, match=r"refused the key in MP_API_KEY.*https://materialsproject.org/api"):
        len(mp_source(mp, tmp_path))
    assert sum(path.startswith("/materials") for path, _ in mp.app.log) == 1


@pytest.mark.parametrize("key", ["", "  ", "short"])
def test_no_key_says_where_to_get_one(mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MP_API_KEY", key)
    with pytest.raises(SourceError, match=r"https://materialsproject.org/api.*source=optimade.*source=prototypes"):
        len(mp_source(mp, tmp_path))
    assert not mp.app.log


def test_key_reaches_no_file_no_log_and_no_message(
    mp: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    mp.app.faults = [Fault("status", at=10, times=2, options={"status": 500})]
    made = mp_source(mp, tmp_path)
    records(made)
    body = json.dumps({"detail": f"{'.' * 150} no use for {GOOD_KEY}"})  # as an echo of the request would have it
    mp.app.faults = [Fault("status", at=10, times=99, options={"status": 500, "body": body})]
    with pytest.raises(SourceError) as caught:
        len(mp_source(mp, tmp_path, "ABC3", page_size=10))
    said = "".join([str(caught.value), repr(made.__dict__), caplog.text, *capfd.readouterr(), made.citation])
    assert "no use for" in said
    assert GOOD_KEY[:8] not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    contents = [document for cache in tmp_path.glob("materials_project/*") for document in _texts(cache)]
    assert all(GOOD_KEY not in text for text in contents)


def _texts(folder: Path) -> list[str]:
    import gzip

    return [
        (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
        for path in folder.iterdir()
    ]


def test_server_down(mp: Server, tmp_path: Path) -> None:
    down = Server("http://127.0.0.1:9/", mp.app)
    with pytest.raises(SourceError, match=r"127.0.0.1.*source=optimade"):
        len(mp_source(down, tmp_path))


@pytest.mark.parametrize("status", [429, 502, 500])
def test_heartbeat_fails(mp: Server, tmp_path: Path, status: int) -> None:
    mp.app.faults = [Fault("status", path="/heartbeat", times=99, options={"status": status})]
    with pytest.raises(SourceError, match=rf"heartbeat: the server answered {status}.*source=optimade"):
        len(mp_source(mp, tmp_path))
    mp.app.faults = [Fault("status", path="/heartbeat", times=2, options={"status": status})]
    assert len(mp_source(mp, tmp_path)) == N_TERNARY


def test_heartbeat_hangs(mp: Server, tmp_path: Path) -> None:
    mp.app.faults = [Fault("slow", path="/heartbeat", times=99, options={"seconds": 1.0})]
    with pytest.raises(SourceError, match=r"heartbeat: ReadTimeout"):
        len(mp_source(mp, tmp_path, timeout_s=0.2, attempts=2))
    assert len(mp.app.log) == 2  # and the client, which would wait for ever, does not ask by itself


def test_unknown_database_version_is_never_resumed(mp: Server, tmp_path: Path) -> None:
    silent = Fault("status", path="/heartbeat", times=99, options={"status": 403})
    mp.app.faults = [Fault("status", at=20, times=4, options={"status": 500}), silent]
    with pytest.raises(SourceError):
        len(mp_source(mp, tmp_path))
    mp.app.log.clear()
    assert len(mp_source(mp, tmp_path)) == N_TERNARY
    assert mp.app.requests("_page") == 3
    assert "unknown version" in mp_source(mp, tmp_path).citation


def test_database_changes_during_the_download(mp: Server, tmp_path: Path) -> None:
    mp.app.edits["switch"] = lambda content, _: content.update(
        db_version="2027" if mp.app.requests("_page") else VERSION
    )
    mp.app.faults = [Fault("switch", path="/heartbeat", times=99)]
    with pytest.raises(SourceError, match=f"changed from {VERSION} to 2027"):
        len(mp_source(mp, tmp_path))
    assert not list(tmp_path.rglob("*.gz"))


def test_nothing_matches(mp: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no entry"):
        len(mp_source(mp, tmp_path, "ABC9"))


@pytest.mark.parametrize(
    ("stoichiometry", "changes", "words"),
    [
        ("SrTiO3", {}, "'SrTiO3' is no stoichiometry"),
        ("ABA3", {}, "names A more than once"),
        ("AB", {}, "n_elements=2"),
        (None, {"num_elements": 0}, "no number of elements"),
        (None, {"page_size": 1001}, "1 to 1000"),
    ],
)
def test_settings_that_cannot_be_used(
    mp: Server, tmp_path: Path, stoichiometry: str | None, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DeepXRDError, match=words):
        mp_source(mp, tmp_path, stoichiometry, **changes)


def test_client_missing(mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mp_api.client.routes.materials.summary", None)
    with pytest.raises(SourceError, match=r"pip install 'deepxrd\[mp\]'"):
        len(mp_source(mp, tmp_path))


def test_damaged_page_of_a_complete_download_is_not_read(mp: Server, tmp_path: Path) -> None:
    len(mp_source(mp, tmp_path))
    page = next(tmp_path.rglob("page-00002.json.gz"))
    page.write_bytes(page.read_bytes()[:-1] + b"x")
    with pytest.raises(SourceError, match=r"page-00002.*gone or damaged"):
        list(mp_source(mp, tmp_path))
    page.unlink()
    mp.app.log.clear()
    assert len(records(mp_source(mp, tmp_path))) == N_TERNARY
    assert mp.app.requests("_page") == 1


def test_one_page_in_memory_at_a_time(mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mp_source(mp, tmp_path, page_size=5)
    len(made)
    unpacked = []
    real = page_cache._unpack
    monkeypatch.setattr(page_cache, "_unpack", lambda packed: unpacked.append(1) or real(packed))
    walk = iter(made)
    for _ in range(7):
        next(walk)
    assert len(unpacked) == 2
