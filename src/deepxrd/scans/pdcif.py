"""Powder CIF: a loop of measured intensities with their angles, or with the range they lie on.

After B. H. Toby, "Classification and use of powder diffraction data", *International Tables for Crystallography* G,
chapter 3.3, and the dictionary ``cif_pow.dic``, whose names have dots in its newer version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Axis, Block, check_ranges, check_span, parse_number, stated, steps
from deepxrd.scans.files import lines_of
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths

_TOKEN = re.compile(r"^;(.*?)^;|'([^\n]*?)'(?=\s|$)|\"([^\n]*?)\"(?=\s|$)|#[^\n]*|(\S+)", re.MULTILINE | re.DOTALL)
_INTENSITIES = (
    "_pd_meas_counts_total", "_pd_meas_intensity_total", "_pd_proc_intensity_total", "_pd_proc_intensity_net",
    "_pd_meas_counts_net", "_pd_meas_intensity_net",
)  # fmt: skip
_AXES = {
    "_pd_meas_2theta_scan": Axis.TWO_THETA,
    "_pd_meas_2theta_corrected": Axis.TWO_THETA,
    "_pd_proc_2theta_corrected": Axis.TWO_THETA,
    "_pd_proc_recip_len_q": Axis.Q_INVERSE_ANGSTROM,
    "_pd_proc_d_spacing": Axis.D_ANGSTROM,
}
_RANGES = ("_pd_meas_2theta_range", "_pd_proc_2theta_range")
_WAVELENGTH = "_diffrn_radiation_wavelength"
_DOUBLET = 1.02  # times as long as Kα1 is Kα2 at most
_NUMBER = re.compile(r"([+-]?\d*\.?\d*(?:[eE][+-]?\d+)?)(?:\((\d+)\))?")
_PATTERN_ITEM = re.compile(r"[ \t]*_pd_(?:meas|proc|block)[._]", re.IGNORECASE)
_HEADING = re.compile(r"[ \t]*data_\S+\s*$", re.IGNORECASE)
_ITEM = re.compile(r"[ \t]*(?:loop_\s*$|_[a-z]\w*[._]\w)", re.IGNORECASE)


@dataclass
class _Data:
    """A data block: its single items, and its loops as columns by name."""

    title: str = ""
    items: dict[str, str] = field(default_factory=dict)
    loops: list[dict[str, list[str]]] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """An item's value, or those of a loop."""
        return next(
            (loop[name] for loop in self.loops if name in loop), [self.items[name]] if name in self.items else []
        )


def is_cif(text: str) -> bool:
    """Whether a text is a CIF, of a pattern or of anything else."""
    lines = lines_of(text[:100_000])
    headed = any(_HEADING.match(line) for line in lines)  # other programs write keys such as data_points=, too
    return any(_PATTERN_ITEM.match(line) or (headed and _ITEM.match(line)) for line in lines)


def read_pdcif(text: str) -> list[Block]:
    """All patterns of a file that were measured in angle, q or d.

    Raises:
        ScanError: there is none, or a loop is damaged.
    """
    found = _data_blocks("\n".join(lines_of(text)))
    elsewhere = {lines for data in found if (lines := _wavelengths(data))}
    blocks = []
    for data in found:
        lines = _wavelengths(data) or (next(iter(elsewhere)) if len(elsewhere) == 1 else None)
        blocks += [block for loop in data.loops if (block := _read_loop(data, loop, lines))]
    if not blocks:
        calculated = ", only a calculated one" if "_pd_calc_intensity" in text.replace(".", "_") else ""
        msg = f"it is a CIF without a measured pattern over angles, q or d{calculated}: give the pattern"
        raise ScanError(msg)
    check_ranges(len(blocks))
    return blocks


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Words and values, and whether they were quoted, so that they are values whatever they say."""
    for match in _TOKEN.finditer(text):
        quoted = next((match[i] for i in (1, 2, 3) if match[i] is not None), None)
        if quoted is not None or match[4] is not None:
            yield (match[4], False) if quoted is None else (quoted.strip(), True)


def _data_blocks(text: str) -> list[_Data]:
    found = [_Data()]
    names: list[str] = []
    values: list[str] | None = None  # of a loop, once they begin
    in_loop = False
    for word, quoted in _tokens(text):
        small = word.lower()
        is_name = not quoted and word.startswith("_")
        is_word = not quoted and (small == "loop_" or small.startswith(("data_", "save_")))
        if (is_word or (is_name and values is not None)) and in_loop:
            _close(found[-1], names, values or [])
            in_loop, names, values = False, [], None
        if is_word:
            in_loop = small == "loop_"
            if small.startswith("data_"):
                found.append(_Data(title=word[5:]))
            names = []
        elif is_name:
            names = [*names, small.replace(".", "_")] if in_loop else [small.replace(".", "_")]
        elif in_loop:
            values = values or []
            values.append(word)
        elif names:
            found[-1].items.setdefault(names.pop(), word)
    if in_loop:
        _close(found[-1], names, values or [])
    return found


def _close(data: _Data, names: list[str], values: list[str]) -> None:
    """Add a loop's columns to a data block.

    Raises:
        ScanError: its values do not fill its rows, and it is one of intensities.
    """
    if not names or not values:
        return
    if len(values) % len(names) and any(name in _INTENSITIES for name in names):
        msg = f"a loop of {len(names)} columns holds {len(values)} values: it is cut short, or damaged"
        raise ScanError(msg)
    data.loops.append({name: values[place :: len(names)] for place, name in enumerate(names)})


def _read_loop(data: _Data, loop: dict[str, list[str]], lines: Wavelengths | None) -> Block | None:
    """The pattern of a loop; None if it holds no intensities over angles, q or d.

    Raises:
        ScanError: a value is no number, or the range has another number of points.
    """
    name = next((name for name in _INTENSITIES if name in loop), None)
    if name is None:
        return None
    values, sigma = _numbers(loop[name], name)
    if f"{name}_su" in loop:
        sigma = _numbers(loop[f"{name}_su"], name)[0]
    axis_name = next((name for name in _AXES if name in loop), None)
    if axis_name is not None:
        axis, kind = _numbers(loop[axis_name], axis_name)[0], _AXES[axis_name]
        source = axis_name
    else:
        ranged = next((part for part in _RANGES if f"{part}_min" in data.items and f"{part}_inc" in data.items), None)
        if ranged is None:
            return None
        start, step = (parse_number(data.items[f"{ranged}_{end}"].partition("(")[0]) for end in ("min", "inc"))
        stop = parse_number(data.items.get(f"{ranged}_max", "").partition("(")[0])
        if start is None or not step:
            return None
        if stop is not None:
            check_span(start, stop, step, len(values))
        axis, kind, source = steps(start, step, len(values)), Axis.TWO_THETA, f"{ranged}_min and _inc"
    return Block(
        axis=axis,
        values=values,
        kind=kind,
        axis_source=source,
        sigma=sigma,
        unit="counts" if "counts" in name else "",
        seconds_per_step=parse_number(data.items.get("_pd_meas_step_count_time")) or None,
        wavelengths=lines,
        wavelengths_source=_WAVELENGTH,
        title=data.title,
        facts=[Fact("columns", f"intensity is {name}", "the names of the loop")],
    )


def _numbers(words: list[str], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Values ``(n,)``, and the deviations that stand in brackets behind them; NaN for ``.`` and ``?``.

    Raises:
        ScanError: a word is no number.
    """
    values, sigma = np.full(len(words), np.nan), np.full(len(words), np.nan)
    for place, word in enumerate(words):
        if word in {".", "?"}:
            continue
        match = _NUMBER.fullmatch(word)
        value = parse_number(match[1]) if match else None
        if match is None or value is None:
            msg = f"{name} holds {word[:40]!r}, which is no number"
            raise ScanError(msg)
        values[place] = value
        if match[2]:
            mantissa, _, exponent = match[1].lower().partition("e")
            sigma[place] = int(match[2]) * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return values, sigma if np.isfinite(sigma).any() else None


def _wavelengths(data: _Data) -> Wavelengths | None:
    """The wavelength; of several the two strongest by their weights where these are a doublet, else the strongest."""
    words = data.column(_WAVELENGTH) or data.column(f"{_WAVELENGTH}_wavelength")
    lengths = [parse_number(word.partition("(")[0]) for word in words]
    weights = [parse_number(word.partition("(")[0]) for word in data.column(f"{_WAVELENGTH}_wt")] or [None] * len(words)
    known = [(length, weight) for length, weight in zip(lengths, weights, strict=False) if length]
    if len(known) < 2:  # noqa: PLR2004 - a doublet
        return stated(known[0][0]) if known else None
    strongest = sorted(known, key=lambda line: -(line[1] or 0.0))[:2]
    (one, by), (two, other) = sorted(strongest, key=lambda line: line[0])
    if two > one * _DOUBLET:  # Kβ beside Kα, say
        return stated(strongest[0][0])
    return stated(one, two, other / by if by and other else None)
