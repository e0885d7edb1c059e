"""What the sources that download have in common: the first use fetches, every later one reads the same files."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from deepxrd.errors import SourceError
from deepxrd.sources.base import ReadFailure, Source, StructureRecord
from deepxrd.sources.files import read_one
from deepxrd.sources.page_cache import Document, Page, PageCache
from deepxrd.sources.retry import Backoff, RefusedError, TransientError

_log = logging.getLogger(__name__)


class DownloadedSource(Source):
    """A source whose records come from one complete download.

    Args:
        root: the folder of all downloads of this source.
        backoff: how to try again.
        refresh: ask the server even though a complete download is there.
        offline: never ask a server; it wins over ``refresh``.
    """

    def __init__(self, root: Path, *, backoff: Backoff, refresh: bool, offline: bool = False) -> None:
        self._root = root
        self._backoff = backoff
        self._refresh = refresh and not offline
        self._offline = offline
        self._fetched: PageCache | None = None

    @property
    @abstractmethod
    def query(self) -> dict[str, Any]:
        """What is asked for, in plain values; two sources with equal queries share their downloads."""

    @abstractmethod
    def _fetch(self) -> PageCache:
        """Fetch, or finish fetching, and check the whole."""

    @abstractmethod
    def _record(self, document: Document) -> StructureRecord:
        """The record of one document; may raise anything."""

    @abstractmethod
    def _papers(self) -> str:
        """What to cite, whatever the version."""

    @property
    def citation(self) -> str:
        """The papers, and once there is a download, the version of the database and the date."""
        cache = self._fetched or PageCache.find_complete(self._root, self.query)
        manifest = cache.manifest() if cache is not None else None
        if manifest is None:
            return self._papers()
        version = manifest["database_version"] or "of unknown version"
        return f"{self._papers()}; database {version}, fetched {manifest['finished'][:10]}"

    def fingerprint(self) -> dict[str, str]:
        """The version of the database, and the hash of all documents."""
        return {
            "source": self.name,
            "database_version": str(self._manifest["database_version"]),
            "sha256": str(self._manifest["content_sha256"]),
        }

    def __len__(self) -> int:
        return int(self._manifest["documents"])

    def __iter__(self) -> Iterator[StructureRecord | ReadFailure]:
        return map(self._read, self._complete.documents())

    def at(self, positions: Collection[int]) -> Iterator[StructureRecord | ReadFailure]:
        """See :meth:`Source.at`; no other document is made a structure of."""
        wanted = frozenset(positions)
        return (self._read(each) for position, each in enumerate(self._complete.documents()) if position in wanted)

    def _read(self, document: Document) -> StructureRecord | ReadFailure:
        return read_one(str(document["material_id"]), lambda: self._record(document))

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return self._complete.manifest() or {}

    @property
    def _complete(self) -> PageCache:
        """The complete download: what is there already, or else what is fetched now."""
        if self._fetched is None and not self._refresh:
            self._fetched = PageCache.find_complete(self._root, self.query)
        if self._fetched is None:
            if self._offline:
                msg = (
                    f"{self.name}: there is no complete download of it in {self._root}, and it may not ask a server "
                    "(offline=true, as for all settings out of a run's folder): type source.offline=false to let it"
                )
                raise SourceError(msg)
            try:
                self._fetched = self._fetch()
            except (RefusedError, TransientError) as error:
                kept = f" The pages that were fetched are kept in {self._root}." if self._root.exists() else ""
                msg = f"{self.name}: {error}.{kept} {self._way_on()}"
                raise SourceError(msg) from None  # the first exception may hold the request, and with it a key
        return self._fetched

    def _way_on(self) -> str:
        return (
            "To continue without it: source=files reads your own structures, and the default, source=prototypes,"
            " needs no network"
        )


def kept_page(cache: PageCache, number: int, checked: Callable[[list[Document]], object]) -> Page | None:
    """Page ``number`` of an earlier run, if it is there and passes the checks that a fetched one has to pass."""
    page = cache.read(number)
    if page is None:
        return None
    try:
        checked(page.documents)
    except TransientError as error:
        _log.warning("page %d in %s: %s; it is fetched again", number, cache.folder, error)
        return None
    return page


def facts_of(
    cache: PageCache, license_of: Callable[[Document], str], energy_of: Callable[[Document], Any]
) -> dict[str, Any]:
    """Counts over all pages of a download, one page in memory at a time."""
    ids: set[str] = set()
    documents = with_energy = 0
    licenses: Counter[str] = Counter()
    for page in cache.pages():
        for document in page.documents:
            documents += 1
            ids.add(str(document.get("material_id")))
            with_energy += finite(energy_of(document)) is not None
            licenses[license_of(document)] += 1
    return {
        "documents": documents,
        "unique_ids": len(ids),
        "with_formation_energy": with_energy,
        "licenses": dict(licenses),
    }


def finite(value: Any) -> float | None:
    """A number, or None where there is none or it is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
