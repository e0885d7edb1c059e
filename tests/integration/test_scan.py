"""The command ``deepxrd scan``, as a laboratory would use it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _write(path: Path, header: str = "") -> None:
    angle = 10 + 0.02 * np.arange(1000)
    counts = np.random.default_rng(0).poisson(100 + 3000 * np.exp(-0.5 * ((angle - 20) / 0.1) ** 2))
    path.write_text(header + "".join(f"{a:.2f} {c}\n" for a, c in zip(angle, counts, strict=True)))


def test_what_was_understood_is_told_and_drawn(command: Command, tmp_path: Path) -> None:
    _write(tmp_path / "one.xy", "# Anode: Mo\n")
    (tmp_path / "folder").mkdir()
    _write(tmp_path / "folder" / "one.xy")
    (tmp_path / "bad.xy").write_text("10 1\n10.1 2\n10.2 3\n10.3 4\nfive\n10.4 5\n")
    done = command("cli", "scan", "one.xy", "bad.xy", "folder/one.xy")
    assert done.returncode == 2
    assert "1 of 3 files cannot be read" in done.stderr
    assert "line 5 is no data: 'five'" in done.stderr
    assert "Traceback" not in done.stderr
    told = done.stdout
    for words in (
        "text in columns", "10 to 29.98°, 1000 points in steps of 0.02°", "MoKa (Kα1 0.7093 Å", "header line 1",
        "wavelength    not stated in the file: give the radiation", "left out      no point", "results: scans",
    ):  # fmt: skip
        assert words in told, words
    assert (tmp_path / "scans" / "one.xy.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "scans" / "one.xy-2.png").is_file(), "files of one name from two folders"
    summary = json.loads((tmp_path / "scans" / "scans.json").read_text(encoding="utf-8"))
    assert summary["one.xy"]["scans"][0]["wavelengths"]["name"] == "MoKa"
    assert "line 5" in summary["bad.xy"]["error"]


def test_options_stand_over_the_file_and_bad_ones_are_explained(command: Command, tmp_path: Path) -> None:
    _write(tmp_path / "one.xy", "# Anode: Mo\n")
    done = command("cli", "scan", "one.xy", "--radiation", "0.0165nm", "--axis", "theta")
    assert done.returncode == 0, done.stderr
    assert "0.165 Å, where the file says MoKa" in done.stdout
    assert "θ in degrees (as given)" in done.stdout
    for option, value, words in (
        ("--radiation", "0.15418", "write 0.15418A or 0.15418nm"),
        ("--axis", "phi", "unknown axis 'phi'"),
    ):
        refused = command("cli", "scan", "one.xy", option, value)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
