"""What the sections of the page of speed share."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any


def provenance(result: dict[str, Any]) -> str:
    """Machine, versions, commit and command."""
    machine, versions = result["machine"], result["versions"]
    where = ", ".join(machine.get("gpus", [])) or f"{machine['processor']}, {machine['threads']} thread(s)"
    return f"{where}, torch {versions['torch']}, commit {result['commit'][:9]}, `{result['command']}`."


def table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [list(map(str, header)), *(list(map(str, row)) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle(runs: Sequence[dict[str, float]], key: str) -> float:
    """Median over the rounds."""
    return float(statistics.median(run[key] for run in runs))


def is_busy(result: dict[str, Any]) -> bool:
    """Whether other work was on the machine: a load of more than one process above what a benchmark itself makes."""
    return bool(max(result["load"]) > result["machine"]["cores"] + 1)


def compared_at(result: dict[str, Any]) -> str:
    """Machine, commits and command of a benchmark that ran two source trees in turn."""
    commits = ", ".join(f"{name} `{short(commit)}`" for name, commit in result["commits"].items())
    where = f"{result['machine']['processor']}, {result['machine']['cores']} cores; {commits}; `{result['command']}`."
    if not is_busy(result):
        return where
    least, most = sorted(result["load"])
    return f"{where} **Busy machine** (load {least:.0f} to {most:.0f}): ratios say more than seconds."


def short(commit: str) -> str:
    """A commit as people write it, with a mark where files differed."""
    return commit[:9] + "+changes" * commit.endswith("+changes")
