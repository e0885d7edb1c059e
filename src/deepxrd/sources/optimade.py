"""Structures from any OPTIMADE database: the Materials Project without a key, Alexandria, OQMD, COD and others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepxrd.chem import numbers_of_elements, parse_stoichiometry
from deepxrd.errors import SourceError
from deepxrd.sources import page_cache
from deepxrd.sources.base import StructureRecord
from deepxrd.sources.downloaded import DownloadedSource, facts_of, finite
from deepxrd.sources.materials_project import CITATION as MP_CITATION
from deepxrd.sources.optimade_client import Description, OptimadeClient
from deepxrd.sources.page_cache import Document, PageCache
from deepxrd.sources.plain_structures import crystal_from_optimade
from deepxrd.sources.retry import Backoff, RefusedError

CITATION = "Evans et al., Digital Discovery 3, 1509 (2024), doi 10.1039/d4dd00039k (OPTIMADE)"
_FIELDS = (
    "lattice_vectors",
    "cartesian_site_positions",
    "species",
    "species_at_sites",
    "dimension_types",
    "structure_features",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """A database that speaks OPTIMADE.

    Attributes:
        base_url: where it is.
        citation: its paper.
        license: of its data, as its own site states.
        energy: where an entry has its formation energy, eV per atom: names joined by slashes.
        hull: where it has its distance to the hull, eV per atom, likewise.
    """

    base_url: str
    citation: str = ""
    license: str = "unknown"
    energy: str | None = None
    hull: str | None = None


PROVIDERS: dict[str, Provider] = {
    "mp": Provider(
        "https://optimade.materialsproject.org",
        MP_CITATION,
        "CC BY 4.0",
        "_mp_stability/gga_gga+u_r2scan/formation_energy_per_atom",
        "_mp_stability/gga_gga+u_r2scan/energy_above_hull",
    ),
    "alexandria": Provider(
        "https://alexandria.icams.rub.de/pbe",
        "Schmidt et al., Advanced Materials 35, 2210788 (2023), doi 10.1002/adma.202210788",
        "CC BY 4.0",
        "_alexandria_formation_energy_per_atom",
        "_alexandria_hull_distance",
    ),
    "oqmd": Provider(
        "https://oqmd.org/optimade",
        "Saal et al., JOM 65, 1501 (2013), doi 10.1007/s11837-013-0755-4",
        "CC BY 4.0",
        "_oqmd_delta_e",
        "_oqmd_stability",
    ),
    "cod": Provider(
        "https://www.crystallography.net/cod/optimade",
        "Grazulis et al., Nucleic Acids Research 40, D420 (2012), doi 10.1093/nar/gkr900",
        "CC0 1.0",
    ),
}


class OptimadeSource(DownloadedSource):
    """Entries of one OPTIMADE database: all, or those of a stoichiometry or number of elements; no key is needed.

    The first use downloads; after that the files in ``cache_dir`` are used, until ``refresh`` asks the server again.

    Args:
        provider: a name of ``PROVIDERS``, or the base URL of any other database.
        stoichiometry: such as ``ABC3``, see :func:`deepxrd.chem.parse_stoichiometry`; None for all.
        num_elements: how many elements an entry has: one number or several; None for any.
        extra_filter: further conditions in the OPTIMADE filter language.
        energy: where an entry has its formation energy in eV per atom, names joined by slashes; None for the
            provider's own place. Energies of different functionals cannot be compared, so only one is read.
        hull: where it has its distance to the hull, likewise; below the hull counts as on it.
        cache_dir: where downloads are kept; those of this source go to its folder ``optimade``.
        page_size: entries in one answer; servers set limits of their own, often 500.
        timeout_s: how long to wait for an answer.
        attempts: how often to ask for a page.
        backoff_s: the wait after the first failure; it doubles from there.
        backoff_cap_s: the longest wait.
        refresh: ask the server even though a complete download is there.
        offline: never ask a server.
    """

    no_dates = (
        "OPTIMADE tells when an entry was last changed (last_modified), not when it was made; source=materials_project "
        "with source.dates=true knows that"
    )

    def __init__(
        self,
        provider: str = "mp",
        *,
        cache_dir: str | Path,
        stoichiometry: str | None = None,
        num_elements: int | Sequence[int] | None = 3,
        extra_filter: str | None = None,
        energy: str | None = None,
        hull: str | None = None,
        page_size: int = 100,
        timeout_s: float = 120.0,
        attempts: int = 6,
        backoff_s: float = 1.0,
        backoff_cap_s: float = 60.0,
        refresh: bool = False,
        offline: bool = False,
    ) -> None:
        if page_size < 1:
            msg = f"page_size={page_size} must be 1 or more"
            raise SourceError(msg)
        super().__init__(
            Path(cache_dir) / "optimade",
            backoff=Backoff(attempts, backoff_s, backoff_cap_s),
            refresh=refresh,
            offline=offline,
        )
        self.provider = _provider(provider)
        self.name = f"optimade {provider}"
        self._filter = optimade_filter(stoichiometry, num_elements, extra_filter)
        self._energy = (energy or self.provider.energy or "").split("/")
        self._hull = (hull or self.provider.hull or "").split("/")
        self._page_size = page_size
        self._timeout_s = timeout_s

    @property
    def query(self) -> dict[str, Any]:
        """The filter, the database and the fields."""
        own = dict.fromkeys(place[0] for place in (self._energy, self._hull) if place[0])
        fields = [*_FIELDS, *own]
        base_url = self.provider.base_url
        return {"source": "optimade", "base_url": base_url, "filter": self._filter, "fields": fields}

    def _papers(self) -> str:
        return f"{self.provider.citation}; {CITATION}" if self.provider.citation else CITATION

    def _fetch(self) -> PageCache:
        """Count, follow the links over the pages that are missing, check, count again."""
        client = self._client(self.query["fields"])
        first = client.describe()
        if first.total == 0:
            msg = f"{self.name} has no entry with {self._filter}: check stoichiometry and num_elements"
            raise SourceError(msg)
        identity = {"page_size": self._page_size, "total": first.total, "database_version": first.version}
        cache = PageCache.of(self._root, {**self.query, **identity})
        ids = self._fetch_pages(client, cache, first)
        facts = facts_of(cache, lambda _: self.provider.license, lambda document: _at(document, self._energy))
        last = client.describe()
        try:
            if first.total is None or last.total is None:
                self._compare_ids(ids)
            else:
                page_cache.check_counts(facts["documents"], facts["unique_ids"], first.total, last.total)
        except SourceError:
            if cache.manifest() is None:  # an earlier download that was complete stays
                cache.discard()
            raise
        counts = {"count_before": first.total, "count_after": last.total, "query": self.query, "cite": self._papers()}
        cache.finish({**facts, **identity, **counts})
        _log.info("fetched %d entries of %s; please cite %s", facts["documents"], self.name, self._papers())
        return cache

    def _fetch_pages(self, client: OptimadeClient, cache: PageCache, first: Description) -> set[str]:
        """Fetch what is missing, and return the ids of all pages."""
        url: str | None = client.url()
        seen: set[str] = set()
        visited: set[str] = set()
        number = 0
        with page_cache.progress(self.name, first.total) as advance:
            while url is not None:
                number += 1
                page = cache.read(number)
                if page is None:
                    most = None if first.total is None else first.total - len(seen)
                    try:
                        page = client.page(url, number=number, seen=seen, visited=visited, most=most)
                    except RefusedError as error:
                        if number > 1:  # links of an earlier run may have expired
                            cache.discard()
                            msg = f"{error}. The pages before it were dropped: run again to start anew"
                            raise RefusedError(msg, status=error.status) from error
                        raise
                    cache.write(number, page)
                seen.update(document["material_id"] for document in page.documents)
                visited.add(url)
                url = page.following
                advance(len(page.documents))
        return seen

    def _client(self, fields: list[str]) -> OptimadeClient:
        return OptimadeClient(
            self.provider.base_url,
            self._filter,
            fields=fields,
            page_size=self._page_size,
            timeout_s=self._timeout_s,
            backoff=self._backoff,
        )

    def _compare_ids(self, ids: set[str]) -> None:
        """Go through the whole list once more, for the ids alone: the check where the server does not count."""
        client = self._client(["nelements"])
        client.describe()  # finds out again whether the server sorts
        url: str | None = client.url()
        again: set[str] = set()
        visited: set[str] = set()
        while url is not None:
            page = client.page(url, number=len(visited) + 1, seen=again, visited=visited, most=None)
            again.update(document["material_id"] for document in page.documents)
            visited.add(url)
            url = page.following
        if again != ids:
            msg = (
                f"{self.name} does not count its entries, and listed {len(ids)} the first and {len(again)} the second"
                f" time, {len(ids ^ again)} of them different: run again"
            )
            raise SourceError(msg)

    def _record(self, document: Document) -> StructureRecord:
        hull = finite(_at(document, self._hull))
        return StructureRecord(
            material_id=str(document["material_id"]),
            crystal=crystal_from_optimade(document["attributes"]),
            formation_energy_per_atom=finite(_at(document, self._energy)),
            energy_above_hull=None if hull is None else max(hull, 0.0),
            provenance={"database": self.provider.base_url, "license": self.provider.license},
        )


def _at(document: Document, place: list[str]) -> Any:
    """What a document has at a place, names from the outside in; None where there is nothing."""
    value: Any = document["attributes"]
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def optimade_filter(
    stoichiometry: str | None, num_elements: int | Sequence[int] | None, extra: str | None = None
) -> str:
    """The filter for a stoichiometry, which OPTIMADE writes with descending amounts, or for numbers of elements."""
    numbers = numbers_of_elements(num_elements)
    if stoichiometry is not None:
        parsed = parse_stoichiometry(stoichiometry)
        parsed.check_elements(num_elements)
        text = f'chemical_formula_anonymous="{parsed.descending}"'
    elif numbers is None:
        text = "nelements>=1"  # a filter that all entries pass
    else:
        text = " OR ".join(f"nelements={number}" for number in numbers)
        text = text if len(numbers) == 1 else f"({text})"
    return f"{text} AND ({extra})" if extra else text


def _provider(name: str) -> Provider:
    if name in PROVIDERS:
        return PROVIDERS[name]
    if name.startswith(("http://", "https://")):
        return Provider(name.rstrip("/").removesuffix("/v1"))
    msg = f"unknown OPTIMADE provider {name!r}: name one of {', '.join(PROVIDERS)}, or give the base URL of another"
    raise SourceError(msg)
