"""Weight folders of strangers, given to ``predict --checkpoint``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attempts import Attempt, kind
from making import WEIGHTS
from safetensors.numpy import load_file, save_file

Change = Callable[[Path, dict[str, Any]], object]


def predict(name: str, **more: Any) -> Attempt:
    """An attempt to predict with the weight folder of that name."""
    return Attempt(name, ["predict", "SrTiO3", "--checkpoint", name], **{"says": name, **more})


def stranger(folder: Path, shared: Path, name: str, change: Change, *, hashed: bool = True) -> Attempt:
    """A changed copy of a sound weight folder, its hashes brought up to date."""
    made = folder / name
    shutil.copytree(shared / WEIGHTS, made)
    facts = json.loads((made / "model.json").read_text())
    change(made, facts)
    if hashed and isinstance(facts.get("files"), dict):
        for file in facts["files"]:
            if "/" not in file and (made / file).is_file() and not (made / file).is_symlink():
                facts["files"][file] = hashlib.sha256((made / file).read_bytes()).hexdigest()
    if (made / "model.json").is_file() and not (made / "model.json").is_symlink():
        (made / "model.json").write_text(json.dumps(facts))
    return predict(name)


def _arrays(file: str, **new: Callable[[Any], Any]) -> Change:
    def change(made: Path, _: dict[str, Any]) -> None:
        arrays = load_file(made / file)
        for key, make in new.items():
            value = make(arrays[key])
            if value is None:
                del arrays[key]
            else:
                arrays[key] = np.ascontiguousarray(value)
        save_file(arrays, made / file)

    return change


def _library(content: bytes) -> Change:
    return lambda made, _: (made / "structures.dxl").write_bytes(content)


def _facts(**new: Any) -> Change:
    return lambda _, facts: facts.update(new)


@kind("weight folders with facts that do not fit")
def facts(folder: Path, shared: Path) -> Iterator[Attempt]:
    huge = 10**10
    changes: dict[str, Change] = {
        "members-0": _facts(members=0),
        "members-negative": _facts(members=-1),
        "members-many": _facts(members=10**9),
        "members-word": _facts(members="x"),
        "members-true": _facts(members=True),
        "members-more": _facts(members=3),
        "format-word": _facts(format="x"),
        "format-new": _facts(format=99),
        "format-old": _facts(format=2),
        "library-none": _facts(library=None),
        "library-another": _facts(library="another 9"),
        "library-nested": _facts(library=[["x"]] * 99),
        "xrd-none": _facts(xrd=None),
        "xrd-points": lambda _, facts: facts["xrd"].update(n_points=huge),
        "xrd-points-others": lambda _, facts: facts["xrd"].update(n_points=512),
        "xrd-points-word": lambda _, facts: facts["xrd"].update(n_points="x"),
        "xrd-sigma": lambda _, facts: facts["xrd"].update(sigma_deg=float("nan")),
        "xrd-radiation": lambda _, facts: facts["xrd"].update(radiation=[1]),
        "xrd-key": lambda _, facts: facts["xrd"].update(colour="red"),
        "files-none": _facts(files=None),
        "files-a-list": _facts(files=[]),
        "files-empty": _facts(files={}),
    }
    for name, change in changes.items():
        yield stranger(folder, shared, name, change)
    texts = {
        "deep": "[" * 10**5,
        "list": "[]",
        "word": '"x"',
        "nothing": "",
        "digits": "9" * 9000,
        "bytes": "\xff",
        "null": "null",
    }
    for name, text in texts.items():
        shutil.copytree(shared / WEIGHTS, folder / f"json-{name}")
        (folder / f"json-{name}" / "model.json").write_bytes(text.encode("latin-1"))
        yield predict(f"json-{name}")


@kind("weight folders that reach outside, or are not what they say")
def outside(folder: Path, shared: Path) -> Iterator[Attempt]:
    def listed(name: str) -> Change:
        return lambda _, facts: facts["files"].update({name: "0" * 64})

    def replaced(name: str, target: str) -> Change:
        def change(made: Path, _: dict[str, Any]) -> None:
            (made / name).unlink()
            if target == "fifo":
                os.mkfifo(made / name)
            else:
                (made / name).symlink_to(target)

        return change

    def unlisted(name: str) -> Change:
        return lambda _, facts: facts["files"].pop(name)

    library = "structures.dxl"
    (folder / "outside.safetensors").write_bytes((shared / WEIGHTS / library).read_bytes())
    changes: dict[str, Change] = {
        "lists-zeros": listed("/dev/zero"),
        "lists-above": listed("../outside.safetensors"),
        "lists-itself": listed("model.json"),
        "link-to-zeros": replaced(library, "/dev/zero"),
        "link-outside": replaced(library, "../outside.safetensors"),
        "fifo": replaced(library, "fifo"),
        "facts-are-zeros": replaced("model.json", "/dev/zero"),
        "not-listed": unlisted(library),
        "networks-not-listed": unlisted("networks.safetensors"),
        "no-library": lambda made, _: (made / library).unlink(),
    }
    for name, change in changes.items():
        yield stranger(folder, shared, name, change)
    yield stranger(folder, shared, "lists-a-number", lambda _, facts: facts["files"].update({library: 1}), hashed=False)
    for file in ("structures.dxl", "networks.safetensors", "learned.safetensors", "model.json"):
        made = folder / f"flipped-{file}"
        shutil.copytree(shared / WEIGHTS, made)
        content = bytearray((made / file).read_bytes())
        content[len(content) // 2] ^= 1
        (made / file).write_bytes(content)
        yield predict(f"flipped-{file}")


@kind("weight folders with arrays that do not fit")
def arrays(folder: Path, shared: Path) -> Iterator[Attempt]:
    learned = "learned.safetensors"
    changes: dict[str, Change] = {
        "volumes-nan": _arrays(learned, volume_angstrom3=lambda x: x * np.nan),
        "volumes-short": _arrays(learned, volume_angstrom3=lambda x: x[:5]),
        "volumes-huge": _arrays(learned, volume_angstrom3=lambda x: x + 1e6),
        "volumes-negative": _arrays(learned, volume_angstrom3=lambda x: -x - 9),
        "mean-short": _arrays(learned, mean=lambda x: x[:5]),
        "mean-nan": _arrays(learned, mean=lambda x: x * np.float32(np.nan)),
        "no-mean": _arrays(learned, mean=lambda _: None),
        "learned-nothing": _arrays(learned, compositions=lambda _: None),
        "learned-reals": _arrays(learned, compositions=lambda x: x.astype(np.float32)),
        "learned-table": _arrays(learned, compositions=lambda x: x[None]),
        "learned-many": _arrays(learned, compositions=lambda x: np.concatenate([x, x])),
        "confidence-nan": _arrays(learned, **{"confidence.structure": lambda x: x * np.nan}),
        "confidence-huge": _arrays(learned, **{"confidence.cell": lambda x: x + 1e9}),
        "confidence-short": _arrays(learned, **{"confidence.peaks": lambda x: x[:1]}),
        "no-confidence": _arrays(learned, **{"confidence.score": lambda _: None}),
    }
    networks = "networks.safetensors"
    centre = "0.centre"
    changes |= {
        "no-centre": _arrays(networks, **{centre: lambda _: None}),
        "centre-flat": _arrays(networks, **{centre: lambda x: x[:3]}),
        "centre-wide": _arrays(networks, **{centre: lambda _: np.zeros(10**6, np.float16)}),
        "weights-nan": _arrays(networks, **{"0.weight.weight": lambda x: x * np.float16(np.nan)}),
        "weights-bytes": _arrays(networks, **{"0.weight.weight": lambda x: x.astype(np.uint8)}),
    }
    groups = "space_groups.safetensors"
    changes |= {
        "groups-nan": _arrays(groups, **{"net.0.layers.0.weight": lambda x: x * np.float32(np.nan)}),
        "groups-huge": _arrays(groups, **{"net.1.layers.3.weight": lambda x: x + np.float32(1e30)}),
        "groups-short": _arrays(groups, **{"net.2.layers.6.bias": lambda x: x[:5]}),
        "groups-bytes": _arrays(groups, **{"net.0.stoichiometries": lambda x: x.astype(np.uint8)}),
        "groups-no-weights": _arrays(groups, weights=lambda _: None),
        "groups-weights-huge": _arrays(groups, weights=lambda x: x * 1e9),
        "groups-features": _arrays(groups, **{"trees.0.feature": lambda x: x + 9999}),
        "groups-not-listed": lambda _, facts: facts["files"].pop(groups),
    }
    for name, change in changes.items():
        yield stranger(folder, shared, name, change)
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    bytes_of = {
        "header-huge": (1 << 62).to_bytes(8, "little"),
        "header-long": (90 << 20).to_bytes(8, "little") + b"{" * (1 << 20),
        "claims-more": len(header).to_bytes(8, "little") + header,
        "no-header": b"",
        "junk-header": (4).to_bytes(8, "little") + b"\xff" * 8,
    }
    for name, content in bytes_of.items():
        yield stranger(folder, shared, f"library-{name}", _library(content))
        yield stranger(folder, shared, name, lambda made, _, content=content: (made / learned).write_bytes(content))  # type: ignore[misc]


@kind("weight folders whose trees are changed")
def trees(folder: Path, shared: Path) -> Iterator[Attempt]:
    new = "learned.safetensors"
    changes: dict[str, Change] = {
        "arrays-out-of-range": _arrays(new, **{"volumes.0.past": lambda x: x + 64}),
        "arrays-backwards": _arrays(new, **{"volumes.0.first": lambda x: x + 64}),
        "arrays-of-features": _arrays(new, **{"volumes.0.feature": lambda x: x + 9999}),
        "arrays-short": _arrays(new, **{"volumes.0.threshold": lambda x: x[1:]}),
        "arrays-many-leaves": _arrays(new, **{"volumes.0.n_leaves": lambda x: x + 64}),
        "arrays-no-leaves": _arrays(new, **{"volumes.0.n_leaves": lambda x: x * 0}),
        "arrays-nan": _arrays(new, **{"volumes.0.leaf_value": lambda x: x * np.nan}),
        "arrays-huge": _arrays(new, **{"volumes.0.leaf_value": lambda x: x + 1e300}),
        "arrays-integers": _arrays(new, **{"volumes.0.leaf_value": lambda x: x.astype(np.int64)}),
        "arrays-missing": _arrays(new, **{"volumes.0.leaf_value": lambda _: None}),
    }
    for name, change in changes.items():
        yield stranger(folder, shared, name, change)
