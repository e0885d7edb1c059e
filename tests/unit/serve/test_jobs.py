"""The table of screenings."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepxrd.serve.errors import CrowdedError, NotFoundError
from deepxrd.serve.jobs import JobStore, is_id, new_id


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs.sqlite")


def add(store: JobStore, name: str = "a.csv", *, most_open: int = 9) -> str:
    return store.add(name, most_open=most_open, job_id=new_id()).id


def test_the_oldest_is_next(store: JobStore) -> None:
    first, second = add(store), add(store)
    assert store.next_waiting() == store.get(first)
    store.update(first, state="running", n_rows=7)
    assert store.get(first).n_rows == 7
    assert store.next_waiting() == store.get(second)
    assert [job.id for job in store.all()] == [second, first]


def test_a_job_that_ran_when_the_server_ended_waits_again(store: JobStore, tmp_path: Path) -> None:
    job = add(store)
    store.update(job, state="running", n_done=5)
    again = JobStore(tmp_path / "jobs.sqlite")
    assert again.begin_again() == 1
    assert (again.get(job).state, again.get(job).n_done) == ("waiting", 5)
    assert "resumed" in again.get(job).message


@pytest.mark.parametrize("ended", ["cancelled", "done", "failed"])
def test_what_has_ended_stays_so(store: JobStore, ended: str) -> None:
    job = add(store)
    store.update(job, state=ended)
    store.update(job, state="running", n_done=3)
    assert (store.get(job).state, store.get(job).n_done) == (ended, 0)
    assert store.begin_again() == 0


def test_no_more_wait_than_may(store: JobStore) -> None:
    first = add(store, most_open=2)
    add(store, most_open=2)
    with pytest.raises(CrowdedError, match="2 screenings"):
        add(store, most_open=2)
    store.update(first, state="cancelled")
    add(store, most_open=2)


def test_old_ones_are_those_that_have_ended(store: JobStore) -> None:
    done, running = add(store), add(store)
    store.update(done, state="done")
    store.update(running, state="running")
    assert [job.id for job in store.older_than(-1)] == [done]
    assert store.older_than(60) == []
    store.delete(done)
    with pytest.raises(NotFoundError, match=done):
        store.get(done)


@pytest.mark.parametrize("text", ["", "../x", "A" * 32, "0" * 31, "0" * 33, "0" * 31 + "\n", "٠" * 32])
def test_only_names_of_ours_are_names(text: str) -> None:
    assert not is_id(text)
    assert is_id(new_id())


def test_a_name_is_text_and_no_sql(store: JobStore) -> None:
    job = add(store, "'); DROP TABLE jobs; --")
    assert store.get(job).name == "'); DROP TABLE jobs; --"
    with pytest.raises(NotFoundError):
        store.get("' OR 1=1 --")
