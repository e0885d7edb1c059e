"""Radiations: the table of X-ray tubes, and the one place where a typed or written wavelength is understood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from deepxrd.errors import ConfigError

WAVELENGTHS_ANGSTROM: dict[str, float] = {
    "CuKa": 1.54184,
    "CuKa1": 1.54056,
    "CuKa2": 1.54439,
    "CuKb1": 1.39222,
    "MoKa": 0.71073,
    "MoKa1": 0.70930,
    "MoKa2": 0.71359,
    "MoKb1": 0.63229,
    "CrKa": 2.29100,
    "CrKa1": 2.28970,
    "CrKa2": 2.29361,
    "CrKb1": 2.08487,
    "FeKa": 1.93735,
    "FeKa1": 1.93604,
    "FeKa2": 1.93998,
    "FeKb1": 1.75661,
    "CoKa": 1.79026,
    "CoKa1": 1.78896,
    "CoKa2": 1.79285,
    "CoKb1": 1.62079,
    "AgKa": 0.560885,
    "AgKa1": 0.559421,
    "AgKa2": 0.563813,
    "AgKb1": 0.49707,
}
"""X-ray tubes by name. Kα as in pymatgen, for parity with the paper; Kβ of Bearden, Rev. Mod. Phys. 39 (1967) 78, from
which pymatgen differs for Co by 0.01 Å."""

ANODES = tuple(name.removesuffix("Ka") for name in WAVELENGTHS_ANGSTROM if name.endswith("Ka"))
"""Symbols of the elements whose tubes are in the table."""

KALPHA_RATIO = 0.5
"""Intensity of Kα2 to Kα1 of any tube, from the number of electrons in the two shells."""

_KEV_ANGSTROM = 12.398419843  # h c, CODATA 2018
_SHORTEST, _LONGEST = 0.01, 10.0  # Å: from 1.2 MeV to 1.2 keV
_PLAIN_FROM, _PLAIN_TO = 0.3, 3.0  # Å: below, a number may be meant in nm; above, in keV
_SAME_LINE = 3e-4  # Å: so near to a tube's mean Kα, a wavelength is that mean as somebody rounded it
_SAME_KALPHA1 = 1e-3  # Å: files round Kα1 by up to so much; its mean with Kα2 is 1.2e-3 away
_NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?"
_UNIT = r"(?:a|å|ang|angs|angstroms?|ångströms?|ångstroms?|nm|pm|m|kev|ev)\.?"
_WAVELENGTH = re.compile(rf"({_NUMBER})\s*({_UNIT})?")
_TUBE = re.compile(
    r"(cu|mo|cr|fe|co|ag)(?:[\s_-]*k?[\s_-]*(alpha|beta|a|b|α|β)?[\s_-]*(1,2|1\+2|12|1|2|mean|avg|average)?)"
)
_IN_ANGSTROM = {"nm": 10.0, "nanometer": 10.0, "pm": 0.01, "m": 1e10}


@dataclass(frozen=True)
class Wavelengths:
    """What a pattern was measured with.

    Attributes:
        kalpha1_angstrom: the strongest line, or the only one, Å.
        kalpha2_angstrom: the second line of the doublet, Å; None if it is not there or was not stated.
        ratio: its intensity to the first's; 0 where it is known to be absent, None where nothing was stated.
        name: of the table's line or doublet, such as ``CuKa``; empty for any other wavelength.
    """

    kalpha1_angstrom: float
    kalpha2_angstrom: float | None = None
    ratio: float | None = None
    name: str = ""

    @property
    def mean_angstrom(self) -> float:
        """The mean by intensity, Å; of a tube by name that of the table."""
        if self.name:
            return WAVELENGTHS_ANGSTROM[self.name]
        if self.kalpha2_angstrom is None or not self.ratio:
            return self.kalpha1_angstrom
        return (self.kalpha1_angstrom + self.ratio * self.kalpha2_angstrom) / (1 + self.ratio)

    @property
    def anode(self) -> str | None:
        """The anode whose Kα1 the first line is, as files round it; else None."""
        return _anode_with("Ka1", self.kalpha1_angstrom, within=_SAME_KALPHA1)

    def __str__(self) -> str:
        """In words, such as ``CuKa (Kα1 1.54056 Å, Kα2 1.54439 Å at 0.5)``."""
        lines = f"{self.kalpha1_angstrom:.7g} Å"
        if self.kalpha2_angstrom is not None:
            share = "" if self.ratio is None else f" at {self.ratio:g}"
            lines = f"Kα1 {lines}, Kα2 {self.kalpha2_angstrom:.7g} Å{share}"
        return f"{self.name} ({lines})" if self.name else lines


def tube(name: str) -> Wavelengths:
    """The lines of a name of the table: a doublet for ``CuKa``, a single line for ``CuKa1``."""
    if not name.endswith("Ka"):
        return Wavelengths(WAVELENGTHS_ANGSTROM[name], ratio=0.0, name=name)
    alpha1, alpha2 = (WAVELENGTHS_ANGSTROM[f"{name}{line}"] for line in (1, 2))
    return Wavelengths(alpha1, alpha2, KALPHA_RATIO, name)


def from_angstrom(angstrom: float) -> Wavelengths:
    """A wavelength in Å as lines: the mean Kα of a tube, as 1.5418 Å is, stands for its doublet."""
    anode = _anode_with("Ka", angstrom, within=_SAME_LINE)
    return Wavelengths(angstrom) if anode is None else tube(f"{anode}Ka")


def _anode_with(line: str, angstrom: float, *, within: float) -> str | None:
    """The anode whose line a wavelength is, up to how far files round it; None if it is none's."""
    return next((each for each in ANODES if abs(angstrom - WAVELENGTHS_ANGSTROM[f"{each}{line}"]) < within), None)


def parse_radiation(text: str) -> Wavelengths:
    """Understand what a person typed: a tube (``Cu``, ``MoKα``, ``cuka1``), or a number (``1.5418``, ``0.165A``).

    A number without a unit is taken as Å only where nm and keV cannot be meant; with a unit (Å or A, nm, pm, m, keV,
    eV) any wavelength from 0.01 to 10 Å will do.

    Raises:
        ConfigError: it is neither, or a number with two possible readings, which are both named.
    """
    plain = _plain(text)
    named = _TUBE.fullmatch(plain)
    if named:
        name = _tube_name(*named.groups())
        if name in WAVELENGTHS_ANGSTROM:
            return tube(name)
    number = _WAVELENGTH.fullmatch(plain)
    if not number:
        known = ", ".join(WAVELENGTHS_ANGSTROM)
        msg = (
            f"unknown radiation {text!r}: name one of {known}, or a wavelength such as 1.5406, 0.165A, 0.0165nm, 75keV"
        )
        raise ConfigError(msg)
    value = float(number[1].replace(",", "."))
    if number[2]:
        angstrom = in_angstrom(value, number[2])
    elif _PLAIN_FROM <= value <= _PLAIN_TO:
        angstrom = value
    else:
        raise ConfigError(_two_readings(text, value))
    if angstrom is None:
        msg = f"unknown radiation {text!r}: a wavelength of X-rays must be from {_SHORTEST:g} to {_LONGEST:g} Å"
        raise ConfigError(msg)
    return from_angstrom(angstrom)


def written_wavelength(value: float, unit: str = "") -> float | None:
    """A wavelength in Å from a file's header, where other programs write no unit, nm or m; None if it is not plain."""
    if unit:
        return in_angstrom(value, _plain(unit))
    if _PLAIN_FROM <= value <= _PLAIN_TO:
        return value
    for factor in (10.0, 1e10):  # nm, or m as pyFAI writes it
        near = min(abs(factor * value / line - 1) for line in WAVELENGTHS_ANGSTROM.values()) < 1e-3  # noqa: PLR2004
        if near or (factor == 1e10 and _SHORTEST <= factor * value <= _LONGEST):  # noqa: PLR2004
            return factor * value
    return None


def in_angstrom(value: float, unit: str) -> float | None:
    """A wavelength or photon energy in Å, of any unit but those known as it is; None outside 0.01 to 10 Å."""
    unit = unit.lower().rstrip(".")
    if not value > 0:
        return None
    if unit in {"kev", "ev"}:
        angstrom = _KEV_ANGSTROM / (value if unit == "kev" else value / 1000)
    else:
        angstrom = value * _IN_ANGSTROM.get(unit, 1.0)
    return angstrom if _SHORTEST <= angstrom <= _LONGEST else None


def _plain(text: str) -> str:
    """Lower case, one form of each letter, no blanks at the ends."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def _tube_name(anode: str, series: str | None, line: str | None) -> str:
    beta = (series or "a")[0] in "bβ"
    line = line if line in {"1", "2"} else ""
    return f"{anode.capitalize()}K{'b' if beta else 'a'}{'1' if beta and not line else line}"


def _two_readings(text: str, value: float) -> str:
    """Why a bare number is refused, with each reading as it could be typed."""
    shown = f"{value:g}"
    readings = [
        f"{shown}{unit}" + ("" if unit == "A" else f" (= {angstrom:.5g} Å)")
        for unit in ("A", "nm", "keV")
        if (angstrom := in_angstrom(value, unit)) is not None and (unit != "keV" or value > _PLAIN_TO)
    ]
    if not readings:
        return f"unknown radiation {text!r}: a wavelength of X-rays must be from {_SHORTEST:g} to {_LONGEST:g} Å"
    return f"{text!r} has no unit and is no usual wavelength in Å: write {' or '.join(readings)}"
