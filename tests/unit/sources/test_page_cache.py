from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from deepxrd.errors import SourceError
from deepxrd.sources import page_cache
from deepxrd.sources.page_cache import Page, PageCache
from deepxrd.sources.retry import TransientError

QUERY = {"source": "test", "fields": ["a"], "search": {"n": 3}}


def documents(*numbers: int) -> list[dict[str, object]]:
    return [{"material_id": f"mp-{number}", "x": 0.1 * number, "name": "α"} for number in numbers]


def complete(root: Path, *pages: Page, version: str = "1") -> PageCache:
    cache = PageCache.of(root, {**QUERY, "version": version})
    for number, page in enumerate(pages, start=1):
        cache.write(number, page)
    cache.finish({"query": QUERY, "database_version": version})
    return cache


def test_pages_come_back_as_they_were(tmp_path: Path) -> None:
    pages = [Page(documents(1, 2), "http://next"), Page(documents(3))]
    cache = complete(tmp_path, *pages)
    assert list(cache.pages()) == pages
    assert list(cache.documents()) == documents(1, 2, 3)
    manifest = cache.manifest()
    assert manifest is not None
    assert manifest["documents"] == 3


def test_equal_pages_are_equal_bytes(tmp_path: Path) -> None:
    first, second = (PageCache(tmp_path / name) for name in "ab")
    first.write(1, Page([{"a": 1, "b": 2}]))
    second.write(1, Page([{"b": 2, "a": 1}]))
    assert (first.folder / "page-00001.json.gz").read_bytes() == (second.folder / "page-00001.json.gz").read_bytes()


def test_content_hash_depends_on_the_documents_alone(tmp_path: Path) -> None:
    def content(*pages: Page, version: str) -> str:
        manifest = complete(tmp_path, *pages, version=version).manifest()
        assert manifest is not None
        return str(manifest["content_sha256"])

    whole = content(Page(documents(1, 2, 3)), version="1")
    assert whole == content(Page(documents(1), "next"), Page(documents(2, 3)), version="2")
    assert whole != content(Page(documents(1, 2, 4)), version="3")


def test_each_identity_has_its_own_folder(tmp_path: Path) -> None:
    identities = [{**QUERY, "version": "1"}, {**QUERY, "version": "2"}, {**QUERY, "version": "1", "total": 9}]
    assert len({PageCache.of(tmp_path, identity).folder for identity in identities}) == 3
    assert not list(tmp_path.iterdir())


def test_only_a_complete_download_of_the_same_query_is_found(tmp_path: Path) -> None:
    assert PageCache.find_complete(tmp_path / "nowhere", QUERY) is None
    begun = PageCache.of(tmp_path, {**QUERY, "version": "0"})
    begun.write(1, Page(documents(1)))
    assert PageCache.find_complete(tmp_path, QUERY) is None
    cache = complete(tmp_path, Page(documents(1)))
    found = PageCache.find_complete(tmp_path, QUERY)
    assert found is not None
    assert found.folder == cache.folder
    assert PageCache.find_complete(tmp_path, {**QUERY, "search": {"n": 4}}) is None


def test_the_newest_is_found(tmp_path: Path) -> None:
    old, new = (complete(tmp_path, Page(documents(1)), version=version) for version in "12")
    for cache, finished in ((old, "2026-05-01T00:00:00+00:00"), (new, "2026-06-01T00:00:00+00:00")):
        path = cache.folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "finished": finished}))
    found = PageCache.find_complete(tmp_path, QUERY)
    assert found is not None
    assert found.folder == new.folder


@pytest.mark.parametrize("content", [b"", b"no gzip", b"{}"])
def test_damaged_page_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    cache = PageCache(tmp_path)
    cache.write(1, Page(documents(1)))
    (tmp_path / "page-00001.json.gz").write_bytes(content)
    assert cache.read(1) is None


def test_every_cut_of_a_page_counts_as_missing(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache.write(1, Page(documents(*range(20))))
    path = tmp_path / "page-00001.json.gz"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.read(1) is None


def test_page_that_is_gone_or_changed_stops_the_reader(tmp_path: Path) -> None:
    cache = complete(tmp_path, Page(documents(1)), Page(documents(2)))
    cache.write(2, Page(documents(3)))
    with pytest.raises(SourceError, match=r"page-00002.json.gz is gone or damaged"):
        list(cache.documents())
    (cache.folder / "page-00002.json.gz").unlink()
    assert PageCache.find_complete(tmp_path, QUERY) is None


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_damaged_manifest_means_not_complete(tmp_path: Path, content: str) -> None:
    cache = complete(tmp_path, Page(documents(1)))
    (cache.folder / "manifest.json").write_text(content)
    assert PageCache.find_complete(tmp_path, QUERY) is None
    with pytest.raises(SourceError, match="not complete"):
        list(cache.documents())


def test_finish_sweeps_what_killed_runs_left(tmp_path: Path) -> None:
    cache = PageCache.of(tmp_path, {**QUERY, "version": "1"})
    cache.write(1, Page(documents(1)))
    old, fresh = cache.folder / ".page-00001.json.gz.abc.gz", cache.folder / ".page-00001.json.gz.def.gz"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.finish({"query": QUERY, "database_version": "1"})
    assert list(cache.folder.glob(".*")) == [fresh]  # which a run beside this one may be writing


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    cache = PageCache(tmp_path / "new")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SourceError, match=rf"{os.strerror(number)}.*source.cache_dir"):
        cache.write(1, Page(documents(1)))
    assert not list((tmp_path / "new").iterdir())


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot write"):
        PageCache(tmp_path / "file" / "below").write(1, Page([]))


def test_checks_pass_what_is_sound() -> None:
    page_cache.check_length(documents(1, 2), 2)
    page_cache.check_unique(["mp-1", "mp-2"])
    page_cache.check_present(documents(1, 2), ("material_id", "x"))
    page_cache.check_counts(2, 2, 2, 2)
    page_cache.check_version("1", "1")
    page_cache.check_version("", "1")


@pytest.mark.parametrize(
    ("ids", "previous"),
    [
        (["mp-149", "mp-1000"], None),  # by number
        (["mp-1000", "mp-149"], None),  # as text
        (["mp-aaaaabmm", "mp-aaaaabmn"], "mp-9"),
        (["mp-5", "mvc-3"], "mp-4"),
        (["1000041", "1000042"], "1000017"),
        ([], "mp-4"),
    ],
)
def test_ascending(ids: list[str], previous: str | None) -> None:
    page_cache.check_ascending(ids, previous)


@pytest.mark.parametrize(
    ("ids", "previous"), [(["mp-2", "mp-1"], None), (["mp-1", "mp-1"], None), (["mp-1"], "mp-2"), (["mp-1"], "mp-1")]
)
def test_not_ascending(ids: list[str], previous: str | None) -> None:
    with pytest.raises(TransientError, match="ascending"):
        page_cache.check_ascending(ids, previous)


def test_checks_refuse_what_is_not() -> None:
    with pytest.raises(TransientError, match="1 documents where 2"):
        page_cache.check_length(documents(1), 2)
    with pytest.raises(TransientError, match="mp-1 came twice"):
        page_cache.check_unique(["mp-1", "mp-2", "mp-1"])
    with pytest.raises(TransientError, match="without structure"):
        page_cache.check_present([{"material_id": "mp-1", "structure": None}], ("material_id", "structure"))
    with pytest.raises(SourceError, match="from 1 to 2"):
        page_cache.check_version("1", "2")


@pytest.mark.parametrize("numbers", [(1, 2, 2, 2), (2, 1, 2, 2), (2, 2, 1, 2), (2, 2, 2, 1)])
def test_counts_have_to_agree(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(SourceError, match="does not add up"):
        page_cache.check_counts(*numbers)


def test_progress_is_silent_at_first_and_on_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with page_cache.progress("quick", 2) as advance:
        advance(1)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(page_cache, "_PROGRESS_AFTER_S", -1.0)
    with page_cache.progress("long", 2) as advance:
        advance(2)
        time.sleep(0.01)
    out, err = capfd.readouterr()
    assert out == ""
    assert "long" in err
    assert "2/2" in err
