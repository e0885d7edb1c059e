"""Damaged files of every format: a reader gives a scan or a `ScanError`, and nothing else, soon."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scan_writers as write
from hypothesis import given, settings
from hypothesis import strategies as st
from test_writings import workbook

from deepxrd.errors import ScanError
from deepxrd.scans import files, read_scans

COUNTS = [int(c) for c in np.random.default_rng(0).poisson(200, 60)]
ONE = [(10.0, COUNTS)]
TEXT = "".join(f"{10 + 0.02 * i:.3f} {c}\n" for i, c in enumerate(COUNTS))
WHOLE: dict[str, bytes] = {
    "raw1": write.raw1(ONE), "raw2": write.raw2(ONE), "raw3": write.raw3(ONE), "raw4": write.raw4(ONE),
    "rigaku raw": write.rigaku_raw(ONE), "old": write.rigaku_raw_old(COUNTS, 3074), "stoe": write.stoe(COUNTS, 1536),
    "rd": write.rd(COUNTS), "xrdml": write.xrdml(ONE, factors=[1] * 60), "ras": write.ras(ONE),
    "asc": write.rigaku_text(ONE), "uxd": write.uxd(ONE), "uxd pairs": write.uxd(ONE, marker="_2THETACOUNTS"),
    "udf": write.udf(COUNTS), "cpi": write.cpi(COUNTS), "dbws": write.dbws(COUNTS), "fullprof": write.fullprof(COUNTS),
    **{form: write.gsas(COUNTS, form) for form in ("STD", "ESD", "FXYE", "ALT")},
    **{form: write.jcamp(COUNTS, form) for form in ("AFFN", "PAC", "SQZ", "DIFDUP")},
    "cif": b"data_a\nloop_\n_pd_meas_2theta_scan\n_pd_meas_counts_total\n" + TEXT.encode(),
    "xy": TEXT.encode(), "csv": ("2theta,counts\n" + TEXT.replace(" ", ",")).encode(),
    "decimal commas": TEXT.replace(".", ",").encode(), "spec": ("#S 1 ascan\n#L tth  det\n" + TEXT).encode(),
    "chi": (f"a\n2-Theta\nI\n {len(COUNTS)}\n" + TEXT).encode(), "mdi": b"t\n10 0.02 1 CU 1.54 11.18 60\n" + b"5 " * 60,
}  # fmt: skip
ZIPPED: dict[str, bytes] = {"brml": write.brml(ONE), "rasx": write.rasx(ONE), "xlsx": workbook(TEXT.replace(" ", "\t"))}
HOSTILE = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff",
    b"nan",
    b"inf",
    b"-",
    b"1e999",
    b"9" * 400,
    b",",
    b'"',
    b"\n",
    b"_",
]


def outcome(content: bytes) -> None:
    """Read a file's content; anything but scans or a `ScanError` fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            scans = read_scans(path)
        except ScanError:
            pass
        else:
            for scan in scans:
                assert np.isfinite(scan.counts).all()
                assert (np.diff(scan.two_theta_deg) > 0).all()
                assert scan.ranges[-1].stop == len(scan.counts)
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=25)
@given(data=st.data())
def test_damage_ends_in_a_scan_or_an_error_for_people(name: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        piece = data.draw(st.sampled_from(HOSTILE) | st.binary(min_size=1, max_size=8))
        if data.draw(st.booleans()):
            content[at : at + len(piece)] = piece
        else:
            content[at:at] = piece
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    outcome(bytes(content))


@pytest.mark.parametrize("name", ZIPPED)
@settings(max_examples=25)
@given(data=st.data())
def test_damaged_archives_and_members(name: str, data: st.DataObject) -> None:
    content = bytearray(ZIPPED[name])
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        outcome(bytes(content))
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member: bytearray(archive.read(member)) for member in archive.namelist()}
    damaged = members[data.draw(st.sampled_from(sorted(members)))]
    at = data.draw(st.integers(0, len(damaged)))
    damaged[at : at + 3] = data.draw(st.sampled_from(HOSTILE) | st.binary(max_size=6))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, held in members.items():
            archive.writestr(member, bytes(held))
    outcome(buffer.getvalue())


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_at_all(content: bytes) -> None:
    outcome(content)


@given(st.lists(st.text(alphabet="0123456789.,;- \teE+\"'#", max_size=14), max_size=30))
def test_any_lines_that_look_like_numbers(lines: list[str]) -> None:
    outcome("\n".join(lines).encode())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (write.xrdml(ONE, prolog='<!DOCTYPE a [<!ENTITY b "cc">]>'), "declares a document type or entities"),
        (write.xrdml(ONE, prolog='<!DOCTYPE a SYSTEM "file:///etc/passwd">').decode().encode("utf-16"), "declares a"),
    ],
)
def test_xml_with_entities_is_not_parsed(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.xrdml").write_bytes(content)
    with pytest.raises(ScanError, match=told):
        read_scans(tmp_path / "a.xrdml")


def test_sizes_are_bounded_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 200_000)
    (tmp_path / "large.xy").write_bytes(b"1 2\n" * 60_000)
    with pytest.raises(ScanError, match="a scan at most"):
        read_scans(tmp_path / "large.xy")
    with zipfile.ZipFile(tmp_path / "bomb.brml", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Experiment0/RawData0.xml", b" " * 10_000_000)
    with pytest.raises(ScanError, match="unpacks to more than"):
        read_scans(tmp_path / "bomb.brml")


@pytest.mark.parametrize(
    "make", [lambda path: path.parent, lambda path: path.mkdir(), lambda path: path.symlink_to("/dev/zero")]
)  # fmt: skip
def test_what_is_no_regular_file_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "thing")
    with pytest.raises(ScanError, match=r"no such file|is no file"):
        read_scans(tmp_path / "thing")
