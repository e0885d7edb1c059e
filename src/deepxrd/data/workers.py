"""Processes that build a data set: on this machine, or of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from joblib import Parallel, cpu_count, parallel_config

from deepxrd.chem import StructureLimits
from deepxrd.errors import ConfigError
from deepxrd.io.cluster import connected
from deepxrd.io.stopping import check_jobs, worker_pool

_WORTH_A_PROCESS = 5_000  # crystals: fewer are simulated before another process has started
_BACKENDS = ("loky", "dask")


@dataclass(frozen=True)
class BuildOptions:
    """How a store is built, and the largest structures that go into it.

    Attributes:
        n_jobs: processes; -1 for one per core, or as many as there is work for.
        device: where torch simulates patterns, such as ``cuda``; there one process is enough unless more are asked for.
        backend: joblib's: ``loky`` for processes on this machine, ``dask`` for workers that see the same files.
        scheduler: address of the Dask scheduler, such as ``tcp://host:8786``.
        max_failed_share: stop if more than this share of the source cannot be read.
        max_atoms: see `StructureLimits`, which says what each of these three is for.
        max_cell_volume_angstrom3: see there.
        max_reflections: see there.
    """

    n_jobs: int = -1
    device: str = "cpu"
    backend: str = "loky"
    scheduler: str | None = None
    max_failed_share: float = 0.05
    max_atoms: int = StructureLimits.max_atoms
    max_cell_volume_angstrom3: float = StructureLimits.max_cell_volume_angstrom3
    max_reflections: int = StructureLimits.max_reflections

    def __post_init__(self) -> None:
        if self.backend not in _BACKENDS:
            msg = f"unknown build.backend {self.backend!r}: it is one of {', '.join(_BACKENDS)}"
            raise ConfigError(msg)
        if self.scheduler and self.backend != "dask":
            msg = f"build.scheduler={self.scheduler} is for build.backend=dask, not {self.backend}: set both or none"
            raise ConfigError(msg)
        if not 0 <= self.max_failed_share <= 1:  # which is so of what is not a number
            msg = f"build.max_failed_share={self.max_failed_share}: give a share from 0 to 1"
            raise ConfigError(msg)
        check_jobs(self.n_jobs, option="build.n_jobs=")
        _ = self.limits  # an impossible one is refused now, not after the source was read

    @property
    def limits(self) -> StructureLimits:
        """The largest structure that is taken."""
        return StructureLimits(self.max_atoms, self.max_cell_volume_angstrom3, self.max_reflections)


@contextmanager
def workers(options: BuildOptions, n_crystals: int) -> Iterator[Parallel]:
    """What runs the parts of a build, a few parts ahead of those that are done.

    Raises:
        ConfigError: Dask is asked for but is not installed, or its scheduler cannot be reached or has no worker.
        ClusterError: a worker is unlike this process.
    """
    if options.backend == "loky":
        enough = min(cpu_count(), ceil(n_crystals / _WORTH_A_PROCESS))
        if options.device != "cpu":
            enough = 1  # a GPU is kept busy by one process, and each more takes memory there
        n_jobs = enough if options.n_jobs == -1 else options.n_jobs
        yield worker_pool(n_jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
        return
    if not options.scheduler:
        msg = "build.backend=dask needs build.scheduler=tcp://HOST:PORT, as `dask scheduler` prints it"
        raise ConfigError(msg)
    with connected(options.scheduler, option="build.scheduler="), parallel_config("dask", n_jobs=-1):
        yield Parallel(return_as="generator_unordered", pre_dispatch="4*n_jobs")
