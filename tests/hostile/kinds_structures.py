"""Files of structures with more in them than structures."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attempts import DONE, Attempt, kind
from kinds_runs import MODULE, leave_module
from making import perovskites
from trying import CANARY

PREPARE = ["prepare", "data=abc3", "source=files", "card=null", "build.n_jobs=1", "build.max_failed_share=0.5"]


def prepare(name: str, path: str, **more: Any) -> Attempt:
    """An attempt to build data from a file."""
    return Attempt(name, [*PREPARE, f"source.path={path}", f"paths.data_dir=data-{name}"], **more)


@kind("JSON Lines that name classes to decode")
def decoded(folder: Path, shared: Path) -> Iterator[Attempt]:  # noqa: ARG001
    leave_module(folder)
    call = {"@module": "subprocess", "@class": "Popen", "args": ["touch", CANARY]}
    imported = {"@module": MODULE, "@class": "Net"}
    places = {
        "site-properties": lambda s, what: s["sites"][0].update(properties={"magmom": what}),
        "structure-properties": lambda s, what: s.update(properties={"x": what}),
        "species": lambda s, what: s["sites"][0]["species"][0].update(properties={"spin": what}),
        "lattice": lambda s, what: s["lattice"].update(what),
        "structure": lambda s, what: s.update({k: v for k, v in what.items() if k.startswith("@")}),
        "charge": lambda s, what: s.update(charge=what),
    }
    for what_name, what in {
        "popen": call,
        "module": imported,
        "callable": {"@callable": "system", "@module": "os", "@bound": None},
    }.items():
        for place, put in places.items():
            entries = copy.deepcopy(perovskites()[:6])
            for entry in entries:
                put(entry["structure"], what)
            name = f"{what_name}-in-{place}"
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
            yield prepare(name, f"{name}.jsonl", code=DONE)


@kind("JSON Lines that hold no structures")
def junk(folder: Path, shared: Path) -> Iterator[Attempt]:  # noqa: ARG001
    entry = perovskites()[0]

    def site(**changes: Any) -> str:
        new = copy.deepcopy(entry)
        new["structure"]["sites"][0].update(changes)
        return json.dumps(new)

    def lattice(matrix: Any) -> str:
        new = copy.deepcopy(entry)
        new["structure"]["lattice"] = {"matrix": matrix}
        return json.dumps(new)

    lines = {
        "deep": "[" * 90000 + "]" * 90000,
        "digits": f'{{"structure": {"9" * 9000}}}',
        "a-list": "[1, 2]",
        "a-number": "1",
        "null": '{"structure": null}',
        "text": '{"structure": "x"}',
        "not-json": "{{{",
        "nan": lattice([[float("nan")] * 3] * 3),
        "infinite": lattice([[float("inf"), 0, 0], [0, 1, 0], [0, 0, 1]]),
        "words-in-lattice": lattice([["a", 0, 0], [0, 1, 0], [0, 0, 1]]),
        "lattice-of-two": lattice([[1, 0], [0, 1]]),
        "lattice-nested": lattice([[[1], 0, 0], [0, 1, 0], [0, 0, 1]]),
        "species-text": site(species="Sr"),
        "species-none": site(species=[]),
        "species-unknown": site(species=[{"element": "Xx", "occu": 1}]),
        "species-list": site(species=[{"element": ["Sr"], "occu": 1}]),
        "occupancy-word": site(species=[{"element": "Sr", "occu": "x"}]),
        "coordinates-two": site(abc=[0, 0]),
        "coordinates-huge": site(abc=[1e308, -1e308, 0]),
        "coordinates-digits": '{"structure": {"lattice": {"matrix": [[4,0,0],[0,4,0],[0,0,4]]}, "sites": '
        f'[{{"species": [{{"element": "Sr", "occu": 1}}], "abc": [{"9" * 400}, 0, 0]}}]}}}}',
    }  # fmt: skip
    for name, line in lines.items():
        (folder / f"{name}.jsonl").write_text(f"{line}\n")
        yield prepare(name, f"{name}.jsonl")


@kind("sources that are no files")
def no_files(folder: Path, shared: Path) -> Iterator[Attempt]:  # noqa: ARG001
    for ending in ("jsonl", "csv", "parquet"):
        os.mkfifo(folder / f"fifo.{ending}")
        yield prepare(f"fifo-{ending}", f"fifo.{ending}")
        for target in ("/dev/zero", "/proc/self/mem"):
            name = f"{Path(target).name}-{ending}"
            (folder / f"{name}.{ending}").symlink_to(target)
            yield prepare(name, f"{name}.{ending}")
    for ending in ("csv", "parquet"):
        yield Attempt(f"formulas-fifo-{ending}", ["predict", "--file", f"fifo.{ending}"])
        yield Attempt(f"formulas-zero-{ending}", ["predict", "--file", f"zero-{ending}.{ending}"])
    (folder / "pattern.xy").symlink_to("/dev/zero")
    yield Attempt("pattern-zero", ["match", "pattern.xy", "SrTiO3"])
    os.mkfifo(folder / "fifo.xy")
    yield Attempt("pattern-fifo", ["match", "fifo.xy", "SrTiO3"])
