"""``deepxrd scan``: what is understood of measured patterns, and how they look."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepxrd.errors import DeepXRDError, ScanError

SUMMARY = "scans.json"
_SHOWN = 6
"""Scans of a file that are told and drawn; a map of reciprocal space has hundreds."""
FORMATS = (
    "PANalytical xrdml", "Bruker raw (1 to 4), brml and uxd", "Rigaku ras, rasx, asc and raw", "Stoe raw",
    "Philips udf, rd and sd", "Sietronics cpi", "Jade mdi", "GSAS", "FullProf and DBWS", "JCAMP-DX", "SPEC",
    "powder CIF", "workbooks (xlsx)", "columns of text (xy, xye, csv, dat, txt, chi)",
)  # fmt: skip
"""What `deepxrd.scans` reads; its import would make the help of each command wait, so that the list stands here."""
PACKED = "each also packed by gzip, bzip2, xz or alone in a zip"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    scan = commands.add_parser(
        "scan",
        help="what is understood of a measured pattern",
        description="Read measured patterns of any instrument, say what was understood of each and what it was taken "
        f"from, and draw it. Leaves a PNG for each file and {SUMMARY}. Formats: {'; '.join(FORMATS)}; {PACKED}.",
    )
    scan.add_argument("files", nargs="+", type=Path, metavar="FILE")
    scan.add_argument("--radiation", help="over what the file says: Cu, MoKa, CuKa1, 1.5406, 0.165A, 0.0165nm, 75keV")
    scan.add_argument(
        "--axis", help="over what the file says: two_theta, theta, q (1/Å), q_nm (1/nm), d (Å), d_nm, d_pm"
    )
    scan.add_argument("--out", type=Path, default=Path("scans"), help="folder for the results (default: scans)")
    scan.set_defaults(work=_scan)


def _scan(options: argparse.Namespace) -> None:
    from deepxrd.io.files import unique_name, write_json
    from deepxrd.scans import read_scans
    from deepxrd.scans.describe import figure, save_drawing, scan_text, to_dict

    summary: dict[str, object] = {}
    failed: list[str] = []
    taken: set[str] = set()
    for path in options.files:
        try:
            scans = read_scans(path, radiation=options.radiation, axis=options.axis)
        except ScanError as error:
            failed.append(str(error))
            summary[str(path)] = {"error": str(error)}
            continue
        picture = options.out / f"{unique_name(path.name, taken)}.png"
        save_drawing(figure(scans[:_SHOWN], path.name), picture)
        summary[str(path)] = {"figure": picture.name, "scans": [to_dict(scan) for scan in scans]}
        print(path)  # noqa: T201 - what is asked for
        print("\n\n".join(scan_text(scan) for scan in scans[:_SHOWN]))  # noqa: T201
        more = len(scans) - _SHOWN
        print(f"  figure        {picture}" + (f" (of the first {_SHOWN}; {more} more scans)" if more > 0 else ""))  # noqa: T201
    write_json(options.out / SUMMARY, summary)
    print(f"results: {options.out}")  # noqa: T201 - what the user asks for
    if failed:
        n = len(options.files)
        head = "" if n == 1 else f"{len(failed)} of {n} files cannot be read:\n  "
        raise DeepXRDError(head + "\n  ".join(failed))
