"""Files of each format, written from its public description, byte by byte and without anything of the readers.

Places and widths are literal here on purpose: where a reader's table drifts, these go on writing the described layout.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise

START, STEP = 10.0, 0.02
ALPHA1, ALPHA2 = 1.5406, 1.54439
Counts = Sequence[int]


def _put(header: bytearray, place: int, form: str, value: float | bytes) -> None:
    packed = value if isinstance(value, bytes) else struct.pack("<" + form, value)
    header[place : place + len(packed)] = packed


def _floats(counts: Counts) -> bytes:
    return struct.pack(f"<{len(counts)}f", *counts)


def raw1(ranges: Sequence[tuple[float, Counts]], *, mark_again: bool = True) -> bytes:
    """Diffrac-AT, version 1: 156 bytes of header a range; old programs wrote "RAW " before the first only."""
    out = b""
    for place, (start, counts) in enumerate(ranges):
        head = bytearray(156)
        _put(head, 0, "", b"RAW ")
        for at, form, value in (
            (4, "I", len(counts)), (8, "f", 2.0), (12, "f", STEP), (24, "f", start), (28, "f", -1e6),
            (72, "f", ALPHA1), (76, "f", ALPHA2), (152, "I", len(ranges) - place - 1),
        ):  # fmt: skip
            _put(head, at, form, value)
        _put(head, 40, "", b"sample one")
        out += bytes(head if place == 0 or mark_again else head[4:]) + _floats(counts)
    return out


def raw2(ranges: Sequence[tuple[float, Counts]], *, header: int = 60) -> bytes:
    """Version 2: 256 bytes, then a header of its own stated length for each range."""
    head = bytearray(256)
    _put(head, 0, "", b"RAW2")
    _put(head, 4, "H", len(ranges))
    _put(head, 8, "", b"sample two")
    _put(head, 188, "", b"Cu")
    for at, value in ((190, ALPHA1), (194, ALPHA2), (198, 0.5)):
        _put(head, at, "f", value)
    out = bytes(head)
    for start, counts in ranges:
        part = bytearray(header)
        _put(part, 0, "H", header)
        _put(part, 2, "H", len(counts))
        for at, value in ((8, 2.0), (12, STEP), (16, start)):
            _put(part, at, "f", value)
        out += bytes(part) + _floats(counts)
    return out


def raw3(
    ranges: Sequence[tuple[float, Counts]], *, supplement: int = 40, record: int = 4, kinds: Sequence[int] = ()
) -> bytes:
    """Version 3, RAW1.01: 712 bytes, 304 a range, supplementary headers, records that may hold further values."""
    head = bytearray(712)
    _put(head, 0, "", b"RAW1.01\0")
    _put(head, 8, "I", 1)
    _put(head, 12, "I", len(ranges))
    _put(head, 326, "", b"sample three")
    _put(head, 608, "", b"Cu\0\0")
    for at, value in ((616, 1.5418), (624, ALPHA1), (632, ALPHA2), (640, 1.39222), (648, 0.5)):
        _put(head, at, "d", value)
    _put(head, 656, "", b"A\0\0\0")
    out = bytes(head)
    for place, (start, counts) in enumerate(ranges):
        part = bytearray(304)
        for at, form, value in (
            (0, "I", 304), (4, "I", len(counts)), (8, "d", start / 2), (16, "d", start), (176, "d", STEP),
            (192, "f", 2.0), (240, "d", ALPHA1), (252, "I", record), (256, "I", supplement),
            (196, "I", kinds[place] if kinds else 0),
        ):  # fmt: skip
            _put(part, at, form, value)
        data = b"".join(struct.pack("<f", count) + b"\1" * (record - 4) for count in counts)
        out += bytes(part) + b"\7" * supplement + data
    return out


def raw4(ranges: Sequence[tuple[float, Counts]], *, record: int = 4, kind: bytes = b"Locked Coupled") -> bytes:
    """Version 4: 61 bytes, segments of type and length, ranges of 160 bytes with drives and records."""
    out = bytearray(61)
    _put(out, 0, "", b"RAW4.00\0")
    _put(out, 12, "", b"01/02/2024")
    name = struct.pack("<III", 10, 36 + 20, 0) + b"SAMPLEID".ljust(24, b"\0") + b"sample four".ljust(20, b"\0")
    source = bytearray(120)
    _put(source, 0, "I", 30)
    _put(source, 4, "I", 120)
    for at, value in ((72, 1.5418), (80, ALPHA1), (88, ALPHA2), (96, 1.39222), (104, 0.5)):
        _put(source, at, "d", value)
    _put(source, 116, "", b"Cu\0\0")
    out += name + source
    for start, counts in ranges:
        drive = bytearray(64)
        _put(drive, 0, "I", 50)
        _put(drive, 4, "I", 64)
        _put(drive, 12, "", b"2Theta")
        _put(drive, 56, "d", start)
        part = bytearray(160)
        _put(part, 32, "", kind)
        for at, form, value in (
            (72, "d", start), (80, "d", STEP), (88, "I", len(counts)), (92, "f", 2.0), (112, "d", ALPHA1),
            (136, "I", record), (140, "I", len(drive)),
        ):  # fmt: skip
            _put(part, at, form, value)
        out += part + drive + b"".join(struct.pack("<f", count) + b"\1" * (record - 4) for count in counts)
    return bytes(out)


def rigaku_raw(ranges: Sequence[tuple[float, Counts]]) -> bytes:
    """Rigaku FI: 2136 bytes, then for each range a PI of 1002 and a DA of 20, which ends in its number of points."""
    head = bytearray(2136)
    _put(head, 0, "", b"FI\0\0\xd8\4")
    _put(head, 1212, "d", ALPHA1)
    _put(head, 1220, "d", ALPHA2)
    out = bytes(head)
    for start, counts in ranges:
        part = bytearray(1002)
        _put(part, 0, "", b"PI")
        for at, value in ((826, start), (830, start + STEP * (len(counts) - 1)), (834, STEP), (838, 2.0)):
            _put(part, at, "f", value)
        out += bytes(part) + b"DA".ljust(16, b"\0") + struct.pack("<I", len(counts)) + _floats(counts)
    return out


def rigaku_raw_old(counts: Counts, data_at: int) -> bytes:
    """Rigaku FI, the older layout: angles at 3004, the counts up to the end of the file."""
    head = bytearray(data_at)
    _put(head, 0, "", b"FI\0\0\xd4\3")
    _put(head, 984, "d", ALPHA1)
    _put(head, 992, "d", ALPHA2)
    for at, value in ((3000, 2.0), (3004, START), (3008, START + STEP * (len(counts) - 1)), (3012, STEP)):
        _put(head, at, "f", value)
    return bytes(head) + _floats(counts)


def stoe(counts: Counts, place: int) -> bytes:
    """Stoe: a file header, a range's header of 512 bytes at a place, counts as integers, filled up to 512."""
    head = bytearray(place + 512)
    _put(head, 0, "", b"RAW_1.06Powdat")
    _put(head, 322, "f", ALPHA1)
    for at, form, value in (
        (0x22, "H", len(counts)), (0x2C, "f", START), (0x30, "f", START / 2),
        (0x34, "f", START + STEP * (len(counts) - 1)),
    ):  # fmt: skip
        _put(head, place + at, form, value)
    data = bytes(head) + struct.pack(f"<{len(counts)}i", *counts)
    return data + bytes(-len(data) % 512 + 512)


def rd(counts: Counts, version: bytes = b"V3RD") -> bytes:
    """Philips PC-APD: 250 or 810 bytes, then roots of ten times ten times the counts in two bytes."""
    head = bytearray({b"V3RD": 250, b"V5RD": 810}[version])
    _put(head, 0, "", version)
    head[85] = 0  # copper
    for at, value in ((214, STEP), (222, START), (230, START + STEP * (len(counts) - 1))):
        _put(head, at, "d", value)
    return bytes(head) + struct.pack(f"<{len(counts)}H", *(round((100 * count) ** 0.5) for count in counts))


def xrdml(
    scans: Sequence[tuple[float, Counts]],
    *,
    schema: str = "2.1",
    element: str = "counts",
    factors: Sequence[float] | None = None,
    listed: bool = False,
    axis: str = "Gonio",
    prolog: str = '<?xml version="1.0" encoding="UTF-8"?>',
) -> bytes:
    """PANalytical: scans with positions by their ends or listed, counts, attenuation factors."""
    parts = []
    for start, counts in scans:
        end = start + STEP * (len(counts) - 1)
        ends = f"<startPosition>{start:.6f}</startPosition><endPosition>{end:.6f}</endPosition>"
        if listed:
            ends = f"<listPositions>{' '.join(f'{start + STEP * i:.6f}' for i in range(len(counts)))}</listPositions>"
        attenuation = ""
        if factors is not None:
            attenuation = f"<beamAttenuationFactors>{' '.join(map(str, factors))}</beamAttenuationFactors>"
        parts.append(
            f'<scan appendNumber="0" mode="Continuous" scanAxis="{axis}" status="Completed"><dataPoints>'
            f'<positions axis="2Theta" unit="deg">{ends}</positions>'
            f'<positions axis="Omega" unit="deg"><commonPosition>3.0</commonPosition></positions>'
            f'<commonCountingTime unit="seconds">2.00</commonCountingTime>{attenuation}'
            f'<{element} unit="counts">{" ".join(map(str, counts))}</{element}></dataPoints></scan>'
        )
    return (
        f'{prolog}<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/{schema}" status="Completed">'
        "<sample><id>sample five</id></sample><xrdMeasurement><usedWavelength intended='K-Alpha 1'>"
        f'<kAlpha1 unit="Angstrom">{ALPHA1}</kAlpha1><kAlpha2 unit="Angstrom">{ALPHA2}</kAlpha2>'
        "<ratioKAlpha2KAlpha1>0.5</ratioKAlpha2KAlpha1></usedWavelength>"
        f"{''.join(parts)}</xrdMeasurement></xrdMeasurements>"
    ).encode()


def _zip(members: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def brml(
    scans: Sequence[tuple[float, Counts]], *, views: bool = True, absorber: Callable[[int], float] | None = None
) -> bytes:
    """Bruker: a list of scans, each with rows whose columns its DataViews name: 2θ third, counts last but one."""
    kind = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    named = (
        '<DataViews><RawDataView xsi:type="FixedRawDataView" Start="0" Length="1" LogicName="MeasuredTime"/>'
        '<RawDataView xsi:type="FixedRawDataView" Start="1" Length="1" LogicName="AbsorptionFactor"/>'
        '<RawDataView xsi:type="VaryingRawDataView" Start="2" Length="2"><Varying>'
        '<FieldDefinitions FieldName="TwoTheta" AxisId="TwoTheta"/><FieldDefinitions FieldName="Theta" AxisId="Theta"/>'
        '</Varying></RawDataView><RawDataView xsi:type="RecordedRawDataView" Start="4" Length="1">'
        '<Recording LogicName="ScanCounter"/></RawDataView><RawDataView xsi:type="RecordedRawDataView" Start="5" '
        'Length="1"><Recording LogicName="modeActualTemp"/></RawDataView></DataViews>'
    )
    names = '<ScanAxisInfo AxisId="TwoTheta"/><ScanAxisInfo AxisId="Theta"/>'
    axes = f"<ScanInformation><ScanAxes>{names}</ScanAxes></ScanInformation>"
    members: dict[str, bytes | str] = {}
    for place, (start, counts) in enumerate(scans):
        rows = "".join(
            f"<Datum>2.0,{absorber(i) if absorber else 1},{start + STEP * i:.6f},{(start + STEP * i) / 2:.6f},{count}"
            + (",25.1" if views else "")
            + "</Datum>"
            for i, count in enumerate(counts)
        )
        members[f"Experiment0/RawData{place}.xml"] = (
            f'<?xml version="1.0" encoding="utf-8"?><RawData {kind}><FixedInformation><TubeMaterial>Cu</TubeMaterial>'
            f'<WaveLengthAlpha1 Unit="Å" Value="{ALPHA1}"/><WaveLengthAlpha2 Unit="Å" Value="{ALPHA2}"/>'
            f'<WaveLengthRatio Value="0.5"/></FixedInformation><DataRoutes><DataRoute RouteFlag="Measured">{axes}'
            f"{named if views else ''}{rows}</DataRoute></DataRoutes></RawData>"
        )
    listed = "".join(f"<string>{name}</string>" for name in members)
    members["Experiment0/DataContainer.xml"] = (
        f"<DataContainer><RawDataReferenceList>{listed}</RawDataReferenceList></DataContainer>"
    )
    return _zip(members)


def brml_of(route: str) -> bytes:
    """Bruker: a file of one scan, given the content of its route."""
    raw = (
        '<RawData xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><TubeMaterial>Cu</TubeMaterial><DataRoutes>'
        f'<DataRoute RouteFlag="Measured">{route}</DataRoute></DataRoutes></RawData>'
    )
    return _zip({"Experiment0/RawData0.xml": raw})


def ras(ranges: Sequence[tuple[float, Counts]], *, axis: str = "TwoThetaTheta", factor: int = 1) -> bytes:
    """Rigaku: headers in Shift-JIS, then angle, intensity and attenuator factor, for each range."""
    out = ["*RAS_DATA_START"]
    for start, counts in ranges:
        out += [
            "*RAS_HEADER_START", '*FILE_SAMPLE "試料"', f'*HW_XG_WAVE_LENGTH_ALPHA1 "{ALPHA1}"',
            f'*HW_XG_WAVE_LENGTH_ALPHA2 "{ALPHA2}"', '*HW_XG_TARGET_NAME "Cu"', f'*MEAS_SCAN_AXIS_X_INTERNAL "{axis}"',
            '*MEAS_SCAN_UNIT_Y "counts"', "*RAS_HEADER_END", "*RAS_INT_START",
        ]  # fmt: skip
        out += [f"{start + STEP * i:.4f} {count / factor:.4f} {factor:.4f}" for i, count in enumerate(counts)]
        out.append("*RAS_INT_END")
    return "\r\n".join([*out, "*RAS_DATA_END", ""]).encode("cp932")


def rasx(ranges: Sequence[tuple[float, Counts]]) -> bytes:
    """Rigaku: a profile of text with a byte order mark, and conditions of measurement, for each range."""
    members: dict[str, bytes | str] = {}
    for place, (start, counts) in enumerate(ranges):
        rows = "\r\n".join(f"{start + STEP * i:.4f}\t{count}\t1" for i, count in enumerate(counts))
        members[f"Data{place}/Profile{place}.txt"] = ("\ufeff" + rows).encode()
        members[f"Data{place}/MesurementConditions{place}.xml"] = (
            "<MeasurementConditions><ScanInformation><AxisName>TwoThetaTheta</AxisName><IntensityUnit>counts"
            "</IntensityUnit></ScanInformation><HWConfigurations><XrayGenerator><TargetName>Cu</TargetName>"
            f"<WavelengthKalpha1>{ALPHA1}</WavelengthKalpha1><WavelengthKalpha2>{ALPHA2}</WavelengthKalpha2>"
            "</XrayGenerator></HWConfigurations><RASHeader><Pair><Name>*MEAS_SCAN_MODE</Name><Value>CONTINUOUS</Value>"
            "</Pair></RASHeader></MeasurementConditions>"
        )
    members["root.xml"] = "<Root/>"
    return _zip(members)


def rigaku_text(ranges: Sequence[tuple[float, Counts]]) -> bytes:
    """Rigaku .asc: keys with a star, counts parted by commas after the key COUNT."""
    out = ["*TYPE\t\t=  Raw", "*CLASS\t\t=  Standard measurement", f"*GROUP_COUNT\t=  {len(ranges)}"]
    for place, (start, counts) in enumerate(ranges):
        out += [
            "*BEGIN", f"*GROUP\t\t=  {place}", "*SCAN_AXIS\t=  2theta/theta", f"*WAVE_LENGTH1\t=  {ALPHA1}",
            f"*WAVE_LENGTH2\t=  {ALPHA2}", f"*START\t\t=  {start}", f"*STOP\t\t=  {start + STEP * (len(counts) - 1)}",
            f"*STEP\t\t=  {STEP}", "*YUNIT\t\t=  counts", f"*COUNT\t\t=  {len(counts)}",
        ]  # fmt: skip
        out += [", ".join(map(str, counts[i : i + 4])) for i in range(0, len(counts), 4)]
        out.append("*END")
    return "\n".join([*out, "*EOF"]).encode()


def uxd(ranges: Sequence[tuple[float, Counts]], *, marker: str = "_COUNTS", drive: str = "COUPLED") -> bytes:
    """Siemens: keys with an underscore, a marker, counts eight a line or with their angles."""
    out = ["; converted", "_FILEVERSION=2", "_SAMPLE='sample six'", "_WL_UNIT='A'", f"_WL1={ALPHA1}", f"_WL2={ALPHA2}"]
    out += ["_WLRATIO=0.5", "_ANODE='Cu'"]
    for place, (start, counts) in enumerate(ranges):
        out += [f"; (Data for Range number {place + 1})", f"_DRIVE='{drive}'", "_STEPTIME=2.0", f"_STEPSIZE={STEP}"]
        out += [f"_START={start}", marker]
        if marker in {"_COUNTS", "_CPS"}:
            out += ["  ".join(map(str, counts[i : i + 8])) for i in range(0, len(counts), 8)]
        else:
            out += [f"{start + STEP * i:.3f}\t{count}" for i, count in enumerate(counts)]
    return "\r\n".join([*out, ""]).encode()


def udf(counts: Counts) -> bytes:
    """Philips: keys with commas and a slash, counts eight a line, a slash after the last."""
    stop = START + STEP * (len(counts) - 1)
    head = [
        "SampleIdent,sample seven,/", "Title1,,/",
        "Anode,Cu,/", f"LabdaAlpha1,{ALPHA1:9.5f},/", f"LabdaAlpha2,{ALPHA2:9.5f},/",
        "RatioAlpha21,  0.50000,/", f"DataAngleRange,{START:9.4f},{stop:9.4f},/", f"ScanStepSize,{STEP:9.3f},/",
        "ScanType,CONTINUOUS,/", "ScanStepTime,    2.00,/", "RawScan",
    ]  # fmt: skip
    rows = [", ".join(f"{count:8d}" for count in counts[i : i + 8]) for i in range(0, len(counts), 8)]
    return ("\r\n".join([*head, *rows]) + "/\r\n").encode()


def cpi(counts: Counts) -> bytes:
    """Sietronics: ten lines, then a count a line."""
    stop = START + STEP * (len(counts) - 1)
    head = ["SIETRONICS XRD SCAN", f"{START:.2f}", f"{stop:.4f}", f"{STEP:.3f}", "Cu", f"{ALPHA1}", "1-1-1990", "2.00"]
    return "\n".join([*head, "sample eight", "SCANDATA", *map(str, counts), ""]).encode()


def gsas(counts: Counts, form: str, *, kind: str = "CONS") -> bytes:
    """GSAS: records of 80 columns; STD 10(I2,F6.0), ESD 10F8.1, FXYE free, ALT 4(F8.0,F7.4,F5.4)."""
    n = len(counts)
    if form == "STD":
        cells, width = [f"  {count:6d}" if i % 2 else f" 1{count:6d}" for i, count in enumerate(counts)], 10
    elif form == "ESD":
        cells, width = [f"{value:8.1f}" for count in counts for value in (count, max(count, 1) ** 0.5)], 10
    elif form == "ALT":
        cells = [
            f"{3200 * (START + STEP * i):8.0f}{count:7.0f}{max(count, 1) ** 0.5:5.1f}"[:20]
            for i, count in enumerate(counts)
        ]
        cells, width = [cell[:8] + f"{int(cell[8:15]):6d}." + cell[15:] for cell in cells], 4
    else:
        cells = [
            f"{100 * (START + STEP * i):12.4f} {count:12.3f} {max(count, 1) ** 0.5:10.4f}"
            for i, count in enumerate(counts)
        ]
        cells, width = cells if form == "FXYE" else [cell[:25] for cell in cells], 1
    rows = ["".join(cells[i : i + width]).ljust(80) for i in range(0, len(cells), width)]
    bank = f"BANK 1 {n} {len(rows)} {kind} {100 * START:.2f} {100 * STEP:.3f} 0 0 {form}"
    return "\r\n".join(["sample nine, wavelength 1.5406 A".ljust(80), bank.ljust(80), *rows, ""]).encode()


def dbws(counts: Counts) -> bytes:
    """DBWS: 3F8.2 and a title, then eight counts a line."""
    stop = START + STEP * (len(counts) - 1)
    rows = ["".join(f"{count:7d} " for count in counts[i : i + 8]) for i in range(0, len(counts), 8)]
    return "\n".join([f"{START:8.2f}{STEP:8.2f}{stop:8.2f}sample ten", *rows, ""]).encode()


def fullprof(counts: Counts, *, title: str = "") -> bytes:
    """FullProf, INSTRM = 0: start, step, stop, then ten counts a line."""
    stop = START + STEP * (len(counts) - 1)
    rows = [" ".join(f"{count:7d}" for count in counts[i : i + 10]) for i in range(0, len(counts), 10)]
    return "\n".join(([title] if title else []) + [f"{START:9.4f} {STEP:9.4f} {stop:9.4f}", *rows, ""]).encode()


_SQUEEZE, _DIFFER = "@ABCDEFGHIabcdefghi", "%JKLMNOPQRjklmnopqr"


def _packed(value: int, letters: str) -> str:
    digits = str(abs(value))
    first = int(digits[0])
    return letters[first if value >= 0 else 9 + first] + digits[1:]


def jcamp(counts: Counts, form: str, *, per_line: int = 20) -> bytes:
    """JCAMP-DX: ordinates plain (AFFN), packed (PAC), squeezed (SQZ), differences (DIF), with repeats (DIFDUP)."""
    n = len(counts)
    head = [
        "##TITLE=sample eleven", "##JCAMP-DX=4.24 $$ test", "##DATA TYPE=X-RAY DIFFRACTION", "##XUNITS=2THETA",
        "##YUNITS=COUNTS", "##XFACTOR=0.01", "##YFACTOR=1.0",
        f"##FIRSTX={START}", f"##LASTX={START + STEP * (n - 1):.4f}",
        f"##NPOINTS={n}", "##$LAMBDA=1.5406", "##XYDATA=(X++(Y..Y))",
    ]  # fmt: skip
    rows, place = [], 0
    while place < n:
        line = counts[place : place + per_line]
        x = f"{100 * (START + STEP * place):.0f}"
        if form == "AFFN":
            rows.append(f"{x} {' '.join(map(str, line))}")
        elif form == "PAC":
            rows.append(x + "".join(f"+{count}" if count >= 0 else str(count) for count in line))
        elif form == "SQZ":
            rows.append(x + "".join(_packed(count, _SQUEEZE) for count in line))
        else:
            words = [_packed(line[0], _SQUEEZE)] + [_packed(b - a, _DIFFER) for a, b in pairwise(line)]
            if form == "DIFDUP":
                words = _with_repeats(words)
            rows.append(x + "".join(words))
            place -= len(line) > 1 and place + len(line) < n  # the next line repeats the last ordinate
        place += len(line)
    if form in {"DIF", "DIFDUP"} and per_line < n:
        rows.append(
            f"{100 * (START + STEP * (n - 1)):.0f}{_packed(counts[-1], _SQUEEZE)}"
        )  # the check of the last line
    return "\r\n".join([*head, *rows, "##END=", ""]).encode()


def _with_repeats(words: list[str]) -> list[str]:
    out: list[str] = words[:1]
    for word in words[1:]:
        if len(out) > 1 and out[-1] == word:
            out.append("T")
        elif len(out) > 2 and out[-1] in "TUVWXYZ" and out[-2] == word:
            out[-1] = chr(ord(out[-1]) + 1)
        else:
            out.append(word)
    return out
