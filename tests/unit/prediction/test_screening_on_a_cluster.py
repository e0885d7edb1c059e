"""Screening by the workers of a Dask cluster: the bytes of one process, whatever becomes of a worker."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

import made_predictor
from deepxrd.cli.main import main
from deepxrd.errors import ClusterError, ConfigError, StoreError
from deepxrd.io import cluster as of_io
from deepxrd.io.cluster import identity, refuse_others
from deepxrd.prediction.screening import screen
from deepxrd.prediction.screening_part import part_schema, write_part_on_cluster
from made_predictor import FORMULAS, Deadly, Fake, Slow, contents, other_elsewhere, write_csv


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers; a piece of work may end one of them, at the second it is given up."""
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("table") / "f.csv", [*FORMULAS, "Xx"])


@pytest.fixture(scope="module")
def whole(table: Path) -> dict[str, bytes]:
    """What one process writes."""
    screen(Fake, table, table.parent / "whole", rows_per_part=2)
    return contents(table.parent / "whole")


def wait_for_parts(out: Path, n: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.glob("patterns/part-*"))) < n:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_workers_write_what_one_process_writes_and_finish_what_it_began(
    cluster: LocalCluster, table: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers are in another folder
    with pytest.raises(KeyboardInterrupt):
        screen(lambda: Fake(fail_after=3), table, Path("out"), rows_per_part=2)
    assert len(list(Path("out/patterns").iterdir())) == 3
    done = screen(Fake, table, Path("out"), rows_per_part=2, scheduler=cluster.scheduler_address)
    assert (done.n_predicted, done.n_skipped) == (20, 1)
    assert contents(tmp_path / "out") == whole


def test_a_worker_that_is_killed_costs_its_part_which_another_makes(
    cluster: LocalCluster, table: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    victim = next(iter(cluster.workers.values())).pid

    def kill() -> None:
        wait_for_parts(tmp_path / "out", 2)
        os.kill(victim, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    screen(Slow, table, tmp_path / "out", rows_per_part=2, scheduler=cluster.scheduler_address)
    thread.join()
    assert victim not in {worker.pid for worker in cluster.workers.values()}
    written = contents(tmp_path / "out")
    assert {name: written[name] for name in whole} == whole
    assert all(Path(name).name.startswith(".") for name in set(written) - set(whole)), "only temporary files besides"


def test_a_worker_with_other_weights_is_refused(cluster: LocalCluster, table: Path, tmp_path: Path) -> None:
    load = functools.partial(other_elsewhere, os.getpid())
    with pytest.raises(ClusterError, match=r"could not do part-0000\d.parquet: the weights or libraries are not"):
        screen(load, table, tmp_path / "out", rows_per_part=2, scheduler=cluster.scheduler_address)
    assert not list(tmp_path.glob("out/patterns/*"))


@pytest.mark.slow
def test_a_part_that_kills_every_worker_is_named_and_the_others_are_made(
    cluster: LocalCluster, table: Path, tmp_path: Path
) -> None:
    load = functools.partial(Deadly, os.getpid())
    with pytest.raises(ClusterError, match=r"^part-00009\.parquet: every worker that took it was killed"):
        screen(load, table, tmp_path / "out", rows_per_part=2, scheduler=cluster.scheduler_address)
    assert len(list(tmp_path.glob("out/patterns/part-*"))) == 10
    assert screen(load, table, tmp_path / "out", rows_per_part=2).n_predicted == 20, "one process resumes"


def test_ctrl_c_ends_the_command_and_not_the_workers(
    cluster: LocalCluster, table: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(made_predictor.__file__).parent)!r})
from pathlib import Path
from deepxrd.cli.exit_codes import run
from deepxrd.prediction.screening import screen
from made_predictor import Slow
run(lambda: screen(Slow, Path({str(table)!r}), Path("out"), rows_per_part=2,
                   scheduler={cluster.scheduler_address!r}))
"""
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for_parts(tmp_path / "out", 2)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    assert "the same command resumes it; the parts that are written are kept" in said
    assert "Traceback" not in said
    time.sleep(0.5)  # parts that a worker was at are written
    assert len(list(tmp_path.glob("out/patterns/part-*"))) < 11
    screen(Fake, table, tmp_path / "out", rows_per_part=2, scheduler=cluster.scheduler_address)
    assert contents(tmp_path / "out") == whole


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    part = tmp_path / "out/patterns/part-00000.parquet"
    with pytest.raises(StoreError, match=r"it does not see .*manifest\.json .*--out that all machines share"):
        write_part_on_cluster(Fake, "a", [(2, "NaCl")], part, part_schema(Fake()), manifest_sha256="0")
    assert not part.parent.exists()


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"deepxrd": "0.0.1"}, r"tcp://b has deepxrd 0\.0\.1, and this process deepxrd"),
        ({"the code of deepxrd": "0"}, "has the code of deepxrd 0, and"),
        ({"pyarrow": "not installed"}, "has pyarrow not installed"),
        (ModuleNotFoundError("No module named 'deepxrd'"), r"cannot run this deepxrd \(No module named 'deepxrd'\)"),
    ],
)
def test_a_worker_that_is_unlike_this_process_is_refused(theirs: dict[str, str] | Exception, told: str) -> None:
    ours = identity()
    refuse_others({"tcp://a": ours})
    with pytest.raises(ClusterError, match=told):
        refuse_others({"tcp://a": ours, "tcp://b": theirs if isinstance(theirs, Exception) else {**ours, **theirs}})


def test_a_scheduler_that_is_none_or_has_no_worker_is_named(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_io, "_ANSWERS_S", 0.3)
    for address in ("tcp://127.0.0.1:9", "host", "no://host:1"):
        with pytest.raises(ConfigError, match=f"no Dask scheduler answers at --scheduler {address}"):
            screen(Fake, table, tmp_path / "out", scheduler=address)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty,
        pytest.raises(ConfigError, match=r"has no worker: dask worker tcp://\S+ --nthreads 1 starts one"),
    ):
        screen(Fake, table, tmp_path / "out", scheduler=empty.scheduler_address)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["SrTiO3"], "--scheduler tcp://host:8786 is for a --file"),
        (["--file", "f.csv", "--jobs", "2"], "leave it out, or --scheduler"),
    ],
)
def test_what_a_cluster_is_not_for_is_refused(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *given, "--scheduler", "tcp://host:8786"])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
