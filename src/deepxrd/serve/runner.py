"""Screenings, one after the other, in parts that workers do between the requests of people who wait."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from pathlib import Path

from deepxrd.errors import DeepXRDError
from deepxrd.serve.errors import CrowdedError
from deepxrd.serve.jobs import OPEN, Job, JobStore, is_id, new_id
from deepxrd.serve.pool import Pool
from deepxrd.serve.screening import PARQUET, ROWS_PER_PART
from deepxrd.serve.settings import Limits

_LOG = logging.getLogger("deepxrd.serve")
_CLEAN_EVERY_S = 3600.0
_AFTER_ERROR_S = 10.0
_LEAST_FREE_BYTES = 512 * 2**20
_PARQUET_MARK = b"PAR1"


class Runner:
    """The jobs of a server.

    Args:
        folder: for the jobs and their table.
        pool: of workers.
        limits: see `Limits`.
    """

    def __init__(self, folder: Path, pool: Pool, limits: Limits) -> None:
        self.store = JobStore(folder / "jobs.sqlite")
        self._folder, self._pool, self._limits = folder / "jobs", pool, limits
        self._folder.mkdir(parents=True, exist_ok=True)
        self._wake = asyncio.Event()
        self._cleaned = float("-inf")

    def submit(self, upload: Path, name: str) -> Job:
        """Take an uploaded table, moved into a folder of its own, and let its screening wait.

        Raises:
            CrowdedError: too many wait, or the disk is nearly full.
        """
        if shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            msg = "the server's disk is nearly full: delete jobs that are no longer needed"
            raise CrowdedError(msg)
        job_id = new_id()
        folder = self._folder / job_id
        folder.mkdir()
        with upload.open("rb") as stream:
            is_parquet = stream.read(4) == _PARQUET_MARK or name.lower().endswith(".parquet")
        shutil.copyfile(upload, folder / f"table{'.parquet' if is_parquet else '.csv'}")
        try:
            job = self.store.add(name, most_open=self._limits.jobs, job_id=job_id)
        except CrowdedError:
            shutil.rmtree(folder)
            raise
        self._wake.set()
        return job

    def folder_of(self, job: Job) -> Path:
        """Where its files are."""
        return self._folder / job.id

    def cancel(self, job_id: str) -> Job:
        """End a job that waits or runs; what a worker is at is finished, and thrown away."""
        job = self.store.get(job_id)
        self.store.update(job.id, state="cancelled", message="cancelled")
        return self.store.get(job.id)

    def delete(self, job_id: str) -> None:
        """Cancel a job and delete all that it left."""
        job = self.cancel(job_id)
        self.store.delete(job.id)
        shutil.rmtree(self.folder_of(job), ignore_errors=True)

    def clean(self) -> None:
        """Delete jobs that are older than they are kept, and folders that belong to none."""
        for job in self.store.older_than(self._limits.keep_days * 86400):
            self.delete(job.id)
        known = {job.id for job in self.store.all()}
        for folder in self._folder.iterdir():
            if is_id(folder.name) and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    async def run_forever(self) -> None:
        """Run what waits, also what an earlier server left; clean up now and then.

        An error of the disk or of the table of jobs is logged, and after a while all is tried again.
        """
        begun = False
        while True:
            try:
                if not begun:
                    self.store.begin_again()
                    begun = True
                await self._step()
            except Exception:  # noqa: BLE001 - a full disk or a locked table must not end all jobs that follow
                _LOG.exception("screenings are tried again in %g s", _AFTER_ERROR_S)
                begun = False  # a job whose end could not be written down does not run any more: it waits again
                await asyncio.sleep(_AFTER_ERROR_S)

    async def _step(self) -> None:
        """Clean up if it is time, and run one job or wait for one."""
        now = asyncio.get_running_loop().time()
        if now - self._cleaned > _CLEAN_EVERY_S:
            self._cleaned = now  # first, so that a folder that cannot be cleaned does not keep jobs waiting
            self.clean()
        job = self.store.next_waiting()
        if job is None:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _CLEAN_EVERY_S)
            return
        try:
            await self._run(job)
        except DeepXRDError as error:
            self.store.update(job.id, state="failed", message=str(error))
        except Exception as error:  # noqa: BLE001 - one job must not end all that follow
            _LOG.exception("job %s", job.id)
            self.store.update(job.id, state="failed", message=f"{type(error).__name__}: see the server's log")

    async def _run(self, job: Job) -> None:
        folder, limits = self.folder_of(job), self._limits
        self.store.update(job.id, state="running")
        [table] = folder.glob("table.*")
        rows = await self._pool.call(
            "read_table", table, job.name, limits.rows, limit_s=limits.prediction_s, patient=True
        )
        self.store.update(job.id, n_rows=len(rows))
        n_skipped = 0
        starts = range(0, max(len(rows), 1), ROWS_PER_PART)  # of no rows there is a part, too: results without a row
        parts = [folder / "parts" / f"part-{number:05d}.parquet" for number in range(len(starts))]
        for start, part in zip(starts, parts, strict=True):
            some = rows[start : start + ROWS_PER_PART]
            n_skipped += await self._pool.call("screen_part", some, part, limit_s=limits.part_s, patient=True)
            if not self._is_open(job):
                return
            self.store.update(job.id, n_done=start + len(some), n_skipped=n_skipped)
        await self._pool.call("join_parts", parts, folder, limit_s=limits.part_s, patient=True)
        if self._is_open(job) and (folder / PARQUET).is_file():
            said = "" if rows else f"{job.name} holds no formulas"  # in place of that it was resumed
            self.store.update(job.id, state="done", message=said)
            for name in ("parts", "hashes"):
                shutil.rmtree(folder / name, ignore_errors=True)

    def _is_open(self, job: Job) -> bool:
        """Whether a job was neither cancelled nor deleted in the meantime."""
        return any(each.id == job.id and each.state in OPEN for each in self.store.all())
