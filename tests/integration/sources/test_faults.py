"""Every fault ends with all documents or with a clear error; and each check, taken alone, is what sees to that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import Fault
from fetching import Server, mp_source, records
from mp_server import N_TERNARY

from deepxrd.errors import SourceError
from deepxrd.sources import StructureRecord, page_cache

ENERGY = "formation_energy_per_atom"


def status(code: int, times: int = 1, retry_after: int | None = None) -> list[Fault]:
    """Page 2 of 3 is answered with an error."""
    wait = {} if retry_after is None else {"retry_after": retry_after}
    return [Fault("status", at=10, times=times, options={"status": code, **wait})]


def once(kind: str, **options: Any) -> list[Fault]:
    """Page 2 of 3 is broken once."""
    return [Fault(kind, at=10, options=options)]


COMPLETE, ERROR = "all documents", "an error"
CASES = [
    ("429 once, no Retry-After", status(429), COMPLETE),
    ("429 three times", status(429, times=3), COMPLETE),
    ("429 four times, which is every try", status(429, times=4), ERROR),
    ("429 once, Retry-After: 3", status(429, retry_after=3), COMPLETE),
    ("500 once", status(500), COMPLETE),
    ("502 once", status(502), COMPLETE),
    ("503 once, no Retry-After", status(503), COMPLETE),
    ("503 once, Retry-After: 1", status(503, retry_after=1), COMPLETE),
    ("504 twice", status(504, times=2), COMPLETE),
    ("403, the key is revoked midway", status(403), ERROR),
    ("connection dropped in a chunked body", once("drop"), COMPLETE),
    ("body shorter than its Content-Length", once("truncate"), COMPLETE),
    ("half a JSON with a length that fits", once("cut_json"), COMPLETE),
    ("200 with an HTML page", once("html"), COMPLETE),
    ("slow once, beyond the timeout", once("slow", seconds=2.0), COMPLETE),
    ("slow always", [Fault("slow", at=10, times=4, options={"seconds": 2.0})], ERROR),
    ("page one document short", once("short", n=1), COMPLETE),
    ("page empty", once("short", n=10), COMPLETE),
    ("page with a document doubled instead of another", once("doubled"), COMPLETE),
    ("first count five too few", [Fault("total", at=0, path="/materials", options={"n": -5})], ERROR),
    ("first count five too many", [Fault("total", at=0, path="/materials", options={"n": 5})], ERROR),
    ("first document lacks its energy", once("no_field", field=ENERGY), COMPLETE),
    ("first document has a null energy", once("null_field", field=ENERGY), COMPLETE),
    ("first document lacks its structure", once("no_field", field="structure"), COMPLETE),
]


@pytest.mark.parametrize(("faults", "outcome"), [pytest.param(f, o, id=name) for name, f, o in CASES])
def test_fault(mp: Server, tmp_path: Path, faults: list[Fault], outcome: str) -> None:
    mp.app.faults = copy.deepcopy(faults)
    made = mp_source(mp, tmp_path)
    if outcome == ERROR:
        with pytest.raises(SourceError):
            len(made)
        mp.app.faults = []
        made = mp_source(mp, tmp_path)
    found = records(made)
    assert len({record.material_id for record in found}) == len(found) == N_TERNARY
    lacking = [record for record in found if record.formation_energy_per_atom is None]
    assert len(lacking) == (1 if faults[0].options.get("field") == ENERGY else 0)  # and no other of its page
    assert all(fault.times == 0 for fault in mp.app.faults)  # each fault did strike


def test_there_are_24_faults() -> None:
    assert len(CASES) == 24


def test_pages_before_the_fault_are_not_fetched_again(mp: Server, tmp_path: Path) -> None:
    mp.app.faults = [Fault("status", at=20, times=4, options={"status": 500})]
    with pytest.raises(SourceError, match=r"page 3.*500"):
        len(mp_source(mp, tmp_path))
    mp.app.log.clear()
    assert len(records(mp_source(mp, tmp_path))) == N_TERNARY
    assert mp.app.requests("_page") == 1


def test_half_written_page_of_an_earlier_run_is_fetched_again(mp: Server, tmp_path: Path) -> None:
    mp.app.faults = [Fault("status", at=20, times=4, options={"status": 500})]
    with pytest.raises(SourceError):
        len(mp_source(mp, tmp_path))
    page = next(tmp_path.rglob("page-00001.json.gz"))
    page.write_bytes(page.read_bytes()[:100])
    mp.app.log.clear()
    assert len(records(mp_source(mp, tmp_path))) == N_TERNARY
    assert mp.app.requests("_page") == 2


def test_wait_that_the_server_asks_for(mp: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mp.app.faults = status(503, retry_after=1)
    assert len(mp_source(mp, tmp_path, backoff_s=0.001, backoff_cap_s=0.3)) == N_TERNARY
    assert "page 2" in caplog.text
    assert "try 2 of 4 in 0.3 s" in caplog.text


def repeat_first_page(server: Server, folder: Path) -> list[Fault]:
    """Page 2 holds the documents of page 1: whole, sorted and unique in itself."""
    probe = mp_source(server, folder / "probe")
    documents = list(probe._complete.documents())[:10]
    return once("replaced", data=documents)


CHECKS: dict[str, tuple[Callable[[Server, Path], list[Fault]], str]] = {
    "check_length": (lambda *_: once("short", n=1), "repaired"),
    "check_unique": (lambda *_: once("doubled"), "repaired"),
    "check_ascending": (repeat_first_page, "repaired"),
    "check_present": (lambda *_: once("no_field", field="structure"), "repaired"),
    "check_counts": (
        lambda *_: [Fault("total", at=0, path="/materials", options={"n": -3})],
        "refused",
    ),  # 20: just two pages
}


def switch_off(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    """Let the named checks pass everything."""
    for name in names:
        monkeypatch.setattr(page_cache, name, lambda *_: None)


@pytest.mark.parametrize("name", CHECKS)
def test_without_the_checks_documents_are_lost(
    mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_faults, _ = CHECKS[name]
    faults = make_faults(mp, tmp_path)
    switch_off(monkeypatch, set(CHECKS))
    mp.app.faults = faults
    names = {entry.material_id for entry in mp_source(mp, tmp_path) if isinstance(entry, StructureRecord)}
    assert len(names) < N_TERNARY
    assert faults[0].times == 0


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_alone_sees_its_fault(
    mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_faults, outcome = CHECKS[name]
    faults = make_faults(mp, tmp_path)
    switch_off(monkeypatch, set(CHECKS) - {name})
    mp.app.faults = faults
    made = mp_source(mp, tmp_path)
    if outcome == "refused":
        with pytest.raises(SourceError, match="does not add up"):
            len(made)
    else:
        assert len({record.material_id for record in records(made)}) == N_TERNARY


@pytest.mark.parametrize("name", [name for name, (_, outcome) in CHECKS.items() if outcome == "repaired"])
def test_each_check_off_is_noticed_at_the_latest_by_the_counts_or_the_records(
    mp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_faults, _ = CHECKS[name]
    faults = make_faults(mp, tmp_path)
    switch_off(monkeypatch, {name})
    mp.app.faults = faults
    made = mp_source(mp, tmp_path)
    try:
        found = list(made)
    except SourceError as error:
        assert "does not add up" in str(error)  # noqa: PT017 - which of the two ends it comes to is the point
    else:
        assert len(found) == N_TERNARY
