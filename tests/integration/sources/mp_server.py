"""The Materials Project's own API code (emmet-api) over mongomock, for tests; it listens on 127.0.0.1 only.

Real are the routes, query operators, paging, sparse fields, sorting and the wire format, and the documents, which are
built by emmet-core from pymatgen structures. Stood in for are MongoDB (mongomock, as in emmet-api's own tests), the
gateway that checks keys, and the energies, which are made up.
"""

from __future__ import annotations

import copy
import json
import os
from datetime import datetime, timedelta
from typing import Any

from faults import App, FaultyApp, Message, Receive, Send, answer

GOOD_KEY = "k" * 32
NC_KEY = "n" * 32  # an account that accepted the terms of the CC BY-NC entries
VERSION = "2026.01.01"
N_TERNARY = 23  # of which 17 are ABC3; the other six of the 29 are binary, deprecated or of GNoME
N_ABC3 = 17
N_ALL = 27
_GNOME = "gnome_r2scan_statics"
_PEROVSKITES = (
    "Sr Ti O 3.905, Ba Ti O 4.01, Ca Ti O 3.84, K Nb O 4.02, K Ta O 3.99, Na Nb O 3.95, Ba Zr O 4.19, Sr Zr O 4.11,"
    "La Al O 3.79, La Fe O 3.92, La Mn O 3.88, Ba Sn O 4.12, Sr Ru O 3.93, Ba Hf O 4.17, K Mg F 3.99, Cs Pb I 6.29,"
    "Cs Sn Br 5.80"
)
_HALF_HEUSLERS = "Ti Ni Sn 5.94, Zr Ni Sn 6.11, Hf Ni Sn 6.08, Nb Co Sn 5.95, Ti Co Sb 5.88, Li Mg N 4.98"
_ROCK_SALTS = "Na Cl 5.64, Mg O 4.21, Li F 4.03, Ni O 4.18"


def build_documents(n_extra: int = 0) -> list[dict[str, Any]]:
    """29 summary documents, and ``n_extra`` more of ABC3, as MongoDB holds them."""
    documents = [_document(i, structure) for i, structure in enumerate(_structures())]
    template = documents[0]
    for i in range(n_extra):
        extra = copy.deepcopy(template)
        extra["material_id"] = _identifier(len(documents))
        extra["structure"]["lattice"]["matrix"][0][0] += 1e-4 * i
        extra["formation_energy_per_atom"] = -1.0 - 1e-3 * i
        documents.append(extra)
    return documents


def edits() -> dict[str, Any]:
    """Ways to falsify an answer that parses well; each changes the decoded JSON in place."""

    def short(content: Any, options: dict[str, Any]) -> None:
        del content["data"][-options.get("n", 1) :]

    def doubled(content: Any, _: dict[str, Any]) -> None:
        content["data"][-1] = content["data"][0]

    def shuffled(content: Any, _: dict[str, Any]) -> None:
        content["data"].reverse()

    def total(content: Any, options: dict[str, Any]) -> None:
        content["meta"]["total_doc"] += options["n"]

    def null_field(content: Any, options: dict[str, Any]) -> None:
        content["data"][0][options["field"]] = None

    def no_field(content: Any, options: dict[str, Any]) -> None:
        content["data"][0].pop(options["field"])

    def replaced(content: Any, options: dict[str, Any]) -> None:
        content["data"][:] = options["data"]

    def version(content: Any, options: dict[str, Any]) -> None:
        content["db_version"] = options["version"]

    return {edit.__name__: edit for edit in (short, doubled, shuffled, total, null_field, no_field, replaced, version)}


def build_app(documents: list[dict[str, Any]]) -> FaultyApp:
    """The server, with its gateway, ready to be broken."""
    os.environ["MAPI_DB_VERSION"] = VERSION
    os.environ["MAPI_ACCESS_CONTROLLED_BATCH_IDS"] = _GNOME
    import mongomock
    from emmet.api.core.api import MAPI
    from emmet.api.resource.utils import CollectionWithKey
    from emmet.api.routes.materials.provenance.resources import provenance_resource
    from emmet.api.routes.materials.summary.resources import summary_resource

    collection = mongomock.MongoClient()["mp_core"]["summary"]
    collection.insert_many(copy.deepcopy(documents))
    store = CollectionWithKey(_AsyncCollection(collection), "material_id")
    days = mongomock.MongoClient()["mp_core"]["provenance"]
    days.insert_many([provenance for document in documents if (provenance := _provenance(document)) is not None])
    dates = CollectionWithKey(_AsyncCollection(days), "material_id")
    app = MAPI(resources={"materials": [summary_resource(store), provenance_resource(dates)]}).app
    return FaultyApp(_Gateway(app), edits())


def created_at(material_id: str) -> datetime | None:
    """The made-up moment at which an entry was made; of one, whose id ends in h, nobody knows."""
    if material_id.endswith("h"):
        return None
    return datetime(2011, 5, 13, 14, 21, 50) + timedelta(days=400 * (ord(material_id[-1]) % 12))  # noqa: DTZ001


def energy_above_hull(i: int) -> float:
    """That of the i-th document, eV per atom; made up."""
    return round(0.013 * (i % 5), 4)


def is_theoretical(i: int) -> bool:
    """Whether no experiment knows the i-th document; made up."""
    return i % 3 == 1


def _provenance(document: dict[str, Any]) -> dict[str, Any] | None:
    moment = created_at(document["material_id"])
    if moment is None:
        return None
    return {"material_id": document["material_id"], "created_at": moment, "deprecated": document["deprecated"]}


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    async def to_list(self, length: int | None = None) -> list[Any]:
        return list(self._cursor)[:length]


class _AsyncCollection:
    """The calls that emmet-api makes on an asynchronous collection."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.name = collection.name

    async def count_documents(self, criteria: Any, **_: Any) -> int:
        return int(self._collection.count_documents(criteria or {}))

    async def estimated_document_count(self, **_: Any) -> int:
        return int(self._collection.estimated_document_count())

    async def aggregate(self, pipeline: Any, **_: Any) -> _Cursor:
        return _Cursor(self._collection.aggregate(pipeline))


class _Gateway:
    """Checks the key in front of everything but the heartbeat, as the public server does."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/heartbeat":
            await self._app(scope, receive, send)
            return
        key = dict(scope["headers"]).get(b"x-api-key", b"").decode()
        if key not in {GOOD_KEY, NC_KEY}:
            await answer(send, 401, b'{"message":"Invalid authentication credentials"}')
            return
        groups = b"api_all,TERMS:ACCEPT-NC" if key == NC_KEY else b"api_all"
        await self._app({**scope, "headers": [*scope["headers"], (b"x-consumer-groups", groups)]}, receive, send)


def _structures() -> list[Any]:
    structures = [_crystal("Pm-3m", row, ([0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0])) for row in _rows(_PEROVSKITES)]
    corners = ([0, 0, 0], [0.25] * 3, [0.5] * 3)
    structures += [_crystal("F-43m", row, corners) for row in _rows(_HALF_HEUSLERS)]
    structures += [_crystal("Fm-3m", row, ([0, 0, 0], [0.5] * 3)) for row in _rows(_ROCK_SALTS)]
    deprecated, gnome = _rows("Pb Ti O 3.97, Eu Ti O 3.90")
    return structures + [
        _crystal("Pm-3m", row, ([0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0])) for row in (deprecated, gnome)
    ]


def _rows(text: str) -> list[list[str]]:
    return [row.split() for row in text.split(",")]


def _crystal(group: str, row: list[str], sites: tuple[list[float], ...]) -> Any:
    from pymatgen.core import Lattice, Structure

    structure = Structure.from_spacegroup(group, Lattice.cubic(float(row[-1])), row[:-1], sites)
    return structure.get_primitive_structure()


def _identifier(i: int) -> str:
    from emmet.core.mpid import AlphaID

    return str(AlphaID(1000 + 7 * i, prefix="mp", padlen=8))  # the form in which the server compares ids


def _document(i: int, structure: Any) -> dict[str, Any]:
    from emmet.core.base import EmmetMeta
    from emmet.core.summary import MaterialsSummary, ProvenanceSummary, SummaryDoc, ThermoSummary
    from emmet.core.utils import utcnow

    deprecated, gnome = i == 27, i == 28
    name = _identifier(i)
    material = MaterialsSummary.from_structure(
        structure, material_id=name, property_name="summary", deprecated=deprecated, task_ids=[name], origins=[]
    )
    material.structure = structure
    thermo = ThermoSummary(
        formation_energy_per_atom=round(-3.5 + 0.05 * i, 4),
        energy_above_hull=energy_above_hull(i),
        is_stable=energy_above_hull(i) == 0,
        energy_per_atom=-8.0,
        uncorrected_energy_per_atom=-7.5,
    )
    meta = EmmetMeta(
        license="BY-NC" if gnome else "BY-C",
        build_date=utcnow(),
        batch_id=_GNOME if gnome else None,
        database_version=VERSION,
    )
    summary = SummaryDoc.from_docs(
        [material, thermo, ProvenanceSummary(theoretical=is_theoretical(i))], [], builder_meta=meta
    )
    document: dict[str, Any] = json.loads(summary.model_dump_json())
    document["structure"] = structure.as_dict()  # the model leaves it out, the database holds it
    document["builder_meta"] = json.loads(meta.model_dump_json())
    document["material_id"] = name
    return document
