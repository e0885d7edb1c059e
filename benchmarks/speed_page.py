"""The page and the chart of speed, from what the benchmarks have written.

    python benchmarks/speed_page.py --results results

Reads ``speed/*.json`` and ``speed/notes.md`` and writes ``speed.md`` and ``speed/train.png``. What was not measured yet
is left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from deepxrd.io.files import write_text
from speed_tables import compared_at, is_busy, middle, provenance, table
from speed_training import chart, compared, finished, layers, parity, training

OLDER = "(older)"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    folder = parser.parse_args().results / "speed"
    read = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    whole = read["finished"] if isinstance(read["finished"], list) else [read["finished"]]
    sections = [
        "# Speed\n\nMade by `benchmarks/speed_page.py` from [speed/](speed): do not edit.",
        overview(read),
        start(read["start"]) if "start" in read else "",
        screening(read["screening"]) if "screening" in read else "",
        cluster(read["cluster"]) if "cluster" in read else "",
        simulation(read["sizes"]) if "sizes" in read else "",
        network(read["screening-network"], read["screening-network-million"]),
        training([read["train"], read["train-all-cores"]]),
        parity(read["parity"]),
        finished(whole),
        layers(read["layers"]),
        (folder / "notes.md").read_text().strip(),
    ]
    write_text(folder.parent / "speed.md", "\n\n".join(filter(None, sections)) + "\n")
    chart(read["train"]).savefig(folder / "train.png", dpi=150)
    print(f"results: {folder.parent / 'speed.md'}")


def overview(read: dict[str, Any]) -> str:
    """What a user does, before and after, with the ratio of one run."""
    rows: list[tuple[str, ...]] = []
    if "start" in read:
        rows += [
            change(f"`{name}`", runs, "seconds", "s", read["start"]) for name, runs in read["start"]["runs"].items()
        ]
    if "screening" in read:
        for n_jobs, runs in read["screening"]["runs"].items():
            what = f"`deepxrd predict --file`, formulas per s, {n_jobs} process{'es' * (n_jobs != '1')}"
            rows.append(change(what, runs, "per_s", "", read["screening"]))
    for result in (read["train"], read["train-all-cores"]):
        was, now, ratio = compared(result)["training, samples per s"]
        memory = compared(result)["peak memory, MB"]
        n = result["machine"]["threads"]
        what = f"training the network of Table 1, samples per s, {n} thread{'s' * (n > 1)}"
        where = f"`{result['commit'][:9]}`, older"
        rows.append((what, was, now, ratio, f"{memory[0]} → {memory[1]}", where))
    header = ("what a user does", "before", "after", "ratio", "memory, MB", "measured on")
    return f"""## What a user does

{table(header, rows)}

*Before* and *after* ran in turn in one run, on the same machine; each ratio is of that run. Before: the commit named in
the section below (of training: a plain float32 loop with torch's own layers). What is marked *older* was measured on
the commit that stands there, and not again since."""


def change(what: str, runs: dict[str, Any], key: str, unit: str, result: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table: medians of both trees."""
    was, now = (middle(runs[tree], key) for tree in ("before", "after"))
    memory = " → ".join(f"{middle(runs[tree], 'peak_mb'):.0f}" for tree in ("before", "after"))
    ratio = was / now if key == "seconds" else now / was
    shown = [f"{value:.2f} {unit}" if key == "seconds" else f"{value:.0f}" for value in (was, now)]
    busy = ", busy machine" if is_busy(result) else ""
    return what, *shown, f"× {ratio:.1f}", memory, f"`{result['commits']['after'][:9]}`{busy}"


def start(result: dict[str, Any]) -> str:
    """Cold start of some commands."""
    rows = []
    for name, runs in result["runs"].items():
        for tree, taken in runs.items():
            cpu = middle(taken, "cpu_seconds")
            least, most = (pick(run["seconds"] for run in taken) for pick in (min, max))
            seconds = f"{middle(taken, 'seconds'):.2f} ({least:.2f} to {most:.2f})"
            rows.append((f"`{name}`", tree, seconds, f"{cpu:.2f}", f"{middle(taken, 'peak_mb'):.0f}"))
    for name, taken in result["floor"].items():
        cpu, seconds = middle(taken, "cpu_seconds"), f"{middle(taken, 'seconds'):.2f}"
        rows.append(
            (f"{name}: started, and no more", "floor", seconds, f"{cpu:.2f}", f"{middle(taken, 'peak_mb'):.0f}")
        )
    return f"""## Cold start

From the command to its end, each a process of its own with one thread: medians of {result["rounds"]} rounds in which
the trees took turns, after one that does not count. {compared_at(result)}

{table(("command", "tree", "s (least to most)", "processor, s", "MB"), rows)}

The floor is what no command can be quicker than that needs Python, NumPy or torch. Seconds of the processor depend on
other work less than those of the clock."""


def screening(result: dict[str, Any]) -> str:
    """Screening with the shipped model by two source trees."""
    rows = []
    for n_jobs, ways in result["runs"].items():
        first = middle(ways["before"], "per_s")
        for way, taken in ways.items():
            rate, cpu = middle(taken, "per_s"), result["n"] / middle(taken, "cpu_seconds")
            memory = f"{middle(taken, 'peak_mb'):.0f}"
            rows.append((n_jobs, way, f"{rate:.0f}", f"× {rate / first:.1f}", f"{cpu:.0f}", memory))
    header = ("processes", "tree", "formulas per s", "ratio", "formulas per s of processor", "MB, all processes")
    full, fast = (result["floor"][quality] for quality in ("full", "fast"))
    return f"""## Screening with the model that comes with deepxrd

`deepxrd predict --file` on {result["n"]:,} formulas drawn from the snapshot (seed {result["seed"]}), start included,
each process with one thread. {compared_at(result)}

{table(header, rows)}

The floor: the networks alone take {full["gflop_per_formula"]:.2f} GFLOP for a formula, {fast["gflop_per_formula"]:.2f}
with `--quality fast`. At the best that a product of matrices or a convolution reached here in float32,
{full["peak_gflops"]:.0f} GFLOP/s on one thread, that makes {full["per_s"]:,.0f} and {fast["per_s"]:,.0f} formulas per
second of a processor, if the search, trees, simulation, decoding and files took no time."""


def cluster(result: dict[str, Any]) -> str:
    """Screening by the workers of a Dask cluster, one of them killed."""
    took, again = result["on_cluster"]["seconds"], result["again"]
    word = "the same bytes as" if again["same_bytes"] else "OTHER BYTES than"
    options = f" {result['options']}" if result["options"] else ""
    return f"""## More than one machine

`deepxrd predict --file … --scheduler tcp://…{options}` on {result["n"]:,} formulas of six families, such as
A2BCO6 ({result["parts"]:,} parts, {result["bytes"] / 1e9:.1f} GB), by two workers of a Dask cluster, both on this
machine. One was killed (SIGKILL, never started again) when {result["parts_written_at_the_kill"]:,} of
{result["parts"]:,} parts were written; the other made the rest, {took / 60:.0f} min in all. A worker held
{result["worker_mb"]:.0f} MB at most. {again["parts"]} parts that were deleted and made again by one process have {word}
before. {compared_at(result)}

Several machines have not been tried."""


def simulation(result: dict[str, Any]) -> str:
    """Simulated patterns by the size of the cell."""
    rows = []
    for each in result["classes"]:
        ours = each["with_symmetry_ms"]
        numbers = [f"{each[name]:.3g}" for name in ("pymatgen_ms", "xrd_rust_ms", "without_symmetry_ms")]
        gains = [each[name] / ours for name in ("pymatgen_ms", "xrd_rust_ms", "without_symmetry_ms")]
        rows.append((
            f"{each['least']} to {each['end'] - 1} ({each['sites']:.0f})", f"{each['n']}", *numbers, f"{ours:.3g}",
            f"× {gains[0]:.0f}", f"× {gains[1]:.0f}", f"× {gains[2]:.2f}",
        ))  # fmt: skip
    header = ("sites (mean)", "structures", "pymatgen, ms", "xrd-rust, ms", "ours without symmetry, ms", "with, ms")
    ratios = ("to pymatgen", "to xrd-rust", "by symmetry")
    off = max(each["off_pymatgen"] for each in result["classes"])
    other = max(each["off_without"] for each in result["classes"])
    return f"""## Simulation by the size of the cell

One pattern of 1,024 points (Cu Kα, 0 to 180°), ms of one processor; structures of the library in their primitive cells,
drawn by a seed ({result["seed"]}). With symmetry, one of several equivalent rows of reflections stands for all. The
slow ways worked on the first few of each class. {compared_at(result)}

{table((*header, *ratios), rows)}

Largest differences of patterns whose largest value is 100: {off:.3f} from pymatgen, {other:.5f} with or without
symmetry."""


def network(result: dict[str, Any], million: dict[str, Any]) -> str:
    """Screening with a network of one's own: rates, memory, a kill, what bfloat16 costs."""
    killed = result["killed"]
    rates = [
        (
            name,
            run.get("jobs", 1),
            f"{run['n'] / run['seconds']:,.0f}",
            f"{run['seconds']:,.0f}",
            f"{run['peak_mb']:.0f}",
        )
        for name, run in sizes(result, million)
    ]
    same = "the same bytes as" if killed["same_bytes"] else "OTHER BYTES than"
    shown = ("peaks", "peak_f1_2deg", "peak_f1_1deg", "peak_f1_0.5deg", "cosine_distance", "pearson_distance")
    scores = [(way, *(f"{values[name]:.4f}" for name in shown)) for way, values in result["bf16"].items()]
    return f"""## Screening with a network of one's own {OLDER}

`deepxrd predict --file`, from Parquet to Parquet: with the network of Table 1 (`--bf16`), and with no model at all,
which is the floor of all screening. Memory is that of all processes together.

{table(("formulas", "processes", "per s", "s", "MB"), rates)}

- {provenance(result)}
- A million: {provenance(million)}

{result["screened"][-1]["bytes_per_formula"]:.0f} bytes per formula on disk. A screening of {killed["n"]:,} that was
killed (SIGKILL) after two parts and started again kept {killed["parts_kept"]} of {killed["parts"]} parts and ended with
{same} one that was not killed.

What bfloat16 costs, on the 7,487 ternary test compositions; `peaks` is how many a pattern has:

{table(("", *shown), scores)}

Whole patterns stay what they are. That bfloat16 finds more peaks is an effect of rounding: its 8 bits make a tie of a
small dip between two points. Small dips split peaks, and what is split is merged again within 2°, often with the next
peak: with fewer dips, more peaks are left. Rounding float32's patterns does the same, only more so, and noise of 0.001
of 100, which breaks the ties, undoes it; then bfloat16 is a little worse than float32. So where peaks are counted use
float32, as all scores of this repository do."""


def sizes(result: dict[str, Any], million: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What was screened, by name."""
    network = [(f"{run['n']:,}, network", run) for run in (*result["screened"], *million["screened"])]
    return network + [(f"{run['n']:,}, no model", run) for run in result["without_network"]]


if __name__ == "__main__":
    main()
