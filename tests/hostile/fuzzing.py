"""Readers, and what is thrown at them: sound files that were changed at random, and values that are none.

A reader may return anything, or raise a `DeepXRDError`; any other exception, and any wait of more than some seconds, is
a fault. ``tests/hostile/test_fuzzing.py`` tries a few dozen of each, ``make reliability`` many more.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from making import RUN, WEIGHTS, perovskites

from deepxrd.errors import DeepXRDError

WAIT_S = 10.0
Read = Callable[[Path], object]

CIF = """data_x
_cell_length_a 3.9\n_cell_length_b 3.9\n_cell_length_c 3.9
_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
_chemical_formula_sum 'Sr Ti O3'
loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy
Sr1 Sr 0 0 0 1\nTi1 Ti 0.5 0.5 0.5 1\nO1 O 0.5 0.5 0 1\nO2 O 0.5 0 0.5 1\nO3 O 0 0.5 0.5 1
"""
POSCAR = """SrTiO3\n1.0\n3.9 0 0\n0 3.9 0\n0 0 3.9\nSr Ti O\n1 1 3\ndirect
0 0 0 Sr\n0.5 0.5 0.5 Ti\n0.5 0.5 0 O\n0.5 0 0.5 O\n0 0.5 0.5 O\n"""
PATTERN = "".join(f"{20 + 0.1 * i:.1f} {100 + (i % 7) ** 2}\n" for i in range(400))


@dataclass(frozen=True)
class Target:
    """A reader and its input.

    Attributes:
        write: draws an input and writes it into a folder; returns the path to read.
        read: reads it.
        quick: whether it takes milliseconds.
    """

    write: Callable[[Callable[..., Any], Path], Path]
    read: Read
    quick: bool = True


_junk = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"\0",
            b"9" * 400,
            b"-1",
            b"nan",
            b"1e999",
            b"\xff\xfe",
            b"\n",
            b",",
            b'"',
            b"{",
            b"[",
            b"'",
            b"\r",
            b"_",
            b"1e-320",
        ]
    ),
)
_edit = st.tuples(st.sampled_from(["put", "cut", "end", "copy", "flip"]), st.floats(0, 1), st.integers(1, 40), _junk)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 300), st.floats(), st.text(max_size=12),
        st.sampled_from([10**12, -(10**30), 1e308, float("nan"), float("inf")]),
        st.sampled_from(["__import__", "${oc.env:HOME}", "a.b", "/dev/zero", "x" * 999]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
"""Plain values of any kind."""


@st.composite
def changed(draw: Callable[..., Any], sound: bytes) -> bytes:
    """Bytes with some changes; now and then nothing of them is left."""
    content = bytearray(sound)
    for what, where, length, junk in draw(st.lists(_edit, min_size=1, max_size=5)):
        place = int(where * len(content))
        if what == "put":
            content[place:place] = junk
        elif what == "cut":
            del content[place : place + length]
        elif what == "end":
            del content[place:]
        elif what == "copy":
            content[place:place] = content[max(0, place - length) : place] * 3
        elif content:
            content[min(place, len(content) - 1)] ^= 1 << length % 8
    return bytes(content)


@st.composite
def with_junk(draw: Callable[..., Any], tree: Any) -> Any:
    """A tree of plain values, one of its nodes replaced by anything."""
    tree = copy.deepcopy(tree)
    node, places = tree, 0
    while True:
        places += 1
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return tree
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and places < 6 and draw(st.booleans()):
            node = node[key]
            continue
        node[key] = draw(values)
        return tree


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in whatever takes longer."""

    def ring(*_: object) -> None:
        msg = f"more than {seconds:g} s"
        raise TimeoutError(msg)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def survives(target: Target, path: Path) -> None:
    """Read, and let only an error that one can fix pass."""
    with no_longer_than(WAIT_S), suppress(DeepXRDError):
        target.read(path)


def _file(name: str, sound: bytes) -> Callable[[Callable[..., Any], Path], Path]:
    def write(draw: Callable[..., Any], folder: Path) -> Path:
        path = folder / name
        path.write_bytes(draw(changed(sound)))
        return path

    return write


def _read_source(path: Path) -> object:
    from deepxrd.sources import FilesSource

    source = FilesSource(path)
    return source.citation, source.fingerprint(), len(source), list(source)


def _in_folder(path: Path) -> object:
    return _read_source(path.parent)


def _parse(path: Path) -> object:
    from deepxrd.chem import parse_formula

    return parse_formula(path.read_bytes().decode("utf-8", errors="replace"))


def _formulas(path: Path) -> object:
    from deepxrd.io.formula_table import read_formulas

    return list(read_formulas(path))


def _measured(path: Path) -> object:
    from deepxrd.matching.observed import observe
    from deepxrd.scans import read_scan

    return observe(read_scan(path))


def _checkpoint(path: Path) -> object:
    from deepxrd.prediction.predictor import Predictor

    return Predictor.load(path).patterns(["SrTiO3"])


def _weights(path: Path) -> object:
    from deepxrd.prediction.predictor import CandidatePredictor

    return CandidatePredictor.load(path).predict(["SrTiO3"])


def _run_folder(path: Path) -> object:
    from deepxrd.config.trust import check_stored, read_overrides
    from deepxrd.runs.finished import Finished

    done = Finished.open(path, setting="run")
    check_stored(done.data_settings, typed={}, where=path)
    return read_overrides(path / "overrides.yaml")


def _jsonl(draw: Callable[..., Any], folder: Path) -> Path:
    entries = [draw(with_junk(entry)) for entry in perovskites()[:2]]
    path = folder / "x.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def _table(frame: dict[str, list[Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(frame), buffer)
    return buffer.getvalue()


def _structures() -> bytes:
    n = 3
    columns = dict.fromkeys(("a", "b", "c"), [3.9] * n) | dict.fromkeys(("alpha", "beta", "gamma"), [90.0] * n)
    numbers, coords = [38, 22, 8, 8, 8], [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.5]
    return _table(
        {"material_id": ["x", "y", "z"], **columns, "atomic_numbers": [numbers] * n, "frac_coords": [coords] * n}
    )


def _of_checkpoint(sound: bytes) -> Callable[[Callable[..., Any], Path], Path]:
    """What is pickled in a checkpoint, changed, in an archive whose checksums fit."""
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [pickled] = [name for name in files if name.endswith("data.pkl")]

    def write(draw: Callable[..., Any], folder: Path) -> Path:
        path = folder / "x.ckpt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, content in {**files, pickled: draw(changed(files[pickled]))}.items():
                archive.writestr(name, content)
        return path

    return write


def _of_settings(content: dict[str, Any]) -> Callable[[Callable[..., Any], Path], Path]:
    def write(draw: Callable[..., Any], folder: Path) -> Path:
        path = folder / "x.ckpt"
        torch.save({**content, "hyper_parameters": draw(with_junk(content["hyper_parameters"]))}, path)
        return path

    return write


def _of_weights(sound: Path, *, what: str) -> Callable[[Callable[..., Any], Path], Path]:
    facts = json.loads((sound / "model.json").read_text())

    def write(draw: Callable[..., Any], folder: Path) -> Path:
        made = folder / "weights"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(sound, made)
        new = draw(with_junk(facts)) if what == "model.json" else copy.deepcopy(facts)
        if what != "model.json":
            content = (made / what).read_bytes()
            head = 8 + int.from_bytes(content[:8], "little")
            if draw(st.booleans()):  # in the header, where most of a change's places would miss it
                content = draw(changed(content[:head])) + content[head:]
            else:
                content = content[:head] + draw(changed(content[head:]))
            (made / what).write_bytes(content)
            new["files"][what] = hashlib.sha256(content).hexdigest()
        (made / "model.json").write_text(json.dumps(new))
        return made

    return write


def _of_run(sound: Path, *, what: str) -> Callable[[Callable[..., Any], Path], Path]:
    def write(draw: Callable[..., Any], folder: Path) -> Path:
        made = folder / "run"
        made.mkdir(exist_ok=True)
        for file in ("config.yaml", "overrides.yaml", "metrics.json"):
            shutil.copy(sound / file, made / file)
        (made / what).write_bytes(draw(changed((sound / what).read_bytes())))
        return made

    return write


def targets(shared: Path) -> dict[str, Target]:
    """All readers, by name."""
    best, weights, run = shared / RUN / "checkpoints/best.ckpt", shared / WEIGHTS, shared / RUN
    buffer = io.BytesIO()
    content = torch.load(best, weights_only=True)
    torch.save(content, buffer)
    lines = "".join(json.dumps(entry) + "\n" for entry in perovskites()[:2]).encode()
    rows = ",".join(f'"{text}"' for text in (CIF.replace('"', "'"),))
    formulas = ["SrTiO3", "Fe3(OF2)2", "", "NaCl"]
    return {
        "formulas": Target(_file("x.txt", b"Ca5(PO4)3(OH)"), _parse),
        "formula tables (CSV)": Target(_file("x.csv", b"name,formula\n1,SrTiO3\n2,\n\n3,NaCl,x\n"), _formulas),
        "formula tables (Parquet)": Target(
            _file("x.parquet", _table({"x": [1, 2, 3, 4], "formula": formulas})), _formulas
        ),
        "CIF files": Target(_file("x.cif", CIF.encode()), _in_folder),
        "POSCAR files": Target(_file("x.vasp", POSCAR.encode()), _in_folder),
        "CSV tables of CIFs": Target(_file("x.csv", f"material_id,cif\n1,{rows}\n".encode()), _read_source),
        "JSON Lines of structures (text)": Target(_file("x.jsonl", lines), _read_source),
        "JSON Lines of structures (values)": Target(_jsonl, _read_source),
        "Parquet tables of structures": Target(_file("x.parquet", _structures()), _read_source),
        "measured patterns": Target(_file("x.xy", PATTERN.encode()), _measured),
        "checkpoints (bytes)": Target(_file("x.ckpt", best.read_bytes()), _checkpoint, quick=False),
        "checkpoints (what is pickled)": Target(_of_checkpoint(buffer.getvalue()), _checkpoint, quick=False),
        "checkpoints (settings)": Target(_of_settings(content), _checkpoint, quick=False),
        "weight folders (facts)": Target(_of_weights(weights, what="model.json"), _weights, quick=False),
        "weight folders (library)": Target(_of_weights(weights, what="structures.dxl"), _weights, quick=False),
        "weight folders (networks)": Target(_of_weights(weights, what="networks.safetensors"), _weights, quick=False),
        "weight folders (learned)": Target(_of_weights(weights, what="learned.safetensors"), _weights, quick=False),
        "run folders (config.yaml)": Target(_of_run(run, what="config.yaml"), _run_folder, quick=False),
        "run folders (overrides.yaml)": Target(_of_run(run, what="overrides.yaml"), _run_folder, quick=False),
        "run folders (metrics.json)": Target(_of_run(run, what="metrics.json"), _run_folder, quick=False),
    }


NAMES = (
    "formulas", "formula tables (CSV)", "formula tables (Parquet)", "CIF files", "POSCAR files", "CSV tables of CIFs",
    "JSON Lines of structures (text)", "JSON Lines of structures (values)", "Parquet tables of structures",
    "measured patterns", "checkpoints (bytes)", "checkpoints (what is pickled)", "checkpoints (settings)",
    "weight folders (facts)", "weight folders (library)", "weight folders (networks)", "weight folders (learned)",
    "run folders (config.yaml)", "run folders (overrides.yaml)",
    "run folders (metrics.json)",
)  # fmt: skip
"""Of all targets: known before anything is made."""
