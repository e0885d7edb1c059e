"""What a cluster is asked for: no worker is waited for where there is nothing to do."""

from __future__ import annotations

import pytest

from deepxrd.errors import ClusterError
from deepxrd.io import cluster


class _WithoutWorkers:
    """A scheduler's client that knows of no worker."""

    def nthreads(self) -> dict[str, int]:
        return {}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_WITHOUT_WORKERS_S", 0.0)
    monkeypatch.setattr(cluster, "_LOOK_AGAIN_S", 0.01)


def test_without_work_no_worker_is_needed() -> None:
    assert list(cluster.done_by_workers(_WithoutWorkers(), [])) == []  # type: ignore[arg-type]


def test_with_work_the_want_of_workers_is_told() -> None:
    with pytest.raises(ClusterError, match="no worker is left"):
        list(cluster.done_by_workers(_WithoutWorkers(), [(print, (), {})]))  # type: ignore[arg-type]
