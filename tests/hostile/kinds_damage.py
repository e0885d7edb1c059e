"""What a bad disk does: one byte changed, or the end cut off, in files that were sound."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from attempts import DONE, Attempt, kind
from making import RUN, SCREENED, STOPPED, TABLE

_FLIPS = 24


def flipped(content: bytes, place: int) -> bytes:
    """The content with one bit changed."""
    changed = bytearray(content)
    changed[place] ^= 1 << (place % 8)
    return bytes(changed)


@kind("a byte changed, or the end cut off, in a checkpoint")
def checkpoints(folder: Path, shared: Path) -> Iterator[Attempt]:
    sound = (shared / RUN / "checkpoints/best.ckpt").read_bytes()
    rng = np.random.default_rng(0)
    for place in [
        0,
        5,
        len(sound) - 1,
        len(sound) - 70,
        len(sound) - 90,
        *rng.integers(0, len(sound), _FLIPS).tolist(),
    ]:
        name = f"byte-{place}.ckpt"
        (folder / name).write_bytes(flipped(sound, place))
        yield Attempt(name, ["predict", "SrTiO3", "--checkpoint", name], says=name)
    for n in (1, 22, 100, 5000, len(sound) // 2):
        name = f"without-last-{n}.ckpt"
        (folder / name).write_bytes(sound[:-n])
        yield Attempt(name, ["predict", "SrTiO3", "--checkpoint", name], says=name)
    # an older checkpoint has no hash, but checksums of its weights
    old = folder / "old.ckpt"
    torch.save(torch.load(shared / RUN / "checkpoints/best.ckpt", weights_only=True), old)
    yield Attempt("old", ["predict", "SrTiO3", "--checkpoint", "old.ckpt"], code=DONE)
    content = old.read_bytes()
    bias = np.float32(
        torch.load(old, weights_only=True)["state_dict"]["net.dense.weight"].ravel()[:64].numpy()
    ).tobytes()
    place = content.index(bias)
    for n in range(6):
        name = f"old-byte-{n}.ckpt"
        (folder / name).write_bytes(flipped(content, place + 41 * n))
        yield Attempt(name, ["predict", "SrTiO3", "--checkpoint", name], says=name)
    for place in rng.integers(0, len(sound), 3).tolist():
        name = f"resume-{place}"
        shutil.copytree(shared / STOPPED, folder / name)
        last = folder / name / "checkpoints/last.ckpt"
        last.write_bytes(flipped(last.read_bytes(), int(place)))
        yield Attempt(name, ["train", f"resume={name}"], says="last.ckpt")


@kind("a byte changed, or the end cut off, in a finished part of a screening")
def parts(folder: Path, shared: Path) -> Iterator[Attempt]:
    checkpoint = str(shared / RUN / "checkpoints/best.ckpt")
    part = "patterns/part-00000.parquet"
    sound = (shared / SCREENED / part).read_bytes()
    rng = np.random.default_rng(1)

    def again(name: str) -> list[str]:
        return ["predict", "--file", str(shared / TABLE), "--checkpoint", checkpoint, "--out", name, "--jobs", "1"]

    contents = {
        f"byte-{p}": flipped(sound, p) for p in [0, len(sound) - 1, *rng.integers(0, len(sound), _FLIPS).tolist()]
    }
    contents |= {f"without-last-{n}": sound[:-n] for n in (1, 8, 500, len(sound) - 1, len(sound))}
    for name, content in contents.items():
        shutil.copytree(shared / SCREENED, folder / name)
        (folder / name / part).write_bytes(content)
        yield Attempt(name, again(name), says="part-00000.parquet")
    shutil.copytree(shared / SCREENED, folder / "sound")
    yield Attempt("sound", again("sound"), code=DONE)
    shutil.copytree(shared / SCREENED, folder / "old")
    shutil.rmtree(folder / "old/hashes")
    yield Attempt("old", again("old"), code=DONE)
    for name, content in {"old-cut": sound[:-9], "old-nothing": b""}.items():
        shutil.copytree(folder / "old", folder / name)
        (folder / name / part).write_bytes(content)
        yield Attempt(name, again(name), says="part-00000.parquet")
    for name, text in {"manifest-list": b"[]", "manifest-deep": b"[" * 10**5, "manifest-cut": b'{"a":'}.items():
        shutil.copytree(shared / SCREENED, folder / name)
        (folder / name / "manifest.json").write_bytes(text)
        yield Attempt(name, again(name), says=name)
