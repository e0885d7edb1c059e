"""The calls of the Materials Project's official client, mp-api, that are safe to build on.

Left to itself the client loses documents without a word where an answer is short, empty or doubled, energies where the
first document of a page has none, and it retries three times within 0.6 s or not at all. So only one sorted page at a
time is asked for, without the document model, and every retry happens here.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import Any, TypeVar

from deepxrd.errors import SourceError
from deepxrd.sources.page_cache import Document
from deepxrd.sources.retry import Backoff, RefusedError, TransientError, in_a_line, retry_after_s

ENDPOINT = "https://api.materialsproject.org/"
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
CREATED_AT = "created_at"
WAY_ON = (
    "To continue without the Materials Project: source=optimade needs no key, source=files reads your own structures,"
    " and the default, source=prototypes, needs no network"
)
_KEY_VARIABLE = "MP_API_KEY"
_KEY_LENGTH = 32
_GNOME_BATCH = "gnome_r2scan_statics"
_REFUSED = re.compile(r"status code (401|403|404|405|410|413|414|422)\b")
_FORBIDDEN = 403
_NOT_SUPPORTED = "does not support the request"
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class MaterialsProjectClient:
    """The calls of mp-api that are safe, each with a timeout, retried here, and with errors that tell two kinds apart.

    Args:
        endpoint: the server, with a slash at its end.
        key: the user's key; it goes into the header of the requests and nowhere else.
        search: arguments of ``SummaryRester.search``.
        timeout_s: how long to wait for an answer.
        backoff: how to try again.
        dates: whether to ask for the day that each entry was made, too, in a second request per page.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        *,
        search: dict[str, Any],
        timeout_s: float,
        backoff: Backoff,
        dates: bool = False,
    ) -> None:
        rester, provenance, self._format_id, self.api_version = _import_client()
        import requests

        self._endpoint, self._key, self._search = endpoint, key, search
        self._timeout_s, self._backoff = timeout_s, backoff
        self._asked_wait_s: float | None = None
        self._requests = requests
        # Its own session would retry three times within 0.6 s, or sleep for as long as a server cares to say.
        session = requests.Session()
        session.headers.update({"x-api-key": key, "user-agent": f"deepxrd (mp-api/{self.api_version})"})
        session.hooks["response"].append(self._note_wait)

        def started(kind: Any) -> Any:
            return kind(
                api_key=key,
                endpoint=endpoint,
                session=session,
                timeout=timeout_s,
                use_document_model=False,
                mute_progress_bars=True,
            )

        self._rester = self._call("the start of the client", lambda: started(rester))
        self._provenance = self._call("the start of the client", lambda: started(provenance)) if dates else None

    def version(self) -> str:
        """The version of the database; empty where the server will not say (403)."""

        def ask() -> str:
            answer = self._requests.get(f"{self._endpoint}heartbeat", timeout=self._timeout_s)
            self._asked_wait_s = retry_after_s(answer.headers.get("Retry-After"))
            if answer.status_code == _FORBIDDEN:
                _log.warning("the server does not tell its database version; the download cannot be resumed")
                return ""
            if not answer.ok:
                msg = f"the server answered {answer.status_code}"
                raise TransientError(msg, retry_after_s=self._asked_wait_s)
            return str(answer.json()["db_version"])

        return self._call("heartbeat", ask)

    def count(self) -> int:
        """How many documents answer the search."""
        search = dict(self._search)
        criteria: dict[str, Any] = {"deprecated": search["deprecated"]}
        if "num_elements" in search:
            numbers = search["num_elements"]
            least, most = numbers if isinstance(numbers, list) else (numbers, numbers)
            criteria |= {"nelements_min": least, "nelements_max": most}
        if "formula" in search:
            criteria["formula"] = search["formula"]
        if not search["include_gnome"]:
            criteria["batch_id_not_eq"] = _GNOME_BATCH
        return self._call("count", lambda: int(self._rester.count(dict(criteria))))

    def page(self, number: int, size: int, checked: Callable[[list[Document]], None]) -> list[Document]:
        """One sorted page that passed its checks."""

        def ask() -> list[Document]:
            documents: list[Document] = self._rester.search(
                **self._search, fields=list(FIELDS), chunk_size=size, _page=number, _sort_fields="material_id"
            )
            for document in documents:
                document["material_id"] = self._format_id(document["material_id"], legacy=True)
            checked(documents)
            if self._provenance is not None:
                days = self._days([document["material_id"] for document in documents])
                for document in documents:
                    document[CREATED_AT] = days.get(document["material_id"])
            return documents

        return self._call(f"page {number}", ask)

    def _days(self, ids: list[str]) -> dict[str, str]:
        """The day that each entry was made, such as ``2011-05-13``; of one that has none twice over, nothing.

        Summaries do not hold it, only when they were built; the documents of provenance do.
        """
        days: dict[str, str] = {}
        for _ in range(2):  # an answer may be short without a word
            missing = [each for each in ids if each not in days]
            if not missing or self._provenance is None:
                break
            for document in self._provenance.search(
                material_ids=missing, fields=["material_id", CREATED_AT], chunk_size=len(missing)
            ):
                name = self._format_id(document["material_id"], legacy=True)
                if name not in missing:
                    msg = f"the server was asked for the dates of {len(missing)} entries and gave that of {name}"
                    raise TransientError(msg)
                if document.get(CREATED_AT):
                    days[name] = day_of(document[CREATED_AT])
        return days

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        def translated() -> _T:
            self._asked_wait_s = None
            try:
                return call()
            except TransientError as error:
                msg = f"{what}: {error}"
                raise TransientError(msg, retry_after_s=error.retry_after_s) from None
            except Exception as error:  # noqa: BLE001 - the client raises KeyError, JSON errors and its own, as it comes
                raise self._translate(what, error) from None

        return self._backoff.run(translated, what="Materials Project")

    def _translate(self, what: str, error: Exception) -> TransientError | RefusedError:
        text = f"{what}: {in_a_line(error, secret=self._key)}"
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


def key_from_environment() -> str:
    """The user's key.

    Raises:
        SourceError: there is none, or it cannot be one.
    """
    key = os.environ.get(_KEY_VARIABLE, "").strip()
    how = f"get one, free of charge, at https://materialsproject.org/api and export it as {_KEY_VARIABLE}"
    if not key:
        msg = f"source=materials_project needs an API key: {how}. {WAY_ON}"
        raise SourceError(msg)
    if len(key) != _KEY_LENGTH:
        msg = f"the key in {_KEY_VARIABLE} has {len(key)} characters, not {_KEY_LENGTH}: {how}. {WAY_ON}"
        raise SourceError(msg)
    return key


def day_of(moment: Any) -> str:
    """The day of a moment as the server writes it, such as ``2011-05-13T14:21:50`` or, in extended JSON, an object.

    Raises:
        TransientError: it is none.
    """
    text = str(moment.get("$date", "") if isinstance(moment, dict) else moment)[:10]
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        msg = f"the server gives {moment!r} for the time at which an entry was made"
        raise TransientError(msg) from None


def _import_client() -> tuple[Any, Any, Any, str]:
    """``SummaryRester``, ``ProvenanceRester``, ``format_identifier``, and the version of mp-api.

    Takes seconds, hence only when fetching.
    """
    try:
        rester = import_module("mp_api.client.routes.materials.summary").SummaryRester
        provenance = import_module("mp_api.client.routes.materials.provenance").ProvenanceRester
        format_identifier = import_module("emmet.core.types.typing").format_identifier
        version = str(import_module("mp_api.client.core.client").__version__)
    except ImportError as error:
        msg = f"source=materials_project needs the package mp-api ({error}): pip install 'deepxrd[mp]'. {WAY_ON}"
        raise SourceError(msg) from error
    logging.getLogger("mp_api").setLevel(logging.ERROR)  # it sets itself up to write to standard error
    quicker = {
        # It would ask once more, with no timeout and no retry, what version() asks.
        "_get_heartbeat_info": staticmethod(lambda _endpoint: ("", [])),
        # It would derive this list anew from its document model for each field of each page: 0.3 s a page.
        "available_fields": list(FIELDS),
    }
    of_dates = {**quicker, "available_fields": ["material_id", CREATED_AT]}
    summary = type("SummaryRester", (rester,), quicker)
    return summary, type("ProvenanceRester", (provenance,), of_dates), format_identifier, version
