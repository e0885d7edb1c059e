"""Weight folders of strangers, given to ``predict --checkpoint``."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attempts import DONE, Attempt, kind
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
        "formulas-none": _facts(formulas=None),
        "formulas-junk": _facts(formulas="Xx Yy"),
        "formulas-few": _facts(formulas="SrTiO3"),
        "formulas-digits": _facts(formulas=" ".join(["Sr" + "9" * 5000] * 36)),
        "kinds-none": _facts(kinds=1),
        "kinds-many": _facts(kinds=["x"] * 9),
        "lonely-word": _facts(lonely="x"),
        "lonely-many": _facts(lonely=["SrTiO3"] * 5),
        "lonely-nested": _facts(lonely=[["SrTiO3"]]),
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

    library = "library.safetensors"
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
    for file in ("library.safetensors", "networks.safetensors", "volumes.safetensors", "model.json"):
        made = folder / f"flipped-{file}"
        shutil.copytree(shared / WEIGHTS, made)
        content = bytearray((made / file).read_bytes())
        content[len(content) // 2] ^= 1
        (made / file).write_bytes(content)
        yield predict(f"flipped-{file}")


@kind("weight folders with arrays that do not fit")
def arrays(folder: Path, shared: Path) -> Iterator[Attempt]:
    library = "library.safetensors"
    changes: dict[str, Change] = {
        "no-lattice": _arrays(library, lattice=lambda _: None),
        "lattice-flat": _arrays(library, lattice=lambda x: x.ravel()),
        "lattice-nan": _arrays(library, lattice=lambda x: x * np.float32(np.nan)),
        "lattice-huge": _arrays(library, lattice=lambda x: x * np.float32(1e6)),
        "lattice-zero": _arrays(library, lattice=lambda x: x * 0),
        "geometry-out-of-range": _arrays(library, geometry=lambda x: x + 10**6),
        "geometry-negative": _arrays(library, geometry=lambda x: x - 10**6),
        "slot-out-of-range": _arrays(library, slot=lambda x: x + 200),
        "sites-negative": _arrays(library, n_sites=lambda x: -x),
        "sites-many": _arrays(library, n_sites=lambda x: x + 1),
        "elements-unknown": _arrays(library, elements=lambda x: x * 0 + 250),
        "elements-none": _arrays(library, elements=lambda x: x * 0),
        "occupancies-negative": _arrays(library, occupancies=lambda x: -x),
        "kind-out-of-range": _arrays(library, kind=lambda x: x + 1000),
        "kind-negative": _arrays(library, kind=lambda x: x - 1000),
        "kind-float": _arrays(library, kind=lambda x: x.astype(np.float32) + 0.5),
        "primitive-zero": _arrays(library, n_primitive=lambda x: x[:1]),
        "volumes-nan": _arrays(library, volume_angstrom3=lambda x: x * np.nan),
        "volumes-short": _arrays(library, volume_angstrom3=lambda x: x[:5]),
        "mean-short": _arrays(library, mean=lambda x: x[:5]),
        "mean-nan": _arrays(library, mean=lambda x: x * np.float32(np.nan)),
        "lonely-flat": _arrays(library, lonely=lambda x: x.ravel()),
    }
    learned = "learned.safetensors"
    changes |= {
        "learned-nothing": _arrays(learned, hashes=lambda _: None),
        "learned-reals": _arrays(learned, hashes=lambda x: x.astype(np.float32)),
        "learned-table": _arrays(learned, hashes=lambda x: x[None]),
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
        yield stranger(folder, shared, name, lambda made, _, content=content: (made / library).write_bytes(content))  # type: ignore[misc]


@kind("weight folders whose trees are changed")
def trees(folder: Path, shared: Path) -> Iterator[Attempt]:
    plain = LIGHTGBM

    def old(content: bytes) -> Change:
        """As folders were before trees were plain arrays."""

        def change(made: Path, facts: dict[str, Any]) -> None:
            for file in made.glob("volumes*"):
                file.unlink()
                facts["files"].pop(file.name, None)
            for fold in (0, 1):
                (made / f"volumes-{fold}.txt.gz").write_bytes(content)
                facts["files"][f"volumes-{fold}.txt.gz"] = ""

        return change

    def edited(before: str, after: str) -> Change:
        assert before in plain, before
        return old(gzip.compress(plain.replace(before, after, 1).encode()))

    sound_one = stranger(folder, shared, "old-and-sound", old(gzip.compress(plain.encode())))
    yield Attempt(sound_one.name, sound_one.arguments, code=DONE)
    changes: dict[str, Change] = {
        "bomb": old(gzip.compress(b"\0" * (1 << 31), 9)),
        "no-gzip": old(b"hello"),
        "half": old(gzip.compress(plain.encode())[:100]),
        "empty-file": old(b""),
        "junk": old(gzip.compress(b"junk")),
        "half-text": old(gzip.compress(plain[: len(plain) // 2].encode())),
        "child-out-of-range": edited("left_child=", "left_child=1000000 "),
        "feature-out-of-range": edited("split_feature=", "split_feature=99999999 "),
        "feature-negative": edited("split_feature=", "split_feature=-7 "),
        "leaves-many": edited("num_leaves=", "num_leaves=9"),
        "leaves-word": edited("num_leaves=", "num_leaves=x"),
        "threshold-word": edited("threshold=", "threshold=x "),
        "threshold-nan": edited("threshold=", "threshold=nan "),
        "value-huge": edited("leaf_value=", "leaf_value=1e999 "),
        "categorical": edited("decision_type=2", "decision_type=1"),
        "no-values": edited("leaf_value=", "leaf_valu="),
        "cycle": edited("left_child=", "left_child=0 "),
        "not-text": old(gzip.compress(b"\xff\xfe" * 999)),
    }
    new = "volumes.safetensors"
    changes |= {
        "arrays-out-of-range": _arrays(new, **{"0.past": lambda x: x + 64}),
        "arrays-backwards": _arrays(new, **{"0.first": lambda x: x + 64}),
        "arrays-of-features": _arrays(new, **{"0.feature": lambda x: x + 9999}),
        "arrays-short": _arrays(new, **{"0.threshold": lambda x: x[1:]}),
        "arrays-many-leaves": _arrays(new, **{"0.n_leaves": lambda x: x + 64}),
        "arrays-no-leaves": _arrays(new, **{"0.n_leaves": lambda x: x * 0}),
        "arrays-nan": _arrays(new, **{"0.leaf_value": lambda x: x * np.nan}),
        "arrays-huge": _arrays(new, **{"0.leaf_value": lambda x: x + 1e300}),
        "arrays-integers": _arrays(new, **{"0.leaf_value": lambda x: x.astype(np.int64)}),
        "arrays-missing": _arrays(new, **{"0.leaf_value": lambda _: None}),
    }
    for name, change in changes.items():
        yield stranger(folder, shared, name, change)


LIGHTGBM = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=55
objective=regression_l1

Tree=0
num_leaves=3
num_cat=0
split_feature=50 1
split_gain=1 1
threshold=0.001 0.5
decision_type=2 2
left_child=1 -1
right_child=-2 -3
leaf_value=0.01 -0.02 0.03
leaf_weight=1 1 1
leaf_count=1 1 1
is_linear=0
shrinkage=1


end of trees
"""
"""What LightGBM wrote of one small tree, shortened."""
