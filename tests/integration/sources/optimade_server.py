"""The OPTIMADE reference server over mongomock, with entries of every kind that a reader has to tell apart."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

from faults import FaultyApp
from mp_server import edits

N_TERNARY = 25
N_ABC3 = 20
N_ALL = 27
UNUSABLE = {"t-020": "periodic in 2 directions", "t-021": "unknown element", "t-022": "positions are not given"}
SHARED, VACANT = "t-023", "t-024"  # a site with two elements, and one that is filled to nine tenths


def build_entries() -> list[dict[str, Any]]:
    """25 ternary entries, of which 20 are plain perovskites, and two binaries."""
    entries = [_perovskite(i) for i in range(N_TERNARY)]
    flat, unknown, implicit, shared, vacant = entries[20:]
    for entry in entries[20:]:
        entry["chemical_formula_anonymous"] = "A4BC"  # out of the way of the search for ABC3
    flat.update(dimension_types=[1, 1, 0], nperiodic_dimensions=2)
    unknown["species"][0]["chemical_symbols"] = ["X"]
    implicit["structure_features"] = ["implicit_atoms"]
    shared["species"][0].update(chemical_symbols=["Sr", "Ba"], concentration=[0.7, 0.3])
    vacant["species"][2].update(chemical_symbols=["O", "vacancy"], concentration=[0.9, 0.1])
    for entry in (shared, vacant):
        entry["structure_features"] = ["disorder"]
    binaries = [_perovskite(i) | {"nelements": 2, "chemical_formula_anonymous": "AB"} for i in (90, 91)]
    return [*entries, *binaries]


def build_app(entries: list[dict[str, Any]]) -> FaultyApp:
    """The server, ready to be broken."""
    from optimade.models import Provider
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    config = ServerConfig(
        insert_test_data=False,
        page_limit_max=500,
        mongo_count_timeout=5,
        provider=Provider(prefix="mp", name="MP", description="as MP's", homepage="https://example.org"),
        provider_fields={"structures": ["stability"]},
        log_level="critical",
    )
    app = create_app(config)
    app.state.entry_collections["structures"].insert(copy.deepcopy(entries))

    def uncounted(content: Any, _: dict[str, Any]) -> None:
        content["meta"]["data_returned"] = None

    def total(content: Any, options: dict[str, Any]) -> None:
        content["meta"]["data_returned"] += options["n"]

    def last(content: Any, _: dict[str, Any]) -> None:
        content["links"]["next"] = None
        content["meta"]["more_data_available"] = False

    def unlinked(content: Any, _: dict[str, Any]) -> None:
        content["links"]["next"] = None

    def skipping(content: Any, _: dict[str, Any]) -> None:
        content["links"]["next"] = content["links"]["next"].replace("page_offset=20", "page_offset=21")

    def circling(content: Any, _: dict[str, Any]) -> None:
        content["links"]["next"] = content["links"]["next"].replace("page_offset=20", "page_offset=10")

    def no_attribute(content: Any, options: dict[str, Any]) -> None:
        content["data"][0]["attributes"][options["field"]] = None

    own = (uncounted, total, last, unlinked, skipping, circling, no_attribute)
    return FaultyApp(app, {**edits(), **{edit.__name__: edit for edit in own}})


def _perovskite(i: int) -> dict[str, Any]:
    a = 3.9 + 0.01 * i
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return {
        "id": f"t-{i:03d}",
        "type": "structures",
        "last_modified": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "elements": ["O", "Sr", "Ti"],
        "nelements": 3,
        "elements_ratios": [0.6, 0.2, 0.2],
        "chemical_formula_descriptive": "SrTiO3",
        "chemical_formula_reduced": "O3SrTi",
        "chemical_formula_anonymous": "A3BC",
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]],
        "cartesian_site_positions": [[a * x for x in site] for site in sites],
        "nsites": 5,
        "species": [
            {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]} for symbol in ("Sr", "Ti", "O")
        ],
        "species_at_sites": ["Sr", "Ti", "O", "O", "O"],
        "structure_features": [],
        "stability": {
            "gga_gga+u_r2scan": {"formation_energy_per_atom": -3.0 - 0.01 * i, "energy_above_hull": 0.01 * (i - 1)}
        },
    }
