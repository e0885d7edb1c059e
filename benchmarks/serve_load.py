"""Many users at once on ``deepxrd serve``, and a server that is killed: on this machine's loopback alone.

    python benchmarks/serve_load.py --users 50 --seconds 120 --out results

Each user types a formula, has it understood, predicts it, reads, and goes on with another; formulas are drawn from a
list, so that most were asked for before, as those of a course or a group are, while ``--fresh`` lets the given share be
compounds that nobody has asked for yet. Then a screening is begun, the server is killed while it runs, and started
again. The servers are our own; the loops are bounded in count and time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from deepxrd.io.files import write_json, write_text
from deepxrd.io.provenance import git_commit, machine

PORT = 18_765
ADDRESS = f"http://127.0.0.1:{PORT}"
WARM = (
    "SrTiO3", "BaTiO3", "MgO", "Al2O3", "ZnO", "Fe2O3", "LiCoO2", "NaCl", "K2SO4", "Li7La3Zr2O12", "PbTiO3", "Si",
    "GaN", "CaCO3", "Y3Al5O12", "CsPbI3", "LaFeO3", "Cu2O", "MoS2", "Bi2Te3", "MgAl2O4", "CaF2", "BaSO4", "NiO",
)  # fmt: skip
MOST_REQUESTS_EACH = 2000
PAGE = """# How much the page bears

Made by `make bench-serve` (benchmarks/serve_load.py, commit {commit}): nothing here was typed.

{users} users at once for {seconds:.0f} s on {cores} cores, {workers} workers, over loopback. Each types a formula,
predicts it, reads for {think_s:g} s in the mean, and goes on. Other programs ran: the load average was
{load_average_before} before and {load_average_after} after. The server with its workers got {cpu_share} cores in the
mean. A formula that nobody had asked for needs 0.15 s of a core: where they get less than that, requests queue.

| request | n | median | 95th percentile | 99th percentile |
|---|---:|---:|---:|---:|
{table}

Errors: {errors}. Memory of the server and its workers together: {memory_mb_first_third:,} MB in the first third of the
time, {memory_mb_last_third:,} MB in the last, {memory_mb_highest:,} MB at most. Answers to 128 formulas are kept.

**Killed while a job runs.** Of a screening of {rows} rows {done_when_killed} were done when the server got SIGKILL.
Started again on the same folder, it went on by itself: {state_after}, {rows_in_result} rows in the result. The job
says "{message}".
"""
N_SCREENED = 128


@dataclass
class Tally:
    """What all users saw."""

    warm_s: list[float] = field(default_factory=list)
    understood_s: list[float] = field(default_factory=list)
    fresh_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


def main() -> None:
    """Start a server, let users ask, and print and keep what they saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--think", type=float, default=3.0, help="mean time that a user reads, s")
    parser.add_argument("--fresh", type=float, default=0.1, help="share of formulas that nobody has asked for")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as state:
        process = start(Path(state), options.workers)
        try:
            tally = asyncio.run(load(process, options))
        finally:
            process.terminate()
            process.wait(30)
        found = {
            **summary(tally, options),
            "load_average_before": round(before, 1),
            "load_average_after": round(os.getloadavg()[0], 1),
            "killed": kill_and_resume(Path(state), options.workers),
            "commit": git_commit(),
            "machine": machine(),
        }
    print(json.dumps(found, indent=2))
    if options.out:
        write_json(options.out / "page.json", found)
        write_text(options.out / "page.md", page(found))


def start(state: Path, workers: int) -> subprocess.Popen[str]:
    """A server that is ready."""
    command = [sys.executable, "-m", "deepxrd.cli", "serve", "--no-browser", "--port", str(PORT), "--state", str(state)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # users compute elsewhere: on Linux a session has a share of the cores of its own
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    for line in process.stdout:
        if line.startswith("open "):
            return process
    msg = "the server did not start"
    raise SystemExit(msg)


def fresh_formulas() -> Iterator[str]:
    """Formulas one after the other that are in no list, such as Sr3Zr2S7."""
    for a, b, x, n, m in itertools.product(("Ca", "Sr", "Ba", "La"), ("Ti", "Zr", "Hf"), ("O", "S"), (1, 2, 3), (1, 2)):
        for k in range(2, 12):
            yield f"{a}{n}{b}{m}{x}{k}"


async def load(process: subprocess.Popen[str], options: argparse.Namespace) -> Tally:
    """All users, for a while; the warm formulas are asked for once before."""
    tally, fresh = Tally(), fresh_formulas()
    limits = httpx.Limits(max_connections=options.users)
    async with httpx.AsyncClient(base_url=ADDRESS, timeout=60, limits=limits) as client:
        for formula in WARM:
            (await client.post("/api/predict", json={"formulas": [formula]})).raise_for_status()
        end = time.monotonic() + options.seconds
        watch = asyncio.create_task(watch_memory(process, tally, end))
        await asyncio.gather(
            *(user(client, random.Random(seed), tally, fresh, end, options) for seed in range(options.users))
        )
        await watch
    return tally


def kill_and_resume(state: Path, workers: int) -> dict[str, Any]:
    """Begin a screening, kill the server once a part of it is done, start another, and see what becomes of it."""
    table = "formula\n" + "\n".join(itertools.islice(fresh_formulas(), N_SCREENED)) + "\n"

    def job(job_id: str) -> dict[str, Any]:
        return httpx.get(f"{ADDRESS}/api/jobs/{job_id}").json()

    process = start(state, workers)
    job_id = httpx.post(f"{ADDRESS}/api/jobs", files={"file": ("many.csv", table)}).json()["id"]
    for _ in range(3000):
        if job(job_id)["n_done"]:
            break
        time.sleep(0.05)
    done_before = job(job_id)["n_done"]
    process.kill()
    process.wait(30)
    process = start(state, workers)
    try:
        for _ in range(3000):
            after = job(job_id)
            if after["state"] not in ("waiting", "running"):
                break
            time.sleep(0.1)
        rows = httpx.post(f"{ADDRESS}/api/jobs/{job_id}/rows", json={"n": 0}, timeout=60).json()["n_rows"]
    finally:
        process.terminate()
        process.wait(30)
    return {
        "rows": N_SCREENED,
        "done_when_killed": done_before,
        "state_after": after["state"],
        "message": after["message"],
        "rows_in_result": rows,
    }


async def user(  # noqa: PLR0917 - a script's own
    client: httpx.AsyncClient, draw: random.Random, tally: Tally, fresh: Iterator[str], end: float, options: Any
) -> None:
    """One user."""
    await asyncio.sleep(draw.uniform(0, options.think))
    for _ in range(MOST_REQUESTS_EACH):
        if time.monotonic() > end:
            return
        new = next(fresh) if draw.random() < options.fresh else None
        formula = new or draw.choice(WARM)
        tally.understood_s.append(await timed(client.get("/api/formula", params={"text": formula}), tally))
        took = await timed(client.post("/api/predict", json={"formulas": [formula]}), tally)
        (tally.fresh_s if new else tally.warm_s).append(took)
        await asyncio.sleep(draw.expovariate(1 / options.think))


async def timed(asked: Awaitable[httpx.Response], tally: Tally) -> float:
    """Seconds until an answer is there; what is no answer is noted as an error."""
    begun = time.perf_counter()
    try:
        answer = await asked
        if answer.status_code != 200:
            tally.errors.append(f"{answer.status_code} {answer.text[:200]}")
    except httpx.HTTPError as error:
        tally.errors.append(repr(error))
    return time.perf_counter() - begun


async def watch_memory(process: subprocess.Popen[str], tally: Tally, end: float) -> None:
    """Resident memory and processor time of the server and its workers, every five seconds."""
    own = psutil.Process(process.pid)
    begun = time.monotonic()
    while time.monotonic() < end:
        some = [own, *own.children(recursive=True)]
        tally.memory_mb.append((time.monotonic() - begun, sum(each.memory_info().rss for each in some) / 2**20))
        tally.cpu_s.append(sum(sum(each.cpu_times()[:2]) for each in some))
        await asyncio.sleep(5)


def summary(tally: Tally, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of a load."""

    def times(values: list[float]) -> dict[str, float]:
        ordered = sorted(values)
        at = {"median_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
        return {
            "n": len(values),
            **{name: round(ordered[int(share * (len(ordered) - 1))], 4) for name, share in at.items() if ordered},
        }

    memory = [value for _, value in tally.memory_mb]
    third = max(1, len(memory) // 3)
    return {
        "users": options.users,
        "seconds": options.seconds,
        "think_s": options.think,
        "workers": options.workers,
        "warm": times(tally.warm_s),
        "understood": times(tally.understood_s),
        "fresh": times(tally.fresh_s),
        "errors": len(tally.errors),
        "first_errors": tally.errors[:3],
        "cpu_share": round((tally.cpu_s[-1] - tally.cpu_s[0]) / options.seconds, 2),
        "memory_mb_first_third": round(statistics.mean(memory[:third])),
        "memory_mb_last_third": round(statistics.mean(memory[-third:])),
        "memory_mb_highest": round(max(memory)),
    }


def page(found: dict[str, Any]) -> str:
    """The figures as a page."""
    rows = {
        "a prediction that was asked for before": found["warm"],
        "a prediction of a formula that nobody had asked for": found["fresh"],
        "what is understood of a formula while it is typed": found["understood"],
    }
    table = "\n".join(
        f"| {name} | {of['n']:,} | {of['median_s']:.3f} s | {of['p95_s']:.3f} s | {of['p99_s']:.3f} s |"
        for name, of in rows.items()
    )
    return PAGE.format(table=table, **{**found, **found["machine"], **found["killed"]})


if __name__ == "__main__":
    main()
