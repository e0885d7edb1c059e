"""Build the full Ternary data set undisturbed, killed and resumed, and on a Dask cluster that loses a worker.

    python benchmarks/bench_build.py --parquet mp-ternary.parquet --out results

Prints and writes ``build.md``: wall time, peak memory of all processes together, and whether the bytes are the same.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from distributed import LocalCluster

from deepxrd.data import PatternStore
from deepxrd.io.files import file_hash
from deepxrd.io.provenance import git_commit, machine, versions

_FILES = ("patterns.npy", "samples.parquet", "manifest.json")


@dataclass
class Outcome:
    """What one build took and left."""

    name: str
    seconds: float
    peak_mb: float
    hashes: dict[str, str]


def main() -> None:
    """Run the three builds and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        command = [sys.executable, "-m", "deepxrd.prepare", "data=ternary", "source=files", "card=null"]
        command.append(f"source.path={arguments.parquet.resolve()}")
        outcomes = [undisturbed(command, root / "a"), killed(command, root / "b"), on_dask(command, root / "c")]
        [store] = (root / "a/stores").glob("files-*")
        counts = PatternStore.open(store).manifest["counts"]
    torch_mb = memory_of_importing_torch()
    text = report(outcomes, counts, torch_mb)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "build.md").write_text(text, encoding="utf-8")
    print(f"results: {arguments.out / 'build.md'}")


def undisturbed(command: list[str], data_dir: Path) -> Outcome:
    """One build on all cores of this machine."""
    start = time.perf_counter()
    process = launch(command, data_dir)
    peak = watch(process)
    return Outcome("undisturbed", time.perf_counter() - start, peak, hashes(data_dir))


def killed(command: list[str], data_dir: Path) -> Outcome:
    """``kill -9`` for all its processes after a third of the parts, then the same command again."""
    start = time.perf_counter()
    process = launch(command, data_dir)
    wait_for_parts(data_dir, 25)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    peak = watch(launch(command, data_dir))
    return Outcome("killed by SIGKILL, then the same command", time.perf_counter() - start, peak, hashes(data_dir))


def on_dask(command: list[str], data_dir: Path) -> Outcome:
    """Two worker processes of a Dask cluster, one of which is killed in the middle."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        victim = next(iter(cluster.workers.values())).pid

        def kill() -> None:
            wait_for_parts(data_dir, 25)
            os.kill(victim, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        start = time.perf_counter()
        options = ["build.backend=dask", f"build.scheduler={cluster.scheduler_address}"]
        peak = watch(launch([*command, *options], data_dir))
        seconds = time.perf_counter() - start
        thread.join()
    return Outcome("Dask, 2 workers, one killed", seconds, peak, hashes(data_dir))


def launch(command: list[str], data_dir: Path) -> subprocess.Popen[bytes]:
    """Start a build in a process group of its own."""
    full = [*command, f"paths.data_dir={data_dir}"]
    return subprocess.Popen(full, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


def watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end; the largest memory of the process and its children, in MB (shared pages count once)."""
    peak = 0.0
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for member in (parent, *_children(parent)):
            try:
                total += member.memory_full_info().pss
            except psutil.Error:
                continue
        peak = max(peak, total / 1e6)
        time.sleep(0.3)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return peak


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return parent.children(recursive=True)
    except psutil.Error:
        return []


def wait_for_parts(data_dir: Path, n: int) -> None:
    """Until so many parts of the data set are on disk."""
    while len(list(data_dir.glob("stores/*.partial/part-*.parquet"))) < n:
        time.sleep(0.02)


def hashes(data_dir: Path) -> dict[str, str]:
    """Hash of each file of the one store there."""
    [store] = (data_dir / "stores").glob("files-*")
    return {name: file_hash(store / name) for name in _FILES}


def memory_of_importing_torch() -> float:
    """Resident memory of a process that has imported torch and nothing else, MB."""
    script = "import torch, psutil; print(psutil.Process().memory_full_info().pss)"
    return float(subprocess.check_output([sys.executable, "-c", script])) / 1e6  # noqa: S603


def report(outcomes: list[Outcome], counts: dict[str, object], torch_mb: float) -> str:
    """The table, as Markdown."""
    lines = [
        "# Building Ternary-XRD from the snapshot",
        "",
        f"`make bench-build`, commit `{git_commit()[:12]}`, {machine()['processor']}, {machine()['cores']} cores.",
        f"Versions: {versions(('torch', 'pymatgen', 'numpy'))}.",
        f"{counts['samples']} patterns of {counts['entries_in_source']} structures; left out: {counts['excluded']}.",
        f"A process that only imports torch takes {torch_mb:.0f} MB.",
        "",
        "| build | wall time (s) | peak memory of all processes (MB) | same bytes as undisturbed |",
        "|---|---|---|---|",
    ]
    first = outcomes[0].hashes
    for outcome in outcomes:
        same = "yes" if outcome.hashes == first else "NO"
        lines.append(f"| {outcome.name} | {outcome.seconds:.0f} | {outcome.peak_mb:.0f} | {same} |")
    lines += ["", "SHA-256: " + ", ".join(f"`{name}` {value[:16]}…" for name, value in first.items()), ""]
    lines.append("On Dask the workers' memory is not counted: they are the cluster's.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
