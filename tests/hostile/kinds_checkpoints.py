"""Checkpoints of strangers, given to ``predict --checkpoint``."""

from __future__ import annotations

import copy
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from attempts import DONE, Attempt, kind
from kinds_runs import MODULE, POPEN, leave_module
from making import RUN
from trying import CANARY

BEST = f"{RUN}/checkpoints/best.ckpt"


def predict(name: str, file: str | None = None, **more: Any) -> Attempt:
    """An attempt to predict with the checkpoint of that name."""
    given = file or f"{name}.ckpt"
    return Attempt(name, ["predict", "SrTiO3", "--checkpoint", given], **{"says": given, **more})


def changed(shared: Path, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The content of a sound checkpoint with a change."""
    content: dict[str, Any] = torch.load(shared / BEST, weights_only=True)
    change(content)
    return content


@kind("checkpoints that name a class (predict --checkpoint)")
def named(folder: Path, shared: Path) -> Iterator[Attempt]:
    leave_module(folder)
    nets: dict[str, Any] = {
        "popen": POPEN,
        "theirs": {"_target_": f"{MODULE}.Net"},
        "theirs-below": {"_target_": f"{MODULE}.x.y.Net"},
        "torchs": {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1},
        "a-big-one-of-torchs": {"_target_": "torch.nn.Linear", "in_features": 10**6, "out_features": 10**6},
        "ours-of-another-kind": {"_target_": "deepxrd.losses.MultiscaleLoss", "base": POPEN},
        "ours-with-an-import": {"_target_": "deepxrd.train.x"},
        "no-name": {"depth": 10},
        "a-list": [1, 2],
        "nothing": None,
        "nested": {"_target_": "deepxrd.models.DeepXRDNet", "depth": POPEN},
    }
    for name, net in nets.items():
        torch.save(changed(shared, lambda c, net=net: c["hyper_parameters"].update(net=net)), folder / f"{name}.ckpt")  # type: ignore[misc]
        yield predict(name)


@kind("checkpoints with values that do not fit (predict --checkpoint)")
def values(folder: Path, shared: Path) -> Iterator[Attempt]:
    def weights(**new: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["state_dict"].update(new)

    def setting(group: str, **new: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["hyper_parameters"][group].update(new)

    first = "net.dense.bias"
    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "weights-a-list": lambda c: c.update(state_dict=[1]),
        "weights-none": lambda c: c.update(state_dict=None),
        "weights-words": weights(**{first: "x"}),
        "weights-another-shape": weights(**{first: torch.zeros(3)}),
        "weights-complex": weights(**{first: torch.zeros(128, dtype=torch.complex64)}),
        "weights-sparse": weights(**{first: torch.zeros(128).to_sparse()}),
        "weights-on-meta": weights(**{first: torch.zeros(128, device="meta")}),
        "settings-none": lambda c: c.update(hyper_parameters=None),
        "settings-a-list": lambda c: c.update(hyper_parameters=[]),
        "counts-negative": setting("encoding", n_counts=-1),
        "counts-huge": setting("encoding", n_counts=10**9),
        "counts-word": setting("encoding", n_counts="x"),
        "counts-infinite": setting("encoding", n_counts=float("inf")),
        "elements-number": setting("encoding", elements=3),
        "elements-numbers": setting("encoding", elements=[1] * 84),
        "elements-nested": setting("encoding", elements=[[]] * 84),
        "elements-many": setting("encoding", elements=["H"] * 10**6),
        "points-huge": setting("xrd", n_points=10**10),
        "points-others": setting("xrd", n_points=1000),
        "points-word": setting("xrd", n_points="x"),
        "sigma-word": setting("xrd", sigma_deg="x"),
        "sigma-nan": setting("xrd", sigma_deg=float("nan")),
        "range-word": setting("xrd", two_theta_max_deg=[]),
        "radiation-map": setting("xrd", radiation={}),
        "key-unknown": setting("xrd", colour="red"),
        "depth-huge": setting("net", depth=10**9),
        "depth-list": setting("net", depth=[1]),
        "dropout-word": setting("net", dropout="x"),
    }
    for name, change in changes.items():
        torch.save(changed(shared, change), folder / f"{name}.ckpt")
        yield predict(name)


class Call:
    """What a pickle calls when it is read."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {CANARY}",)


@kind("files that are no checkpoints (predict --checkpoint)")
def no_checkpoints(folder: Path, shared: Path) -> Iterator[Attempt]:
    sound = (shared / BEST).read_bytes()
    contents: dict[str, bytes] = {
        "empty": b"",
        "text": b"hello",
        "pickle": pickle.dumps(Call()),
        "pickle-of-a-dict": pickle.dumps({"state_dict": Call(), "hyper_parameters": {}}),
        "memo-bomb": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "half": sound[: len(sound) // 2],
        "no-end": sound[:-1],
        "no-start": sound[1:],
        "twice": sound + sound,
        "zip-of-nothing": _zip({}),
        "zip-of-junk": _zip({"archive/data.pkl": b"junk", "archive/version": b"3\n"}),
        "zip-bomb": _zip({"archive/data.pkl": b"\0" * (1 << 31), "archive/version": b"3\n"}, deflated=True),
        "zip-of-a-call": _zip({"archive/data.pkl": pickle.dumps(Call()), "archive/version": b"3\n"}),
        "memo-bomb-in-a-zip": _zip({"archive/data.pkl": b"\x80\x02Nr\xff\xff\xff\x7f.", "archive/version": b"3\n"}),
        "deep-pickle": _zip(
            {"archive/data.pkl": b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".", "archive/version": b"3\n"}
        ),
        "long-number": _zip(
            {
                "archive/data.pkl": b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b".",
                "archive/version": b"3\n",
            }
        ),
    }
    for name, content in contents.items():
        (folder / f"{name}.ckpt").write_bytes(content)
        yield predict(name)
    for name, target in {"zeros": "/dev/zero", "directory": str(folder), "memory": "/proc/self/mem"}.items():
        (folder / f"{name}.ckpt").symlink_to(target)
        yield predict(name)
    os.mkfifo(folder / "fifo.ckpt")
    yield predict("fifo")


@kind("tensors that claim more than their file holds (predict --checkpoint)")
def tensors(folder: Path, shared: Path) -> Iterator[Attempt]:
    sound = changed(shared, lambda _: None)
    buffer = io.BytesIO()
    torch.save({"state_dict": {"net.dense.bias": torch.arange(128.0)}, "hyper_parameters": {}}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [pickled] = [name for name in files if name.endswith("data.pkl")]
    code = files[pickled]
    size = b"K\x80"  # 128, as pickle writes it
    assert code.count(size) >= 2, code
    for name, new in {
        "2-31": b"J\xff\xff\xff\x7f",
        "negative": b"J\xff\xff\xff\xff",
        "2-60": b"\x8a\x08" + struct.pack("<q", 1 << 60),
    }.items():
        whole = {**files, pickled: code.replace(size, new)}
        (folder / f"size-{name}.ckpt").write_bytes(_zip(whole))
        yield predict(f"size-{name}")
        one = {**files, pickled: code.replace(size, new, 1)}  # the storage's own, but not the tensor's
        (folder / f"storage-{name}.ckpt").write_bytes(_zip(one))
        yield predict(f"storage-{name}")
    wide = copy.copy(sound)
    wide["state_dict"] = {**sound["state_dict"], "net.dense.weight": torch.zeros(1).expand(1 << 40)}
    torch.save(wide, folder / "strides.ckpt")
    yield predict("strides")


@kind("checkpoints of another machine's run that are sound (predict --checkpoint)")
def sound_ones(folder: Path, shared: Path) -> Iterator[Attempt]:
    content = changed(shared, lambda c: c["hyper_parameters"]["net"].update(_target_="deepxrd.models.DeepXRDNet"))
    torch.save(content, folder / "old.ckpt")
    yield predict("old", code=DONE, says="")
    (folder / "same.ckpt").write_bytes((shared / BEST).read_bytes())
    yield predict("same", code=DONE, says="")


def _zip(files: dict[str, bytes], *, deflated: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
