"""What a result was made with: versions, commit, machine, command."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from deepxrd.io.devices import n_cores

_PACKAGES = ("deepxrd", "torch", "pytorch-lightning", "hydra-core", "pymatgen", "numpy", "scipy", "pandas", "wandb")


def versions(packages: tuple[str, ...] = _PACKAGES) -> dict[str, str]:
    """Version of each installed package, and of Python."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def installed() -> list[str]:
    """All installed packages with their versions, as ``pip freeze`` names them."""
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return [f"{name}=={found[name]}" for name in sorted(filter(None, found), key=str.lower)]


def git_commit() -> str:
    """Commit of the checkout this package is run from, with ``+changes`` if files differ; empty outside a checkout."""
    here = Path(__file__).resolve().parent
    if not any((folder / ".git").exists() for folder in here.parents):
        return ""
    commit = _git(here, "rev-parse", "HEAD")
    dirty = _git(here, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if commit and dirty else commit


def machine() -> dict[str, Any]:
    """Processor, cores, memory and accelerators."""
    import torch

    facts: dict[str, Any] = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": n_cores(),
    }
    if torch.cuda.is_available():
        facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return facts


def run_facts(command: list[str] | None = None) -> dict[str, Any]:
    """All of the above, with the command and the time, as written into a run's folder."""
    return {
        "command": " ".join(command if command is not None else [Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "versions": versions(),
        "machine": machine(),
        "packages": installed(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program with fixed arguments
            ["git", *arguments],  # noqa: S607 - git is found where the user has it
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
