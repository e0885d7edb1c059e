"""What was understood of a scan: in words, as plain values, and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from deepxrd.scans.scan import Scan, ScanRange

_COLOUR, _GAP_COLOUR = "tab:blue", "0.92"
_UNITS = {"counts": "counts", "cps": "counts per second", "arbitrary": "intensity (no unit known)"}
_RANGES_SHOWN = 8
_DOTS_PER_INCH = 110
_LABEL_WIDTH = 13


def scan_text(scan: Scan) -> str:
    """A scan for people, a line for each thing that was understood and where it was taken from."""
    top = int(scan.counts.argmax())
    points = f"{len(scan.counts)} {'peaks: a list, not a scan' if scan.is_peak_list else 'points'}"
    highest = f"highest {scan.counts[top]:.8g} at {scan.two_theta_deg[top]:.4g}°, lowest {scan.counts.min():.6g}"
    lines = [("format", scan.format + (f", {scan.name}" if scan.name else ""))]
    if scan.metadata.get("title"):
        lines.append(("title", scan.metadata["title"]))
    facts = list(scan.facts)
    axis = next((fact for fact in facts if fact.what == "axis"), None)
    lines.append(("axis", str(axis)))
    lines += [
        ("range" if place == 0 else "", _range(scan, part)) for place, part in enumerate(scan.ranges[:_RANGES_SHOWN])
    ]
    if len(scan.ranges) > _RANGES_SHOWN:
        lines.append(("", f"and {len(scan.ranges) - _RANGES_SHOWN} more ranges"))
    lines += [("points", points), ("intensity", f"{_UNITS[scan.unit]}, {highest}")]
    if scan.wavelengths is None:
        lines.append(("wavelength", "not stated in the file: give the radiation, such as CuKa"))
    lines += [(fact.what, str(fact)) for fact in facts if fact is not axis]
    deviations = (
        "none known"
        if scan.uncertainty is None
        else f"from {scan.uncertainty.min():.4g} to {scan.uncertainty.max():.4g}"
    )
    lines.append(("deviation", deviations))
    left_out = ", ".join(f"{n} {reason}" for reason, n in scan.left_out.items())
    lines.append(("left out", left_out or "no point"))
    return "\n".join(f"  {what:<{_LABEL_WIDTH}} {value}" for what, value in lines)


def to_dict(scan: Scan) -> dict[str, Any]:
    """Plain values of all but the points, for JSON."""
    wave = scan.wavelengths
    return {
        "format": scan.format,
        "name": scan.name,
        "is_peak_list": scan.is_peak_list,
        "unit": scan.unit,
        "n_points": len(scan.counts),
        "two_theta_deg": [float(scan.two_theta_deg[0]), float(scan.two_theta_deg[-1])],
        "highest": [float(scan.two_theta_deg[scan.counts.argmax()]), float(scan.counts.max())],
        "ranges": [
            {
                "first_deg": float(scan.two_theta_deg[part.start]),
                "last_deg": float(scan.two_theta_deg[part.stop - 1]),
                "step_deg": part.step_deg,
                "n_points": part.stop - part.start,
                "seconds_per_step": part.seconds_per_step,
            }
            for part in scan.ranges
        ],
        "wavelengths": None
        if wave is None
        else {
            "kalpha1_angstrom": wave.kalpha1_angstrom,
            "kalpha2_angstrom": wave.kalpha2_angstrom,
            "ratio": wave.ratio,
            "mean_angstrom": wave.mean_angstrom,
            "name": wave.name,
        },
        "left_out": dict(scan.left_out),
        "facts": [{"what": fact.what, "value": fact.value, "source": fact.source} for fact in scan.facts],
        "metadata": dict(scan.metadata),
    }


def figure(scans: list[Scan], title: str) -> Figure:
    """The scans of a file one under the other; nothing is drawn across gaps, which are grey, and peaks are sticks."""
    drawing = Figure(figsize=(9, 2.6 * len(scans) + 1.0), dpi=_DOTS_PER_INCH, layout="constrained")
    for axes, scan in zip(drawing.subplots(len(scans), squeeze=False)[:, 0], scans, strict=True):
        if scan.is_peak_list:
            axes.vlines(scan.two_theta_deg, 0, scan.counts, color=_COLOUR, linewidth=1)
        for before, part in zip([None, *scan.ranges], scan.ranges, strict=False):
            angles = scan.two_theta_deg[part.start : part.stop]
            if not scan.is_peak_list:
                axes.plot(angles, scan.counts[part.start : part.stop], color=_COLOUR, linewidth=0.8)
            if before is not None and angles[0] - scan.two_theta_deg[before.stop - 1] > part.step_deg:
                axes.axvspan(scan.two_theta_deg[before.stop - 1], angles[0], color=_GAP_COLOUR, linewidth=0)
        wave = "wavelength not stated" if scan.wavelengths is None else f"λ = {scan.wavelengths}"
        axes.set_title(", ".join(filter(None, (scan.name, scan.format, wave))), fontsize=9)
        axes.set_ylabel(_UNITS[scan.unit], fontsize=9)
        axes.margins(x=0.01)
    drawing.supxlabel("2θ (degrees)", fontsize=10)
    drawing.suptitle(title, fontsize=10)
    return drawing


def save_drawing(drawing: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    from deepxrd.io.files import atomic_path

    with atomic_path(path) as temporary:
        drawing.savefig(temporary, format="png")


def _range(scan: Scan, part: ScanRange) -> str:
    first, last = scan.two_theta_deg[part.start], scan.two_theta_deg[part.stop - 1]
    if scan.is_peak_list:
        return f"{first:.6g} to {last:.6g}°"
    seconds = "" if part.seconds_per_step is None else f", {part.seconds_per_step:.4g} s a point"
    steps = np.diff(scan.two_theta_deg[part.start : part.stop])
    even = not len(steps) or np.ptp(steps) < 0.05 * part.step_deg
    about = "" if even else "about "
    return (
        f"{first:.6g} to {last:.6g}°, {part.stop - part.start} points in steps of {about}{part.step_deg:.5g}°{seconds}"
    )
