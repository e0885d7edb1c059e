"""Fetching from the OPTIMADE reference server: all entries or a clear error, whatever breaks on the way."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import Fault
from fetching import Server, optimade_source
from optimade_server import N_ABC3, N_ALL, N_TERNARY, SHARED, UNUSABLE, VACANT

from deepxrd.errors import DeepXRDError, SourceError
from deepxrd.sources import ReadFailure, StructureRecord, page_cache
from deepxrd.sources.optimade import PROVIDERS, OptimadeSource, optimade_filter

ENERGY = "_mp_stability/gga_gga+u_r2scan/formation_energy_per_atom"


def names(made: OptimadeSource) -> list[str]:
    """Every entry's id, usable or not."""
    return [entry.name if isinstance(entry, ReadFailure) else entry.material_id for entry in made]


def test_all_ternaries(optimade: Server, tmp_path: Path) -> None:
    made = optimade_source(optimade, tmp_path, energy=ENERGY)
    found = list(made)
    assert len(made) == len(found) == N_TERNARY
    failures = {entry.name: entry.reason for entry in found if isinstance(entry, ReadFailure)}
    assert failures.keys() == UNUSABLE.keys()
    assert all(words in failures[name] for name, words in UNUSABLE.items())
    first = found[0]
    assert isinstance(first, StructureRecord)
    assert first.crystal.formula.reduced == "SrTiO3"
    assert first.formation_energy_per_atom == pytest.approx(-3.0)
    np.testing.assert_allclose(first.crystal.frac_coords[1], 0.5)
    (manifest,) = tmp_path.rglob("manifest.json")
    facts = json.loads(manifest.read_text())
    assert facts["count_before"] == facts["count_after"] == facts["unique_ids"] == N_TERNARY
    assert facts["with_formation_energy"] == N_TERNARY


def test_any_number_of_elements_comes_with_distances_to_the_hull(optimade: Server, tmp_path: Path) -> None:
    hull = "_mp_stability/gga_gga+u_r2scan/energy_above_hull"
    made = optimade_source(optimade, tmp_path, num_elements=None, energy=ENERGY, hull=hull)
    found = [entry for entry in made if isinstance(entry, StructureRecord)]
    assert len(made) == N_ALL
    assert {entry.material_id for entry in found} > {"t-090", "t-091"}
    by_name = {entry.material_id: entry.energy_above_hull for entry in found}
    assert by_name["t-000"] == 0.0, "what is below the hull of others is on it"
    assert by_name["t-019"] == pytest.approx(0.18)
    assert all(entry.energy_above_hull is None for entry in optimade_source(optimade, tmp_path)  # it has no such place
               if isinstance(entry, StructureRecord))  # fmt: skip


@pytest.mark.parametrize(("numbers", "n"), [([2, 3], N_ALL), ([2, 5], N_ALL - N_TERNARY), ([3], N_TERNARY)])
def test_several_numbers_of_elements(optimade: Server, tmp_path: Path, numbers: list[int], n: int) -> None:
    assert len(optimade_source(optimade, tmp_path, num_elements=numbers)) == n


def test_shared_sites_and_vacancies(optimade: Server, tmp_path: Path) -> None:
    by_name = {
        entry.material_id: entry.crystal
        for entry in optimade_source(optimade, tmp_path)
        if isinstance(entry, StructureRecord)
    }
    shared, vacant = by_name[SHARED], by_name[VACANT]
    assert sorted(zip(shared.atomic_numbers.tolist(), shared.occupancies.tolist(), strict=True))[-2:] == [
        (38, 0.7),
        (56, 0.3),
    ]
    assert vacant.occupancies[vacant.atomic_numbers == 8].tolist() == [0.9] * 3
    assert len(vacant.atomic_numbers) == 5


def test_one_stoichiometry_without_energies(optimade: Server, tmp_path: Path) -> None:
    found = list(optimade_source(optimade, tmp_path, stoichiometry="ABC3"))
    assert len(found) == N_ABC3
    assert all(isinstance(entry, StructureRecord) and entry.formation_energy_per_atom is None for entry in found)


def test_second_use_needs_no_server(optimade: Server, tmp_path: Path) -> None:
    first = optimade_source(optimade, tmp_path)
    assert len(first) == N_TERNARY
    optimade.app.log.clear()
    again = optimade_source(optimade, tmp_path)
    assert again.fingerprint() == first.fingerprint()
    assert names(again) == names(first)
    assert "fetched" in again.citation
    assert not optimade.app.log


def at(kind: str, offset: int = 10, times: int = 1, **options: Any) -> list[Fault]:
    """The page from ``offset`` on is broken; counting asks for page_limit=1 from 0."""
    return [Fault(kind, at=offset, times=times, options=options)]


COMPLETE, ERROR = "all entries", "an error"
CASES = [
    ("429 twice", at("status", times=2, status=429), COMPLETE),
    ("429 at every try", at("status", times=4, status=429), ERROR),
    ("503 with Retry-After", at("status", status=503, retry_after=1), COMPLETE),
    ("500 once", at("status", status=500), COMPLETE),
    ("404 on a page", at("status", status=404), ERROR),
    ("connection dropped", at("drop"), COMPLETE),
    ("body too short", at("truncate"), COMPLETE),
    ("half a JSON", at("cut_json"), COMPLETE),
    ("HTML", at("html"), COMPLETE),
    ("slow once", at("slow", seconds=2.0), COMPLETE),
    ("page one entry short", at("short", n=1), COMPLETE),
    ("page one entry short, each time", at("short", times=99, n=1), ERROR),
    ("page empty", at("short", n=10), COMPLETE),
    ("entry doubled", at("doubled"), COMPLETE),
    ("next link lost", at("unlinked"), COMPLETE),
    ("said to be the last page", at("last"), COMPLETE),
    ("said to be the last page, each time", at("last", times=99), ERROR),
    ("next link skips an entry", at("skipping"), ERROR),
    ("next link leads back", at("circling"), COMPLETE),
    ("first count too small", [Fault("total", at=0, options={"n": -5})], ERROR),
    ("first count too large", [Fault("total", at=0, options={"n": 5})], ERROR),
    ("coordinates missing once", at("no_attribute", field="cartesian_site_positions"), COMPLETE),
]


@pytest.mark.parametrize(("faults", "outcome"), [pytest.param(f, o, id=name) for name, f, o in CASES])
def test_fault(optimade: Server, tmp_path: Path, faults: list[Fault], outcome: str) -> None:
    optimade.app.faults = copy.deepcopy(faults)
    made = optimade_source(optimade, tmp_path)
    if outcome == ERROR:
        with pytest.raises(SourceError):
            len(made)
        optimade.app.faults = []
        made = optimade_source(optimade, tmp_path)
    found = list(made)
    assert sorted(names(made)) == [f"t-{i:03d}" for i in range(N_TERNARY)]
    assert {entry.name for entry in found if isinstance(entry, ReadFailure)} == UNUSABLE.keys()
    assert all(fault.times in {0, *range(80, 99)} for fault in optimade.app.faults)


@pytest.mark.parametrize("fault", ["none", "short", "last", "skipping"])
def test_server_that_does_not_count(optimade: Server, tmp_path: Path, fault: str) -> None:
    uncounted = Fault("uncounted", at=0, times=99)
    hit = [] if fault == "none" else at(fault, 20 if fault == "short" else 10)
    optimade.app.faults = [*hit, uncounted]
    made = optimade_source(optimade, tmp_path)
    if hit:
        with pytest.raises(SourceError, match="does not count its entries"):
            len(made)
        assert hit[0].times == 0
        made = optimade_source(optimade, tmp_path)
    assert len(made) == len(set(names(made))) == N_TERNARY


def test_wait_that_the_server_asks_for(optimade: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    optimade.app.faults = at("status", status=503, retry_after=1)
    assert len(optimade_source(optimade, tmp_path, backoff_s=0.001, backoff_cap_s=0.3)) == N_TERNARY
    assert "in 0.3 s" in caplog.text


def test_refresh_that_fails_leaves_the_complete_download(optimade: Server, tmp_path: Path) -> None:
    assert len(optimade_source(optimade, tmp_path)) == N_TERNARY
    optimade.app.edits["miscount"] = lambda content, _: content["meta"].update(
        data_returned=N_TERNARY + (len(optimade.app.log) > 1)
    )
    optimade.app.log.clear()
    optimade.app.faults = [Fault("miscount", times=99)]
    with pytest.raises(SourceError, match="does not add up"):
        len(optimade_source(optimade, tmp_path, refresh=True))
    assert len(names(optimade_source(optimade, tmp_path))) == N_TERNARY


def test_counts_are_what_notices_a_skipped_entry(
    optimade: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_cache, "check_counts", lambda *_: None)
    optimade.app.faults = at("skipping")
    assert len(optimade_source(optimade, tmp_path)) == N_TERNARY - 1


def test_goes_on_where_it_stopped(optimade: Server, tmp_path: Path) -> None:
    optimade.app.faults = at("status", 20, times=4, status=500)
    with pytest.raises(SourceError, match="500"):
        len(optimade_source(optimade, tmp_path))
    optimade.app.log.clear()
    assert len(names(optimade_source(optimade, tmp_path))) == N_TERNARY
    offsets = [query.get("page_offset", "0") for _, query in optimade.app.log if query["page_limit"] == "10"]
    assert offsets == ["20"]


def test_server_that_does_not_sort(optimade: Server, tmp_path: Path) -> None:
    optimade.app.faults = at("status", 0, status=400)
    assert len(optimade_source(optimade, tmp_path)) == N_TERNARY
    assert optimade.app.requests("sort") == 1


def test_server_that_sends_fewer_than_asked_for(optimade: Server, tmp_path: Path) -> None:
    optimade.app.faults = [Fault("capped", at=offset, times=9) for offset in range(0, 25, 4)]

    def capped(content: Any, _: dict[str, Any]) -> None:
        if len(content["data"]) > 4:
            del content["data"][4:]
        offset = int(content["data"][0]["id"][2:]) + 4
        base = f"{optimade.url}v1/structures?filter=nelements%3D3&sort=id&page_limit=10&page_offset={offset}"
        content["links"]["next"] = base if offset < N_TERNARY else None
        content["meta"]["more_data_available"] = offset < N_TERNARY

    optimade.app.edits["capped"] = capped
    assert len(set(names(optimade_source(optimade, tmp_path)))) == N_TERNARY


def test_refusal_carries_the_words_of_the_server(optimade: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"40\d .*(filter|bogus)"):
        len(optimade_source(optimade, tmp_path, extra_filter="bogus ~~ 3"))
    with pytest.raises(SourceError, match="Max allowed page_limit is 500"):
        len(optimade_source(optimade, tmp_path, page_size=501))


def test_server_down(optimade: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="source=files"):
        len(optimade_source(Server("http://127.0.0.1:9", optimade.app), tmp_path))


def test_nothing_matches(optimade: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no entry"):
        len(optimade_source(optimade, tmp_path, num_elements=9))


def test_filter() -> None:
    assert optimade_filter("ABC3", 3) == 'chemical_formula_anonymous="A3BC"'
    assert optimade_filter(None, 3, "nsites<20") == "nelements=3 AND (nsites<20)"
    assert optimade_filter("ABX3", 3) == optimade_filter("A3BC", 3) == optimade_filter("X6A2B2", None)
    assert optimade_filter(None, None) == "nelements>=1"
    assert optimade_filter(None, [4, 2], "nsites<20") == "(nelements=2 OR nelements=4) AND (nsites<20)"
    for stoichiometry, number in (("AB", 3), (None, 0), (None, []), (None, True), ("ABA3", 3)):
        with pytest.raises(DeepXRDError):
            optimade_filter(stoichiometry, number)


def test_providers_by_name(tmp_path: Path) -> None:
    assert all(provider.base_url.startswith("https://") for provider in PROVIDERS.values())
    assert OptimadeSource("cod", cache_dir=tmp_path).provider.license == "CC0 1.0"
    with pytest.raises(SourceError, match="name one of mp, alexandria, oqmd, cod"):
        OptimadeSource("icsd", cache_dir=tmp_path)
