"""Downloads kept page by page: atomic gzip files, a manifest at the end, and the checks that let a page in.

One download is one folder, named by what it answers: the query, the version of the database, the page size and the
number of documents. So a second run fetches only the pages that are missing, and never mixes two databases.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from deepxrd.errors import SourceError
from deepxrd.io.files import atomic_path, canonical_json
from deepxrd.sources.retry import TransientError

Document = dict[str, Any]
_MANIFEST = "manifest.json"
_PROGRESS_AFTER_S = 2.0
_STALE_AFTER_S = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """Some documents, in the order in which the server sent them.

    Attributes:
        documents: the entries of the database.
        following: where the server says that the next page is, for servers that are read link by link.
    """

    documents: list[Document]
    following: str | None = None


class PageCache:
    """The folder of one download."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, root: Path, identity: Mapping[str, Any]) -> PageCache:
        """The folder under ``root`` for what ``identity`` describes; nothing is created yet."""
        digest = hashlib.sha256(canonical_json(identity).encode()).hexdigest()
        return cls(root / digest[:16])

    @classmethod
    def find_complete(cls, root: Path, query: Mapping[str, Any]) -> PageCache | None:
        """The newest complete download that answers ``query``, whatever the version of the database; None if none."""
        found = []
        for path in sorted(root.glob(f"*/{_MANIFEST}")):
            cache = cls(path.parent)
            manifest = cache.manifest()
            if manifest is None or manifest.get("query") != json.loads(canonical_json(query)):
                continue
            if cache.is_whole(manifest):
                found.append((str(manifest["finished"]), cache))
            else:
                _log.warning("%s lacks pages that its manifest lists; they are fetched again", cache.folder)
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def manifest(self) -> dict[str, Any] | None:
        """What :meth:`finish` wrote; None while the download is not complete."""
        try:
            manifest = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("cannot read %s (%s): its pages are checked again", self.folder / _MANIFEST, error)
            return None
        return manifest if isinstance(manifest, dict) else None

    def is_whole(self, manifest: Mapping[str, Any]) -> bool:
        """Whether every page that the manifest lists is there with the size it lists."""
        files = [(self.folder / page["file"], page["bytes"]) for page in manifest["pages"]]
        return all(file.is_file() and file.stat().st_size == size for file, size in files)

    def read(self, number: int) -> Page | None:
        """Page ``number``, counted from 1; None where it is missing or damaged, and so has to be fetched."""
        path = self._path(number)
        try:
            return _unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
            _log.warning("%s is damaged (%s); it is fetched again", path, error)
            return None

    def write(self, number: int, page: Page) -> None:
        """Write page ``number`` whole or not at all.

        Raises:
            SourceError: the disk is full, or the folder cannot be written.
        """
        text = canonical_json({"documents": page.documents, "following": page.following})
        write_atomic(self._path(number), gzip.compress(text.encode(), compresslevel=6, mtime=0))

    def pages(self) -> Iterator[Page]:
        """All pages from 1 to the last that is there, one in memory at a time."""
        number = 1
        while (page := self.read(number)) is not None:
            yield page
            number += 1

    def finish(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest, which makes the download complete, and return it.

        Args:
            facts: what to record beside the pages and their hashes; must hold ``query``.
        """
        content = hashlib.sha256()  # of the documents alone, so that it does not depend on the page size
        pages: list[dict[str, Any]] = []
        for number, page in enumerate(self.pages(), start=1):
            for document in page.documents:
                content.update(canonical_json(document).encode() + b"\n")
            packed = self._path(number).read_bytes()
            digest = hashlib.sha256(packed).hexdigest()
            name = self._path(number).name
            pages.append({"file": name, "documents": len(page.documents), "bytes": len(packed), "sha256": digest})
        manifest = {
            **facts,
            "documents": sum(page["documents"] for page in pages),
            "content_sha256": content.hexdigest(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "pages": pages,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        write_atomic(self.folder / _MANIFEST, text.encode())
        self._sweep()
        return manifest

    def documents(self) -> Iterator[Document]:
        """The documents of a complete download, one page in memory at a time.

        Raises:
            SourceError: a page is gone, or is not what the manifest says.
        """
        manifest = self.manifest()
        if manifest is None:
            msg = f"the download in {self.folder} is not complete; run again to finish it"
            raise SourceError(msg)
        for entry in manifest["pages"]:
            path = self.folder / entry["file"]
            packed = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(packed).hexdigest() != entry["sha256"]:
                msg = f"{path} is gone or damaged: delete it, and the next run fetches it again"
                raise SourceError(msg)
            yield from _unpack(packed).documents

    def discard(self) -> None:
        """Remove the folder and all in it, such as pages that do not add up."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what killed runs left half written; fresh files may belong to another run."""
        for left_over in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if time.time() - left_over.stat().st_mtime > _STALE_AFTER_S:
                    left_over.unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"page-{number:05d}.json.gz"


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, see :func:`deepxrd.io.files.atomic_path`.

    Raises:
        SourceError: the disk is full, or the folder cannot be written; nothing is left of the attempt.
    """
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        msg = (
            f"cannot write {path}: {error.strerror or error}. Free some space, or choose another place with"
            " source.cache_dir=FOLDER; the pages that were written are kept, and the next run resumes from them"
        )
        raise SourceError(msg) from error


def check_length(documents: Sequence[Document], wanted: int) -> None:
    """Refuse a page that is shorter or longer than it has to be."""
    if len(documents) != wanted:
        msg = f"{len(documents)} documents where {wanted} were expected"
        raise TransientError(msg)


def check_unique(ids: Sequence[str]) -> None:
    """Refuse a page that names an entry twice."""
    if len(set(ids)) != len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})
        msg = f"{', '.join(twice[:5])} came twice"
        raise TransientError(msg)


def check_ascending(ids: Sequence[str], previous: str | None) -> None:
    """Refuse a page that is not sorted, or does not come after the page before it.

    Servers sort ids as text (mp-1000 before mp-149) or by their number; either will do, as long as it is strict.
    """
    chain = [*([] if previous is None else [previous]), *ids]
    for key in (_as_text, _by_number):
        if all(key(left) < key(right) for left, right in pairwise(chain)):
            return
    msg = f"its entries, {ids[0]} to {ids[-1]}, are not in ascending order after {previous or 'the start'}"
    raise TransientError(msg)


def check_present(documents: Sequence[Document], required: Sequence[str]) -> None:
    """Refuse a page in which a document lacks something that every document has."""
    lacking = [name for name in required if any(document.get(name) is None for document in documents)]
    if lacking:
        msg = f"documents without {', '.join(lacking)}"
        raise TransientError(msg)


def check_counts(found: int, unique: int, first: int, last: int) -> None:
    """Refuse a download unless documents, unique ids and both counts of the server agree.

    Raises:
        SourceError: they do not.
    """
    if not found == unique == first == last:
        msg = (
            f"the download does not add up: {found} documents with {unique} unique ids, while the server counted"
            f" {first} before and {last} after. The database may have changed meanwhile: run again"
        )
        raise SourceError(msg)


def check_version(first: str, last: str) -> None:
    """Refuse a download during which the database became another; an unknown version (empty) tells nothing.

    Raises:
        SourceError: it did.
    """
    if first and last and first != last:
        msg = f"the database changed from {first} to {last} during the download: run again"
        raise SourceError(msg)


class Advance(Protocol):
    """What :func:`progress` hands out: call it with the number of documents that arrived."""

    def __call__(self, documents: int) -> None:
        """Count some more documents."""


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Advance]:
    """Show a bar on standard error, but only once the work has lasted for two seconds.

    Args:
        description: what is done at the time.
        total: how many documents are to come; None if nobody knows.
    """
    from deepxrd.io.progress import progress_bar

    bar = progress_bar()
    task = bar.add_task(description, total=total)
    begun = time.monotonic()

    def advance(documents: int) -> None:
        bar.update(task, advance=documents)
        if time.monotonic() - begun > _PROGRESS_AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def _unpack(packed: bytes) -> Page:
    content = json.loads(gzip.decompress(packed))
    return Page(list(content["documents"]), content["following"])


def _as_text(name: str) -> tuple[str, ...]:
    return (name,)


def _by_number(name: str) -> tuple[Any, ...]:
    """Sort key of an id such as mp-149; ids that end in letters (mp-aaaabmm) come after those that end in a number."""
    match = re.fullmatch(r"(.*?)(\d+)", name)
    prefix = name.partition("-")[0] if match is None else match[1].partition("-")[0]
    return (prefix, 1, 0, name) if match is None else (prefix, 0, int(match[2]), "")
