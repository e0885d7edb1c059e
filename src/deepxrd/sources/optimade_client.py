"""Reading an OPTIMADE database link by link (specification 1.2; Evans et al. 2024), with plain requests.

The official client is not used: a refusal or a broken answer becomes an empty list in it, a server that is too busy is
asked for ever (its count of tries starts anew at each), everything is held in memory, and nothing can be resumed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

from deepxrd.sources.page_cache import Document, Page
from deepxrd.sources.retry import Backoff, RefusedError, TransientError, in_a_line, retry_after_s

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_NO_SORT = frozenset({400, 403, 422, 501})
_COORDINATES = ("lattice_vectors", "cartesian_site_positions", "species", "species_at_sites")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What a server says of itself and of the filter.

    Attributes:
        version: of the database or, where it has none, its size.
        total: how many entries match; None where the server does not count them.
    """

    version: str
    total: int | None


class OptimadeClient:
    """One filter on one database.

    Args:
        base_url: the database, without version and slash.
        filter_text: in the OPTIMADE filter language.
        fields: what to ask for of each entry, and to keep.
        page_size: entries in one answer.
        timeout_s: how long to wait for an answer.
        backoff: how to try again.
    """

    def __init__(
        self, base_url: str, filter_text: str, *, fields: list[str], page_size: int, timeout_s: float, backoff: Backoff
    ) -> None:
        import requests

        self._base_url, self._filter, self._fields, self._page_size = base_url, filter_text, fields, page_size
        self._timeout_s, self._backoff = timeout_s, backoff
        self._session = requests.Session()
        self._session.headers["user-agent"] = "deepxrd"
        self._sort: dict[str, str] | None = None

    def describe(self) -> Description:
        """Ask for one entry, to learn the version and the count; finds out whether the server sorts."""
        if self._sort is None:
            self._sort = {"sort": "id"}
            try:
                return self.describe()
            except RefusedError as error:
                if error.status not in _NO_SORT:
                    raise
                _log.info("%s does not sort (%s)", self._base_url, error)
                self._sort = {}
        url = self.url(page_size=1)
        meta = self._run("count", lambda: self._json(url)["meta"])
        database = (meta.get("database") or {}).get("version")
        available, total = meta.get("data_available"), meta.get("data_returned")
        version = database or (f"of {available} entries" if available is not None else "")
        return Description(str(version), None if total is None else int(total))

    def url(self, *, page_size: int | None = None) -> str:
        """Address of the first page of all entries."""
        query = {
            "filter": self._filter,
            "response_fields": ",".join(self._fields),
            "page_limit": str(page_size or self._page_size),
            **(self._sort or {}),
        }
        return f"{self._base_url}/v1/structures?{urlencode(query)}"

    def page(self, url: str, *, number: int, seen: set[str], visited: set[str], most: int | None) -> Page:
        """The entries behind a link, and the link that follows.

        A server may send fewer entries than it was asked for, and may have entries without coordinates; but a fault
        looks the same. So such a page is believed only if it comes a second time just as it was.

        Args:
            url: the link.
            number: of the page, for messages.
            seen: ids of the pages before.
            visited: links of the pages before.
            most: how many entries there can still be; None if nobody knows.
        """
        before: Page | None = None
        for _ in range(max(2, self._backoff.attempts)):
            page = self._run(f"page {number}", lambda: self._page(url, seen, visited))
            wanted = self._page_size if most is None else min(self._page_size, most)
            complete = len(page.documents) == wanted and (page.following is not None or most in (None, wanted))
            if most is None and page.following is None:
                complete = True  # a last page may be of any length
            expected = [name for name in _COORDINATES if name in self._fields]
            complete = complete and all(
                document["attributes"][name] for document in page.documents for name in expected
            )
            if complete or page == before:
                return page
            before = page
        msg = f"page {number}: the server gives another answer each time to {url}"
        raise TransientError(msg)

    def _page(self, url: str, seen: set[str], visited: set[str]) -> Page:
        content = self._json(url)
        documents: list[Document] = [
            {
                "material_id": str(entry["id"]),
                "attributes": {name: entry["attributes"].get(name) for name in self._fields},
            }
            for entry in content["data"]
        ]
        ids = [document["material_id"] for document in documents]
        twice = sorted({name for name in ids if name in seen or ids.count(name) > 1})
        if twice:
            msg = f"{', '.join(twice[:5])} came twice"
            raise TransientError(msg)
        link = (content.get("links") or {}).get("next")
        link = link.get("href") if isinstance(link, dict) else link
        if link is None and content["meta"].get("more_data_available"):
            msg = "there is more, but no link to it"
            raise TransientError(msg)
        if link is not None and not documents:
            msg = "an empty page that links to a next one"
            raise TransientError(msg)
        following = urljoin(url, link) if link else None
        if following is not None and following in {url, *visited}:
            msg = f"the links lead in a circle, back to {following}"
            raise TransientError(msg)
        return Page(documents, following)

    def _json(self, url: str) -> dict[str, Any]:
        answer = self._session.get(url, timeout=self._timeout_s)
        if not answer.ok:
            msg = f"{answer.status_code} {_details(answer)}"
            if answer.status_code in _PASSING:
                raise TransientError(msg, retry_after_s=retry_after_s(answer.headers.get("Retry-After")))
            raise RefusedError(msg, status=answer.status_code)
        content: dict[str, Any] = answer.json()
        if not isinstance(content["data"], list) or not isinstance(content["meta"], dict):
            msg = "an answer without a list of entries"
            raise TransientError(msg)
        return content

    def _run(self, what: str, call: Callable[[], _T]) -> _T:
        import requests

        def translated() -> _T:
            try:
                return call()
            except TransientError as error:
                msg = f"{what}: {error}"
                raise TransientError(msg, retry_after_s=error.retry_after_s) from error
            except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
                msg = f"{what}: {in_a_line(error)}"
                raise TransientError(msg) from error

        return self._backoff.run(translated, what="OPTIMADE")


def _details(answer: Any) -> str:
    """The server's own words on why it refused."""
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{error.get('title')}: {error.get('detail')}" for error in errors)[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(str(answer.text).split())[:200]
