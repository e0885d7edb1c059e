"""Every file of instruments and every case that failed once, by one command each: what comes out, and is it right?

    python benchmarks/match_files.py --shared ../shared --out results/match

Runs ``deepxrd scan FILE`` on each, and ``deepxrd match FILE --elements …`` where something can be asked, as a person
would type it but for one process, and writes `files.md`. What is right is written below, from the README of the cases,
from what the files were made from, and from a look at the figures; nothing here sets anything.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepxrd.chem import parse_formula
from deepxrd.cli.main import main as deepxrd
from deepxrd.io.files import write_text
from deepxrd.io.progress import progress_bar

NONE = "no confident match"
_PAGE = """# Files of instruments and cases, one command each

Made by `benchmarks/match_files.py`: do not edit.

`scan` is `deepxrd scan FILE`; `match` is `deepxrd match FILE --elements …`, with all known phases of these elements.
*Right* compares with what the file is known to hold: the same scan of PbSO4 in many writings (4,401 points, 15,702
counts at 29.65°), SrTiO3 with humps of glass, and what their makers say of the others. A refusal ends with exit code 2
and a sentence. What is no powder of what was asked for is right if there is {none}.

| file | scan | right | match with | answer | right |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """A file and what is right.

    Attributes:
        points: of the first scan; 0 where the file is to be refused.
        top_deg: where the highest point is.
        ranges: stretches.
        scans: in the file.
        elements: asked of ``match``; empty where it is not tried.
        answer: formulas of all phases; `NONE`; or words of a refusal.
        options: further ones of ``match``.
        note: what else is to be seen.
    """

    points: int = 4401
    top_deg: float = 29.65
    ranges: int = 1
    scans: int = 1
    elements: str = "Pb,S,O"
    answer: str = "PbSO4"
    options: tuple[str, ...] = ()
    note: str = ""


_SRTIO3 = Case(4000, 32.42, elements="Sr,Ti,O", answer="SrTiO3")
_PEAKS = "list of"
CASES = {
    "BT86_.UXD": Case(
        2374, 9.065, elements="Al,Si,O", answer=NONE, note="lines of a large cell, of a compound not known to us"
    ),
    "bruker_raw1.raw": Case(876, 9.14, elements="Ca,C,O", answer=NONE, note="'vinaigre', a compound not known to us"),
    "bruker_raw2.raw": Case(7251, 36.26, elements="Zn,O", answer="ZnO", note="zincite"),
    "format1.raw": Case(178, 41.7, ranges=3, elements="Si,O", answer=NONE, note="a test of three ranges with one line"),
    "rigaku_two_ranges.ras": Case(
        4002,
        61.124,
        ranges=2,
        elements="In,As",
        answer=NONE,
        note="two lines of one crystal, InAs by their place",
    ),
    "PbSO4_dif.txt": Case(102, 29.71, answer=_PEAKS),
    "PbSO4_sticks.txt": Case(77, 29.71, answer=_PEAKS),
    "decimal_comma_intensity_only.csv": Case(111, 46.0, answer=NONE, note="every 40th point: lines lie between points"),
    "index_first_short.txt": Case(147, 43.75, answer=NONE, note="every 30th point: lines lie between points"),
    "dummy_eiger.xy": Case(4395, ranges=2),
    "nan_rows.xy": Case(4356, ranges=11),
    "negative_start.xy": Case(4801),
    "mo_header.xy": Case(top_deg=13.55, note="the header's Mo with angles to match"),
    "two_ranges_gap.xy": Case(2960, 20.77, ranges=2),
    "two_scans_offset.uxd": Case(4402, ranges=2),
    "repeat_scans_drift.dat": Case(scans=2, options=("--scan", "1")),
    "si_wafer.xy": Case(4000, 69.14, elements="Sr,Ti,O", answer=NONE),
    "film_001.xy": Case(4000, 72.64, elements="Sr,Ti,O", answer=NONE, note="a film of SrTiO3, (00l) alone"),
    "displaced_0.5deg.xy": replace(_SRTIO3, top_deg=31.94),
    **dict.fromkeys(
        ("plain.xy", "hump_250.xy", "hump_500.xy", "hump_1000.xy", "hump_2000.xy", "kbeta_tail.xy"), _SRTIO3
    ),
}
"""By name; others are told by `known`."""


def main() -> None:
    """Run all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("results/match"))
    options = parser.parse_args()
    instruments = options.shared / "data" / "instruments"
    paths = sorted(each for each in instruments.rglob("*") if each.is_file())
    paths += sorted((options.shared / "cases" / "scans").iterdir())
    lines, wrong = [], 0
    with progress_bar() as bar, tempfile.TemporaryDirectory() as folder:
        task = bar.add_task("Files", total=len(paths))
        for path in paths:
            line, right = told(path, known(path), Path(folder))
            lines.append(line)
            wrong += not right
            bar.advance(task)
    end = f"\n{len(paths)} files, {len(paths) - wrong} of them right in all.\n"
    write_text(options.out / "files.md", _PAGE.format(none=NONE) + "\n".join(lines) + "\n" + end)
    print(f"results: {options.out / 'files.md'}")


def known(path: Path) -> Case:
    """What is right for a file."""
    if path.parent.name == "mixtures":
        parts = [part.rsplit("_", 1)[0] for part in path.name.split("--")[0].split("-")]
        formulas = [parse_formula(part) for part in parts]
        elements = ",".join(sorted({symbol for formula in formulas for symbol in formula.elements}))
        return Case(8282, -1.0, elements=elements, answer=" + ".join(sorted(str(each) for each in formulas)))
    return CASES[path.name] if path.name in CASES else Case()


def told(path: Path, case: Case, folder: Path) -> tuple[str, bool]:
    """The line of a file, and whether all of it is right."""
    code, said = run("scan", [str(path), "--out", str(folder / "scan")])
    summary = json.loads((folder / "scan" / "scans.json").read_text(encoding="utf-8"))[str(path)]
    scan_text, scan_right = _of_scan(summary, case, code, said.replace(str(path), path.name))
    asked = f"`{' '.join(['--elements', case.elements, *case.options])}`" if case.elements else "—"
    answer, match_right = "—", True
    if case.elements:
        target = folder / "match"
        code, said = run("match", [str(path), "--elements", case.elements, *case.options, "--out", str(target)])
        phases = json.loads((target / "phases.json").read_text(encoding="utf-8")) if code == 0 else {}
        answer, match_right = _of_match(phases, case, code, said.replace(str(path), path.name))
    if case.note:
        answer += f" ({case.note})"
    row = [f"`{path.name}`", scan_text, _yes(right=scan_right), asked, answer, _yes(right=match_right)]
    return "| " + " | ".join(each.replace("|", "\\|") for each in row) + " |", scan_right and match_right


def run(verb: str, words: Sequence[str]) -> tuple[int, str]:
    """Exit code, and what was printed; a traceback would come through as an exception."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            deepxrd([verb, *words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue() + err.getvalue()


def _of_scan(summary: dict[str, Any], case: Case, code: int, said: str) -> tuple[str, bool]:
    if "error" in summary:
        return f"refused: {_sentence(said)}", case.points == 0 and code == 2
    first = summary["scans"][0]
    wave = first["wavelengths"]
    parts = [f"{len(summary['scans'])} scans" if len(summary["scans"]) > 1 else "", first["format"]]
    parts += [f"{first['n_points']} {'peaks' if first['is_peak_list'] else 'points'}"]
    parts += [f"{len(first['ranges'])} ranges" if len(first["ranges"]) > 1 else ""]
    parts += [f"highest {first['highest'][1]:.6g} at {first['highest'][0]:.2f}°"]
    parts += [f"{wave['name'] or wave['kalpha1_angstrom']}" if wave else "no wavelength stated"]
    parts += [f"{n} points left out {why}" for why, n in first["left_out"].items()]
    right = (
        code == 0
        and first["n_points"] == case.points
        and (case.top_deg < 0 or abs(first["highest"][0] - case.top_deg) < 0.02)
        and len(first["ranges"]) == case.ranges
        and len(summary["scans"]) == case.scans
    )
    return ", ".join(part for part in parts if part), right


def _of_match(phases: dict[str, Any], case: Case, code: int, said: str) -> tuple[str, bool]:
    if code:
        sentence = _sentence(said)
        return f"refused: {sentence}", code == 2 and case.answer in sentence
    found = phases["phases"]
    several = len(found) > 1
    text = " + ".join(
        f"{each['formula']} {each['probability']:.0%}" + (f" ({each['weight_fraction']:.0%} wt)" if several else "")
        for each in found
    )
    if case.answer == NONE:
        right = not phases["confident"]
    else:
        right = " + ".join(sorted(each["formula"] for each in found)) == case.answer
    return f"{phases['verdict']}: {text}", right


def _sentence(said: str) -> str:
    """The last line of what was printed, without the path."""
    line = [each for each in said.splitlines() if each.strip()][-1].strip()
    return line.removeprefix("error: ").split("): ", 1)[-1][:220]


def _yes(*, right: bool) -> str:
    return "yes" if right else "**no**"


if __name__ == "__main__":
    main()
