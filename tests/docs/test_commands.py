"""Every command in README and in the pages is run: in a folder of its own for each page, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from blocks import COMMANDS, KINDS, NEED_MORE, PAGES, REPOSITORY, Block, blocks, write_files

from absence import absent
from deepxrd.chem import lattice_from_parameters
from deepxrd.sources import PrototypeSource

BY_PAGE = {page.name: blocks(page) for page in PAGES}
FIRST_RUN = "outputs/first"
"""The small run of the page on getting started; later pages use its folder."""
OUTPUT_TOLERANCE = 0.021
"""Of a number in an output: it has two decimals, and the last may be rounded otherwise on another processor."""
MEASURED = REPOSITORY / "tests/golden/measured.xy"
_NUMBER = re.compile(r"[+-]?\d+\.\d+")
_HYDRA = re.compile(
    r"python -m deepxrd\.(?:train|evaluate|prepare|report)\b|deepxrd (?:train|evaluate|prepare|report)\b"
)


def pages_with(*kinds: str) -> list[str]:
    """Names of the pages that have a block of one of these kinds."""
    return [name for name, found in BY_PAGE.items() if any(block.kind in kinds for block in found)]


@pytest.mark.parametrize("name", [*BY_PAGE])
def test_every_block_of_commands_says_how_it_is_run(name: str) -> None:
    for block in BY_PAGE[name]:
        if block.language in COMMANDS:
            assert block.mark.startswith("run: "), f"{block} has no mark such as <!-- run: quick -->"
            assert block.kind in KINDS, f"{block}: {block.kind!r} is none of {', '.join(KINDS)}"
            assert block.kind not in NEED_MORE or "," in block.mark, f"{block} does not say why"
        elif block.kind != "file":
            assert not block.mark, f"{block}: a mark before a block of {block.language or 'no language'}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader would have: the commands, a table of structures, formulas, candidates, and a measurement."""
    make_commands(tmp_path)
    shutil.copy(MEASURED, tmp_path / "measured.xy")
    for name in ("formulas.csv", "candidates.csv"):
        (tmp_path / name).write_text("formula\nSrTiO3\nCaTiO3\nSr2TiO4\n")
    write_structures(tmp_path / "structures.parquet")
    return tmp_path


def make_commands(folder: Path) -> None:
    """Put ``python``, ``deepxrd`` and what activates them where a clone has them."""
    commands = folder / ".venv/bin"
    commands.mkdir(parents=True)
    for name, command in (("python", ""), ("deepxrd", "-m deepxrd.cli ")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {command}"$@"\n')
        script.chmod(0o755)
    (commands / "activate").write_text(f"PATH={shlex.quote(str(commands))}:$PATH\n")


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the first training leaves, made by the command that the page shows."""
    folder = tmp_path_factory.mktemp("first-run")
    make_commands(folder)
    [block] = [block for block in BY_PAGE["getting-started.md"] if f"hydra.run.dir={FIRST_RUN}" in block.text]
    assert block.kind == "quick"
    run_block(block, folder)
    return folder


def write_structures(path: Path) -> None:
    """Write 120 model structures as a table with the columns that the page on data names."""
    rows = []
    for record in PrototypeSource(max_structures=120):
        crystal = record.crystal
        edges = np.linalg.norm(crystal.lattice, axis=1)
        cosines = [crystal.lattice[i] @ crystal.lattice[j] / edges[i] / edges[j] for i, j in ((1, 2), (0, 2), (0, 1))]
        angles = np.degrees(np.arccos(cosines))
        made = lattice_from_parameters(edges[None], angles[None])[0]
        np.testing.assert_allclose(made @ made.T, crystal.lattice @ crystal.lattice.T, atol=1e-6)
        rows.append({
            "material_id": record.material_id,
            **dict(zip(("a", "b", "c"), edges, strict=True)),
            **dict(zip(("alpha", "beta", "gamma"), angles, strict=True)),
            "atomic_numbers": crystal.atomic_numbers.tolist(),
            "frac_coords": crystal.frac_coords.ravel().tolist(),
            "ground_state": True,
        })  # fmt: skip
    pd.DataFrame(rows).to_parquet(path)


def shell(folder: Path, script: str, *, timeout: float = 400) -> str:
    """Run a script in the folder of a reader; returns what it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder / '.venv/bin'}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "WANDB_MODE": "offline",
        },
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, (
        f"{script}\nended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


def run_block(block: Block, folder: Path, *, timeout: float = 400) -> None:
    """Run a block as a reader would, and hold what it prints to what the page says."""
    if block.language == "python":
        (folder / "block.py").write_text(block.text)
        printed = shell(folder, "python block.py", timeout=timeout)
    else:
        small = f" {block.small}" if block.small else ""
        lines = [line + (small if _HYDRA.search(line) else "") for line in block.lines]
        printed = shell(folder, "\n".join(lines), timeout=timeout)
    if block.output is not None:
        assert_output(printed, block.output, str(block))


def assert_output(printed: str, said: str, where: str) -> None:
    """Hold a printed text to one that a page shows: words alike, numbers within the tolerance."""
    assert _words(printed) == _words(said), f"{where} shows another output than\n{printed}"
    numbers = [[float(number) for number in _NUMBER.findall(text)] for text in (printed, said)]
    np.testing.assert_allclose(*numbers, atol=OUTPUT_TOLERANCE, err_msg=where)


def _words(text: str) -> list[list[str]]:
    return [_NUMBER.sub("#", line).split() for line in text.strip().splitlines()]


def run_page(name: str, kind: str, folder: Path, request: pytest.FixtureRequest, *, timeout: float = 400) -> None:
    """Run all blocks of one kind of a page, in its order; the first training, if they need it, is there."""
    chosen = [block for block in BY_PAGE[name] if block.kind == kind and block not in repeated()]
    write_files(chosen[0].page, folder)
    if any(FIRST_RUN in block.text for block in chosen):
        made = request.getfixturevalue("first_run")
        for part in ("outputs", "data"):
            shutil.copytree(made / part, folder / part)
    for block in chosen:
        if f"hydra.run.dir={FIRST_RUN}" not in block.text:
            run_block(block, folder, timeout=timeout)


def repeated() -> set[Block]:
    """Blocks that another page has word for word: one of them is run, the one with an output if there is one."""
    chosen: dict[str, Block] = {}
    for block in [block for found in BY_PAGE.values() for block in found]:
        if block.text not in chosen or (block.output and not chosen[block.text].output):
            chosen[block.text] = block
    return {block for found in BY_PAGE.values() for block in found} - set(chosen.values())


@pytest.mark.parametrize("name", pages_with("quick"))
def test_quick_commands(name: str, folder: Path, request: pytest.FixtureRequest) -> None:
    run_page(name, "quick", folder, request)


@pytest.mark.slow
@pytest.mark.parametrize("name", pages_with("slow"))
def test_slow_commands(name: str, folder: Path, request: pytest.FixtureRequest) -> None:
    run_page(name, "slow", folder, request, timeout=1200)


@pytest.mark.slow
@pytest.mark.snapshot
@pytest.mark.parametrize("name", pages_with("snapshot"))
def test_commands_on_the_snapshot(
    name: str, folder: Path, snapshot_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("SNAPSHOT", str(snapshot_path))
    run_page(name, "snapshot", folder, request, timeout=1200)


@pytest.mark.parametrize("name", pages_with("composes"))
def test_commands_that_cannot_run_here_have_settings_that_exist(name: str, folder: Path) -> None:
    composed = [line for block in BY_PAGE[name] if block.kind == "composes" for line in block.lines]
    write_files(next(page for page in PAGES if page.name == name), folder)
    assert all(_HYDRA.search(line) for line in composed)
    shell(folder, "\n".join(f"{line} --cfg job > composed.yaml" for line in composed))


@pytest.mark.parametrize("name", pages_with("make"))
def test_targets_of_make_exist(name: str) -> None:
    if shutil.which("make") is None:
        absent("make is not installed")
    for line in [line for block in BY_PAGE[name] if block.kind == "make" for line in block.lines]:
        command = shlex.split(line)
        assert command[0] == "make"
        done = subprocess.run(
            [command[0], "--dry-run", *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_an_output_that_differs_is_noticed() -> None:
    said = "SrTiO3\n  32.02      100.0         0.99\nresults: patterns\n"
    assert_output(said.replace("32.02", "32.03"), said, "here")
    for other in (said.replace("32.02", "33.02"), said.replace("results", "result"), said + "more\n"):
        with pytest.raises(AssertionError):
            assert_output(other, said, "here")


def test_the_file_of_a_wandb_sweep_makes_commands_of_settings_that_exist(folder: Path) -> None:
    sweep = yaml.safe_load((REPOSITORY / "examples/wandb-sweep.yaml").read_text(encoding="utf-8"))
    chosen = {key: values.get("values", [values.get("max")])[0] for key, values in sweep["parameters"].items()}
    # as wandb's agent fills it in: ${env} is /usr/bin/env, each parameter key=value
    parts = {"${env}": ["/usr/bin/env"], "${args_no_hyphens}": [f"{key}={value}" for key, value in chosen.items()]}
    command = [text for part in sweep["command"] for text in parts.get(part, [part])]
    composed = yaml.safe_load(shell(folder, f"{shlex.join(command)} --cfg job"))
    assert composed["optimizer"]["lr"] == chosen["optimizer.lr"]
    assert composed["loss"]["_target_"].endswith("PearsonLoss")
    assert composed["logger"]["wandb"]["_target_"].endswith("WandbLogger")
