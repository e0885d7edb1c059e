"""Structures from the Materials Project (Jain et al. 2013), fetched with the user's own key, page by page.

Of the official client, mp-api, only one sorted page at a time is asked for, and without the document model: left to
itself the client loses documents without a word where an answer is short, empty or doubled, and energies where the
first document of a page has none. Every page is checked here before it is kept.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.errors import SourceError
from deepxrd.sources import page_cache
from deepxrd.sources.base import ReadFailure, StructureRecord
from deepxrd.sources.files import read_one
from deepxrd.sources.page_cache import Document, Page, PageCache
from deepxrd.sources.retry import Backoff, RefusedError, TransientError, retry_after_s

ENDPOINT = "https://api.materialsproject.org/"
CITATION = "Jain et al., APL Materials 1, 011002 (2013), doi 10.1063/1.4812323"
GNOME_CITATION = "Merchant et al., Nature 624, 80 (2023), doi 10.1038/s41586-023-06735-9 (GNoME entries, CC BY-NC 4.0)"
FIELDS = (
    "material_id",
    "formula_pretty",
    "formula_anonymous",
    "structure",
    "formation_energy_per_atom",
    "energy_above_hull",
    "theoretical",
    "builder_meta",
)
REQUIRED = ("material_id", "structure")
WAY_ON = (
    "To go on without the Materials Project: source=optimade needs no key, source=files reads your own structures,"
    " and the default, source=prototypes, needs no network"
)
_KEY_VARIABLE = "MP_API_KEY"
_KEY_LENGTH = 32
_MAX_PAGE = 1000
_GNOME_BATCH = "gnome_r2scan_statics"
_REFUSED = re.compile(r"status code (401|403|404|405|410|413|414|422)\b")
_NOT_SUPPORTED = "does not support the request"
_STOICHIOMETRY = re.compile(r"(?:[A-Z]\d*)+")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class MaterialsProjectSource:
    """Entries of the Materials Project with a given stoichiometry or number of elements.

    The first use downloads, and needs the key in ``MP_API_KEY``; after that the files in ``cache_dir`` are used, with
    no key and no network, until ``refresh`` asks for the present database.

    Args:
        stoichiometry: letters by ascending amount, such as ``ABC3``; None for all.
        num_elements: how many elements an entry has; None to leave that to the stoichiometry.
        include_gnome: also take the GNoME entries, which are CC BY-NC.
        cache_dir: where downloads are kept; those of this source go to its folder ``materials_project``.
        page_size: documents in one answer, 1000 at most.
        endpoint: another server than the public one.
        timeout_s: how long to wait for an answer.
        attempts: how often to ask for a page.
        backoff_s: the wait after the first failure; it doubles from there.
        backoff_cap_s: the longest wait.
        refresh: look for a newer database even though a complete download is there.
    """

    name = "materials_project"

    def __init__(
        self,
        stoichiometry: str | None = None,
        *,
        cache_dir: str | Path,
        num_elements: int | None = 3,
        include_gnome: bool = False,
        page_size: int = 500,
        endpoint: str | None = None,
        timeout_s: float = 120.0,
        attempts: int = 6,
        backoff_s: float = 1.0,
        backoff_cap_s: float = 60.0,
        refresh: bool = False,
    ) -> None:
        if not 1 <= page_size <= _MAX_PAGE:
            msg = f"page_size={page_size} is not within 1 to {_MAX_PAGE}, which is what the server allows"
            raise SourceError(msg)
        self._search = _search_arguments(stoichiometry, num_elements, include_gnome=include_gnome)
        self._endpoint = f"{(endpoint or ENDPOINT).rstrip('/')}/"
        self._root = Path(cache_dir) / self.name
        self._page_size = page_size
        self._timeout_s = timeout_s
        self._backoff = Backoff(attempts, backoff_s, backoff_cap_s)
        self._refresh = refresh

    @property
    def citation(self) -> str:
        """The paper, and once there is a download, the version of the database and the date."""
        papers = CITATION if not self._search["include_gnome"] else f"{CITATION}; {GNOME_CITATION}"
        cache = self.__dict__.get("_complete") or PageCache.find_complete(self._root, self._query)
        manifest = cache.manifest() if cache is not None else None
        if manifest is None:
            return papers
        version = manifest["database_version"] or "of unknown version"
        return f"{papers}; Materials Project database {version}, fetched {manifest['finished'][:10]}"

    def fingerprint(self) -> dict[str, str]:
        """The query, the version of the database and the hash of all documents."""
        return {
            "source": self.name,
            "query": ", ".join(f"{key}={value}" for key, value in sorted(self._search.items())),
            "database_version": str(self._manifest["database_version"]),
            "sha256": str(self._manifest["content_sha256"]),
        }

    def __len__(self) -> int:
        return int(self._manifest["documents"])

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        version = str(self._manifest["database_version"])
        for document in self._complete.documents():
            yield read_one(str(document["material_id"]), lambda document=document: _record(document, version))  # type: ignore[misc]

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return self._complete.manifest() or {}

    @property
    def _query(self) -> dict[str, Any]:
        return {"source": self.name, "endpoint": self._endpoint, "search": self._search, "fields": list(FIELDS)}

    @cached_property
    def _complete(self) -> PageCache:
        """The complete download: what is there already, or else what is fetched now."""
        found = None if self._refresh else PageCache.find_complete(self._root, self._query)
        if found is not None:
            return found
        try:
            return self._fetch()
        except (RefusedError, TransientError) as error:
            # `from None`: the client's own exception may hold the request, and with it the key.
            msg = f"cannot fetch from {self._endpoint}: {error}. What was fetched is kept in {self._root}. {WAY_ON}"
            raise SourceError(msg) from None

    def _fetch(self) -> PageCache:
        """Count, fetch the missing pages, check, count again; resumes what an earlier run left behind."""
        client = _Client(self._endpoint, _key(), search=self._search, timeout_s=self._timeout_s, backoff=self._backoff)
        version, total = client.version(), client.count()
        if total == 0:
            msg = f"the Materials Project has no entry with {self._search}: check stoichiometry and num_elements"
            raise SourceError(msg)
        size = {"page_size": self._page_size, "total": total}
        cache = PageCache.of(self._root, {**self._query, **size, "database_version": version})
        if not version:  # the pages could be those of another database
            cache.discard()
        self._fetch_pages(client, cache, total)
        facts = _facts(cache)
        last, last_version = client.count(), client.version()
        try:
            page_cache.check_counts(facts["documents"], facts["unique_ids"], total, last)
            if last_version != version:
                msg = f"the database changed from {version} to {last_version} during the download: run again"
                raise SourceError(msg)
        except SourceError:
            cache.discard()
            raise
        cache.finish({
            **facts,
            **size,
            "query": self._query,
            "database_version": version,
            "count_before": total,
            "count_after": last,
            "client": f"mp-api {client.api_version}",
            "cite": CITATION,
        })
        _report(facts, version, gnome=self._search["include_gnome"])
        return cache

    def _fetch_pages(self, client: _Client, cache: PageCache, total: int) -> None:
        pages = math.ceil(total / self._page_size)
        previous: str | None = None
        with page_cache.progress("Materials Project", total) as advance:
            for number in range(1, pages + 1):
                wanted = min(self._page_size, total - self._page_size * (number - 1))

                def checked(documents: list[Document], wanted: int = wanted, after: str | None = previous) -> Page:
                    return _checked(documents, wanted=wanted, previous=after)

                page = cache.read(number)
                try:
                    page = page and checked(page.documents)
                except TransientError as error:
                    _log.warning("page %d in %s: %s; it is fetched again", number, cache.folder, error)
                    page = None
                if page is None:
                    page = client.page(number, self._page_size, checked)
                    cache.write(number, page)
                previous = str(page.documents[-1]["material_id"]) if page.documents else previous
                advance(len(page.documents))


class _Client:
    """The calls of mp-api that are safe, each with a timeout, retried here, and with errors that tell two kinds apart.

    Args:
        endpoint: the server, with a slash at its end.
        key: the user's key; it goes into the header of the requests and nowhere else.
        search: arguments of ``SummaryRester.search``.
        timeout_s: how long to wait for an answer.
        backoff: how to try again.
    """

    def __init__(self, endpoint: str, key: str, *, search: dict[str, Any], timeout_s: float, backoff: Backoff) -> None:
        rester, self._format_id, self.api_version = _import_client()
        import requests

        self._endpoint, self._key, self._search = endpoint, key, search
        self._timeout_s, self._backoff = timeout_s, backoff
        self._asked_wait_s: float | None = None
        self._requests = requests
        # Its own session would retry three times within 0.6 s, or sleep for as long as a server cares to say.
        session = requests.Session()
        session.headers.update({"x-api-key": key, "user-agent": f"deepxrd (mp-api/{self.api_version})"})
        session.hooks["response"].append(self._note_wait)
        version = self.version()  # before the client asks the same with no timeout
        self._rester = self._call("the start of the client", lambda: rester(
            api_key=key,
            endpoint=endpoint,
            session=session,
            timeout=timeout_s,
            use_document_model=False,
            mute_progress_bars=True,
            db_version=version or None,
        ))

    def version(self) -> str:
        """The version of the database; empty where the server will not say (403)."""

        def ask() -> str:
            answer = self._requests.get(f"{self._endpoint}heartbeat", timeout=self._timeout_s)
            self._asked_wait_s = retry_after_s(answer.headers.get("Retry-After"))
            if answer.status_code == 403:
                _log.warning("the server does not tell its database version; the download cannot be resumed")
                return ""
            if not answer.ok:
                msg = f"heartbeat answered {answer.status_code}"
                raise TransientError(msg, retry_after_s=self._asked_wait_s)
            return str(answer.json()["db_version"])

        return self._call("heartbeat", ask)

    def count(self) -> int:
        """How many documents answer the search."""
        search = dict(self._search)
        criteria: dict[str, Any] = {"deprecated": search["deprecated"]}
        if "num_elements" in search:
            criteria |= {"nelements_min": search["num_elements"], "nelements_max": search["num_elements"]}
        if "formula" in search:
            criteria["formula"] = search["formula"]
        if not search["include_gnome"]:
            criteria["batch_id_not_eq"] = _GNOME_BATCH
        return self._call("count", lambda: int(self._rester.count(dict(criteria))))

    def page(self, number: int, size: int, checked: Callable[[list[Document]], Page]) -> Page:
        """One sorted page that passed its checks."""

        def ask() -> Page:
            documents = self._rester.search(
                **self._search, fields=list(FIELDS), chunk_size=size, _page=number, _sort_fields="material_id"
            )
            for document in documents:
                document["material_id"] = self._format_id(document["material_id"], legacy=True)
            return checked(documents)

        return self._call(f"page {number}", ask)

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        def translated() -> _T:
            self._asked_wait_s = None
            try:
                return call()
            except (TransientError, RefusedError):
                raise
            except Exception as error:  # noqa: BLE001 - the client raises KeyError, JSON errors and its own, as it comes
                raise self._translate(what, error) from None

        return self._backoff.run(translated, what=f"Materials Project, {what}")

    def _translate(self, what: str, error: Exception) -> TransientError | RefusedError:
        text = f"{type(error).__name__}: {error}".replace(self._key, "***")
        text = f"{what}: {' '.join(text.split())[:300]}"
        status = _REFUSED.search(text)
        if status is not None and status[1] in {"401", "403"}:
            text = (
                f"the server refused the key in {_KEY_VARIABLE} ({text}). Check it, or get a new one, at"
                " https://materialsproject.org/api"
            )
        if status is not None or _NOT_SUPPORTED in text:
            return RefusedError(text, status=int(status[1]) if status is not None else 400)
        return TransientError(text, retry_after_s=self._asked_wait_s)

    def _note_wait(self, answer: Any, *_: Any, **__: Any) -> None:
        """Remember what the server asked for, since the client's exceptions do not carry it."""
        self._asked_wait_s = retry_after_s(answer.headers.get("Retry-After"))


def _key() -> str:
    key = os.environ.get(_KEY_VARIABLE, "").strip()
    how = f"get one, free of charge, at https://materialsproject.org/api and export it as {_KEY_VARIABLE}"
    if not key:
        msg = f"source=materials_project needs an API key: {how}. {WAY_ON}"
        raise SourceError(msg)
    if len(key) != _KEY_LENGTH:
        msg = f"the key in {_KEY_VARIABLE} has {len(key)} characters, not {_KEY_LENGTH}: {how}. {WAY_ON}"
        raise SourceError(msg)
    return key


def _import_client() -> tuple[Any, Any, str]:
    """``SummaryRester``, ``format_identifier`` and the version of mp-api; takes seconds, hence only when fetching."""
    try:
        rester = import_module("mp_api.client.routes.materials.summary").SummaryRester
        format_identifier = import_module("emmet.core.types.typing").format_identifier
        version = str(import_module("mp_api.client.core.client").__version__)
    except ImportError as error:
        msg = f"source=materials_project needs the client of the Materials Project ({error}): pip install 'deepxrd[mp]'. {WAY_ON}"
        raise SourceError(msg) from error
    logging.getLogger("mp_api").setLevel(logging.ERROR)  # it sets itself up to write to standard error
    return rester, format_identifier, version


def _search_arguments(stoichiometry: str | None, num_elements: int | None, *, include_gnome: bool) -> dict[str, Any]:
    """Arguments of ``SummaryRester.search``; with no criterion at all the client would download everything from S3."""
    search: dict[str, Any] = {"deprecated": False, "include_gnome": include_gnome}
    if stoichiometry is not None:
        amounts = [int(n or 1) for n in re.findall(r"[A-Z](\d*)", stoichiometry)]
        letters = "".join(re.findall(r"[A-Z]", stoichiometry))
        if not _STOICHIOMETRY.fullmatch(stoichiometry) or letters != "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(letters)]:
            msg = f"cannot read stoichiometry {stoichiometry!r}: write letters from A on with amounts, such as ABC3"
            raise SourceError(msg)
        search["formula"] = "".join(f"{a}{n if n > 1 else ''}" for a, n in zip(letters, sorted(amounts), strict=True))
        if num_elements is not None and num_elements != len(letters):
            msg = f"stoichiometry {stoichiometry} has {len(letters)} elements but num_elements={num_elements}"
            raise SourceError(msg)
        num_elements = len(letters)
    if num_elements is None or num_elements < 1:
        msg = f"num_elements={num_elements}: say how many elements, or give a stoichiometry such as ABC3"
        raise SourceError(msg)
    return {**search, "num_elements": num_elements}


def _checked(documents: list[Document], *, wanted: int, previous: str | None) -> Page:
    """A page of these documents, refused with TransientError unless it is what was asked for."""
    page_cache.check_length(documents, wanted)
    page_cache.check_present(documents, REQUIRED)
    ids = [str(document["material_id"]) for document in documents]
    page_cache.check_unique(ids)
    page_cache.check_ascending(ids, previous)
    return Page(documents)


def _facts(cache: PageCache) -> dict[str, Any]:
    """What the pages hold, counted over all of them."""
    ids: set[str] = set()
    documents = with_energy = 0
    licenses: Counter[str] = Counter()
    for page in cache.pages():
        for document in page.documents:
            documents += 1
            ids.add(str(document.get("material_id")))
            with_energy += document.get("formation_energy_per_atom") is not None
            licenses[str((document.get("builder_meta") or {}).get("license"))] += 1
    return {
        "documents": documents,
        "unique_ids": len(ids),
        "with_formation_energy": with_energy,
        "licenses": dict(licenses),
    }


def _report(facts: dict[str, Any], version: str, *, gnome: bool) -> None:
    _log.info("fetched %d entries of Materials Project %s; please cite %s", facts["documents"], version, CITATION)
    restricted = facts["licenses"].get("BY-NC", 0)
    if restricted and not gnome:
        _log.warning("%d of the entries are CC BY-NC although GNoME was left out", restricted)


def _record(document: Document, version: str) -> StructureRecord:
    energy = document.get("formation_energy_per_atom")
    provenance = {
        "database": f"Materials Project {version}",
        "license": str((document.get("builder_meta") or {}).get("license")),
    }
    return StructureRecord(
        material_id=str(document["material_id"]),
        crystal=crystal_from_dict(document["structure"]),
        formation_energy_per_atom=None if energy is None else float(energy),
        provenance=provenance,
    )


def crystal_from_dict(structure: dict[str, Any]) -> Crystal:
    """The arrays of ``Structure.as_dict()`` of pymatgen, without building the structure; deuterium counts as H."""
    symbols = {**ATOMIC_NUMBERS, "D": 1, "T": 1}
    rows = [
        (symbols[specie["element"]], site["abc"], specie["occu"])
        for site in structure["sites"]
        for specie in site["species"]
    ]
    return Crystal(
        lattice=np.array(structure["lattice"]["matrix"], dtype=np.float64).reshape(3, 3),
        atomic_numbers=np.array([z for z, _, _ in rows], dtype=np.int64),
        frac_coords=np.array([xyz for _, xyz, _ in rows], dtype=np.float64).reshape(len(rows), 3),
        occupancies=np.array([occupancy for _, _, occupancy in rows], dtype=np.float64),
    )
