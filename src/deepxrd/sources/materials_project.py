"""Structures from the Materials Project (Jain et al. 2013), fetched with the user's own key, page by page."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deepxrd.chem import SYMBOLS, numbers_of_elements, parse_stoichiometry
from deepxrd.errors import SourceError
from deepxrd.sources import page_cache
from deepxrd.sources.base import StructureRecord
from deepxrd.sources.downloaded import DownloadedSource, facts_of, finite, kept_page
from deepxrd.sources.mp_client import CREATED_AT, ENDPOINT, FIELDS, WAY_ON, MaterialsProjectClient, key_from_environment
from deepxrd.sources.page_cache import Document, Page, PageCache
from deepxrd.sources.plain_structures import crystal_from_pymatgen_dict
from deepxrd.sources.retry import Backoff

CITATION = "Jain et al., APL Materials 1, 011002 (2013), doi 10.1063/1.4812323"
GNOME_CITATION = "Merchant et al., Nature 624, 80 (2023), doi 10.1038/s41586-023-06735-9 (GNoME entries, CC BY-NC 4.0)"
_REQUIRED = ("material_id", "structure")
_MAX_PAGE = 1000
_log = logging.getLogger(__name__)


class MaterialsProjectSource(DownloadedSource):
    """Entries of the Materials Project: all of them, or those with a given stoichiometry or number of elements.

    Each comes with its energy above the hull, and with whether experiment knows it (summaries call others theoretical).

    The first use downloads, and needs the key in ``MP_API_KEY``; after that the files in ``cache_dir`` are used, with
    no key and no network, until ``refresh`` asks for the present database.

    Args:
        stoichiometry: such as ``ABC3``, see :func:`deepxrd.chem.parse_stoichiometry`; None for all.
        num_elements: how many elements an entry has: one number, or several in a row; None for any.
        include_gnome: also take the GNoME entries, which are CC BY-NC.
        cache_dir: where downloads are kept; those of this source go to its folder ``materials_project``.
        page_size: documents in one answer, 1000 at most.
        endpoint: another server than the public one.
        timeout_s: how long to wait for an answer.
        attempts: how often to ask for a page.
        backoff_s: the wait after the first failure; it doubles from there.
        backoff_cap_s: the longest wait.
        refresh: look for a newer database even though a complete download is there.
        dates: also fetch the day that each entry was made, which ``data.split.by=time`` needs, in a second request for
            each page.
        offline: never ask a server.
    """

    name = "materials_project"

    def __init__(
        self,
        stoichiometry: str | None = None,
        *,
        cache_dir: str | Path,
        num_elements: int | Sequence[int] | None = 3,
        include_gnome: bool = False,
        page_size: int = 500,
        endpoint: str | None = None,
        timeout_s: float = 120.0,
        attempts: int = 6,
        backoff_s: float = 1.0,
        backoff_cap_s: float = 60.0,
        refresh: bool = False,
        dates: bool = False,
        offline: bool = False,
    ) -> None:
        if not 1 <= page_size <= _MAX_PAGE:
            msg = f"page_size={page_size} is not within 1 to {_MAX_PAGE}, which is what the server allows"
            raise SourceError(msg)
        super().__init__(
            Path(cache_dir) / self.name,
            backoff=Backoff(attempts, backoff_s, backoff_cap_s),
            refresh=refresh,
            offline=offline,
        )
        self._search = _search_arguments(stoichiometry, num_elements, include_gnome=include_gnome)
        self._endpoint = f"{(endpoint or ENDPOINT).rstrip('/')}/"
        self._page_size = page_size
        self._timeout_s = timeout_s
        self._dates = dates

    @property
    def no_dates(self) -> str | None:
        """Why its entries have no date, if they have none; see :func:`deepxrd.sources.base.why_no_dates`."""
        return None if self._dates else "they are fetched only with source.dates=true, a second request for each page"

    @property
    def query(self) -> dict[str, Any]:
        """The search, the server and the fields."""
        fields = [*FIELDS, *([CREATED_AT] if self._dates else [])]
        return {"source": self.name, "endpoint": self._endpoint, "search": self._search, "fields": fields}

    def _papers(self) -> str:
        return CITATION if not self._search["include_gnome"] else f"{CITATION}; {GNOME_CITATION}"

    def _way_on(self) -> str:
        return WAY_ON

    def _fetch(self) -> PageCache:
        """Count, fetch the missing pages, check, count again; resumes what an earlier run left behind."""
        client = MaterialsProjectClient(
            self._endpoint,
            key_from_environment(),
            search=self._search,
            timeout_s=self._timeout_s,
            backoff=self._backoff,
            dates=self._dates,
        )
        version, total = client.version(), client.count()
        if total == 0:
            msg = f"the Materials Project has no entry with {self._search}: check stoichiometry and num_elements"
            raise SourceError(msg)
        size = {"page_size": self._page_size, "total": total}
        cache = PageCache.of(self._root, {**self.query, **size, "database_version": version})
        if not version:  # the pages could be those of another database
            cache.discard()
        self._fetch_pages(client, cache, total)
        facts = facts_of(cache, _license, lambda document: document.get("formation_energy_per_atom"))
        last = client.count()
        try:
            page_cache.check_counts(facts["documents"], facts["unique_ids"], total, last)
            page_cache.check_version(version, client.version())
        except SourceError:
            if cache.manifest() is None:  # an earlier download that was complete stays
                cache.discard()
            raise
        extra = {"query": self.query, "database_version": version, "count_before": total, "count_after": last}
        cache.finish({**facts, **size, **extra, "client": f"mp-api {client.api_version}", "cite": self._papers()})
        _log.info("fetched %d entries of Materials Project %s; please cite %s", total, version, self._papers())
        restricted = facts["licenses"].get("BY-NC", 0)
        if restricted and not self._search["include_gnome"]:
            _log.warning("%d of the entries are CC BY-NC although GNoME was left out", restricted)
        return cache

    def _fetch_pages(self, client: MaterialsProjectClient, cache: PageCache, total: int) -> None:
        previous: str | None = None
        with page_cache.progress("Materials Project", total) as advance:
            for number in range(1, math.ceil(total / self._page_size) + 1):
                wanted = min(self._page_size, total - self._page_size * (number - 1))
                checked = partial(check_page, wanted=wanted, previous=previous)
                page = kept_page(cache, number, checked)
                if page is None:
                    page = Page(client.page(number, self._page_size, checked))
                    cache.write(number, page)
                previous = str(page.documents[-1].get("material_id")) if page.documents else previous
                advance(len(page.documents))

    def _record(self, document: Document) -> StructureRecord:
        return StructureRecord(
            material_id=str(document["material_id"]),
            crystal=crystal_from_pymatgen_dict(document["structure"]),
            formation_energy_per_atom=finite(document.get("formation_energy_per_atom")),
            energy_above_hull=finite(document.get("energy_above_hull")),
            provenance={
                "database": f"Materials Project {self._manifest['database_version']}",
                "license": _license(document),
                **({"icsd": str(not document["theoretical"])} if document.get("theoretical") is not None else {}),
                **({CREATED_AT: document[CREATED_AT]} if document.get(CREATED_AT) else {}),
            },
        )


def check_page(documents: list[Document], *, wanted: int, previous: str | None) -> None:
    """Refuse a page unless it is what was asked for.

    Args:
        documents: the page.
        wanted: how many documents it must hold.
        previous: the last id of the page before it.

    Raises:
        TransientError: it is not; the message says in what.
    """
    page_cache.check_length(documents, wanted)
    page_cache.check_present(documents, _REQUIRED)
    ids = [str(document.get("material_id")) for document in documents]
    page_cache.check_unique(ids)
    page_cache.check_ascending(ids, previous)


def _license(document: Document) -> str:
    return str((document.get("builder_meta") or {}).get("license"))


def _search_arguments(
    stoichiometry: str | None, num_elements: int | Sequence[int] | None, *, include_gnome: bool
) -> dict[str, Any]:
    """Arguments of ``SummaryRester.search``; with no criterion at all the client would download everything from S3."""
    search: dict[str, Any] = {"deprecated": False, "include_gnome": include_gnome}
    numbers = numbers_of_elements(num_elements)
    if stoichiometry is not None:
        parsed = parse_stoichiometry(stoichiometry)
        parsed.check_elements(num_elements)
        search["formula"], numbers = parsed.name, (len(parsed.amounts),)
    if numbers is None:
        numbers = (1, len(SYMBOLS))  # any: which is a criterion all the same
    elif len(numbers) != 1 + numbers[-1] - numbers[0]:
        msg = f"num_elements={list(numbers)}: the Materials Project takes numbers in a row only, such as [2, 3, 4]"
        raise SourceError(msg)
    # one number stays one, so that downloads of before are found
    return {**search, "num_elements": numbers[0] if len(numbers) == 1 else [numbers[0], numbers[-1]]}
