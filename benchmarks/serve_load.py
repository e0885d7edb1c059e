"""Many users at once on ``deepxrd serve``: errors, times and memory, on this machine's loopback alone.

    python benchmarks/serve_load.py --users 50 --seconds 120 --out results/serve

Each user predicts a formula, reads, and predicts another; formulas are drawn from a list, so that most were asked for
before (warm), as those of a course or a group are, while ``--fresh`` lets the given share be compounds that nobody has
asked for yet. A server of its own is started and ended; the loops are bounded in count and time.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from deepxrd.io.files import write_json

PORT = 18_765
ADDRESS = f"http://127.0.0.1:{PORT}"
WARM = (
    "SrTiO3", "BaTiO3", "MgO", "Al2O3", "ZnO", "Fe2O3", "LiCoO2", "NaCl", "K2SO4", "Li7La3Zr2O12", "PbTiO3", "Si",
    "GaN", "CaCO3", "Y3Al5O12", "CsPbI3", "LaFeO3", "Cu2O", "MoS2", "Bi2Te3", "MgAl2O4", "CaF2", "BaSO4", "NiO",
)  # fmt: skip
MOST_REQUESTS_EACH = 2000


@dataclass
class Tally:
    """What all users saw."""

    warm_s: list[float] = field(default_factory=list)
    fresh_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)


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
    with tempfile.TemporaryDirectory() as state:
        process = start(Path(state), options.workers)
        try:
            tally = asyncio.run(load(process, options))
        finally:
            process.terminate()
            process.wait(30)
    found = summary(tally, options)
    print(json.dumps(found, indent=2))
    if options.out:
        write_json(options.out / "load.json", found)


def start(state: Path, workers: int) -> subprocess.Popen[str]:
    """A server that is ready."""
    command = [sys.executable, "-m", "deepxrd.cli", "serve", "--no-browser", "--port", str(PORT), "--state", str(state)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--workers", str(workers)], stdout=subprocess.PIPE, text=True
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


async def user(  # noqa: PLR0917 - a script's own
    client: httpx.AsyncClient, draw: random.Random, tally: Tally, fresh: Iterator[str], end: float, options: Any
) -> None:
    """One user."""
    await asyncio.sleep(draw.uniform(0, options.think))
    for _ in range(MOST_REQUESTS_EACH):
        if time.monotonic() > end:
            return
        new = next(fresh) if draw.random() < options.fresh else None
        begun = time.perf_counter()
        try:
            answer = await client.post("/api/predict", json={"formulas": [new or draw.choice(WARM)]})
            if answer.status_code != 200:
                tally.errors.append(f"{answer.status_code} {answer.text[:200]}")
        except httpx.HTTPError as error:
            tally.errors.append(repr(error))
        (tally.fresh_s if new else tally.warm_s).append(time.perf_counter() - begun)
        await asyncio.sleep(draw.expovariate(1 / options.think))


async def watch_memory(process: subprocess.Popen[str], tally: Tally, end: float) -> None:
    """Resident memory of the server and its workers, every five seconds."""
    own = psutil.Process(process.pid)
    begun = time.monotonic()
    while time.monotonic() < end:
        some = [own, *own.children(recursive=True)]
        tally.memory_mb.append((time.monotonic() - begun, sum(each.memory_info().rss for each in some) / 2**20))
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
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "warm": times(tally.warm_s),
        "fresh": times(tally.fresh_s),
        "errors": len(tally.errors),
        "first_errors": tally.errors[:3],
        "memory_mb_first_third": round(statistics.mean(memory[:third])),
        "memory_mb_last_third": round(statistics.mean(memory[-third:])),
        "memory_mb_highest": round(max(memory)),
    }


if __name__ == "__main__":
    main()
