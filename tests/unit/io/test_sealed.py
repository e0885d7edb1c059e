"""Checkpoints that carry their own hash."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepxrd.io.sealed import check_sealed, seal


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "x.ckpt"
    torch.save({"a": torch.arange(300.0), "b": "x"}, path)
    seal(path)
    return path


def test_a_sealed_file_is_read_by_torch_as_before(sound: Path, tmp_path: Path) -> None:
    assert check_sealed(sound)
    content = torch.load(sound, weights_only=True)
    assert torch.equal(content["a"], torch.arange(300.0))
    torch.save(content, tmp_path / "plain.ckpt")
    assert not check_sealed(tmp_path / "plain.ckpt")


@settings(max_examples=150)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(sound: Path, tmp_path: Path, where: float, bit: int) -> None:
    content = bytearray(sound.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    (tmp_path / "y.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"changed|damaged|no archive|compressed|begin"):
        check_sealed(tmp_path / "y.ckpt")


@settings(max_examples=40)
@given(left=st.floats(0, 1, exclude_max=True))
def test_any_missing_end_is_noticed(sound: Path, tmp_path: Path, left: float) -> None:
    content = sound.read_bytes()
    (tmp_path / "y.ckpt").write_bytes(content[: int(left * len(content))])
    with pytest.raises(ValueError, match=r"changed|damaged|no archive|begin"):
        check_sealed(tmp_path / "y.ckpt")


def test_without_a_hash_the_checksums_of_the_weights_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"a": torch.arange(300.0)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(64.0).numpy().tobytes()) + 100] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        check_sealed(path)
