"""Words over numbers: what a column is called, what an axis is, which wavelength a header names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum

from deepxrd.errors import ConfigError
from deepxrd.scans.block import Axis, stated
from deepxrd.xrd import Wavelengths, parse_radiation
from deepxrd.xrd.radiation import ANODES, written_wavelength


class Role(Enum):
    """What a column holds."""

    AXIS = "axis"
    INTENSITY = "intensity"
    UNCERTAINTY = "uncertainty"
    PEAK = "something only lists of peaks have"
    OTHER = "something else"


_TWO_THETA = re.compile(
    r"(?:2|two|zwei)[\s_\-*]*(?:theta|th|θ|thet|tht)|\btth\b|\bttheta\b|^tt$|bragg|^angles?\b|^pos(?:ition)?\b|"
    r"^deg(?:rees?)?$|diffraction angle|^winkel|^x_?2th|^2t$|^°\s*2|2-theta|"
    r"^(?:[aáâ]ngulo|angolo|угол|角度|回折角|衍射角)"
)
_BY_ANGLE_ALONE = re.compile(r"^angles?[\s_]*[(\[,]?[\s_]*(?:theta|θ)\b")
_THETA = re.compile(r"^(?:theta|th|θ|omega)(?:$|[\s_(\[,/])")
_Q = re.compile(r"^(?:q|\|q\||scattering vector|momentum transfer|wave ?vector)(?:$|[\s_(\[,/*^=-])")
_D = re.compile(r"^d(?:$|[\s_(\[,/])|^d[\s_-]?(?:spacings?|values?|hkl)|^lattice spacing")
_NO_PATTERN = re.compile(
    r"\btof\b|time[- ]of[- ]flight|^sin|^energy|\bkev\b|^r[\s_]?(?:\(mm\)|mm)|radius|^channel|wavenumber|1/cm"
)
_OTHER_AXIS = re.compile(
    r"^(?:time|temp(?:erature)?|r|frames?|frequency|voltage|potential|field|mass|m/z|retention|"
    r"(?:binding|kinetic|photon)[\s_]energy|raman|wave[\s_-]?length|zeit|temps|tiempo|время|时间|時間|温度)(?![^\W\d_])|"
    r"^t[\s_]?[(\[](?:s|min|h|k|°?c)\b|cm\^?-1"
)
_RADIANS = re.compile(r"(?<![a-z])rad(?:ians?)?(?![a-z])")
_NANOMETRES, _PICOMETRES = re.compile(r"nm"), re.compile(r"(?<![a-z])pm(?![a-z])")
_NOT_MEASURED = re.compile(
    r"^(?:no|nr|№|index|idx|points?|pt|row|line)\b|\btime|(?<!per )(?<!/)second|monitor|epoch|temperature|"
    r"zeit|время|时间|時間|фон(?![^\W\d_])|untergrund|^fondo?(?![^\W\d_])|背景|本底|バックグラウンド|"
    r"calc|bkg|backg|bgr|diff(?!rac)|fit|model|weight|residual|smooth|norm?alised? fit|simul"
)
_UNCERTAINTY = re.compile(
    r"^(?:esd|e\.s\.d|sigma?|σ|s\.?d\.?|std|stdev|err(?:or)?|unc\w*|su|dev\w*|d?i?_?err\w*)\b|[_\s]?(?:sigma|esd|err(?:or)?|uncertainty|std)\b"
)
_PEAK = re.compile(r"^[hkl]$|^hkl$|^\(?h\s*k\s*l\)?$|mult|fwhm|^peak\s*no|^int\.?\s*breadth|^height")
_INTENSITIES = (
    re.compile(r"counts?(?!\w*\s*(?:time|/))|^cts"),
    re.compile(
        r"inten|^int\b|^intens|^i\b|^i[\s_(\[,/]|^imp|интенс|имп|强度|強度|计数|^coups|^conteggi|^cuentas|^contagens"
    ),
    re.compile(r"obs|^meas|^exp\b|^raw"),
    re.compile(r"cps|count.?rate|counts?/|counts? per"),
    re.compile(r"^y\b|^y[\s_(\[]|signal|^data"),
    re.compile(r"^det|detector"),
)
_NUMBER = r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?)"
_LENGTH = r"(å|a\b|ang\w*|ångstr\w*|nm|pm|m\b|kev|ev\b)?"
_NO_NUMBER = r"(?![\d.])(?!,\d+(?![.\d]))"
"""After the digit of a key: so that in ``wavelength 1.54`` or ``1,54`` the digit belongs to the number."""
_KEYS = {
    "ka1": r"(?:k[\s_-]*(?:alpha|a|α)[\s_-]*1|lambda[\s_-]*1|λ[\s_-]*1|wl[\s_-]*1|wave\s*length[\s_-]*1|alpha[\s_-]*1)"
    + _NO_NUMBER,
    "ka2": r"(?:k[\s_-]*(?:alpha|a|α)[\s_-]*2|lambda[\s_-]*2|λ[\s_-]*2|wl[\s_-]*2|wave\s*length[\s_-]*2|alpha[\s_-]*2)"
    + _NO_NUMBER,
    "any": r"wave[\s_-]*length|lambda|λ|\bwl\b|wavelen|wellenl(?:ä|ae|a)nge|longueur d.onde|longitud de onda|"
    r"lunghezza d.onda|comprimento de onda|длина волны|波长|波長",
}
_STATED = {
    key: re.compile(rf"(?:{words})(?:[\s_-]*(?:wave[\s_-]*length|lambda))?[^0-9+\-.a-zåλ]*"
                    rf"(?:\(?\[?\s*(å|a|ang\w*|ångstr\w*|nm|pm|m|kev)\s*\]?\)?)?[\s\"':=,;\t]*{_NUMBER}[\s\"']*{_LENGTH}")
    for key, words in _KEYS.items()
}  # fmt: skip
_RATIO_WORD = r"(?:(?<![^\W\d_])|(?<=alpha)|(?<=wl)|(?<=length))ratio(?![^\W\d_])"
"""Not that of configuration, concentration or duration."""
_RATIO = re.compile(
    rf"(?:(?:ratio\W*)?k[\s-]*a(?:lpha)?[\s-]*2\s*/\s*k[\s-]*a(?:lpha)?[\s-]*1|{_RATIO_WORD})[^0-9]*{_NUMBER}"
)
_ENERGY = re.compile(
    rf"(?:energy|\be(?=\s*[=:]))[^0-9+\-.a-z]*(?:\(?\[?\s*(kev|ev)\s*\]?\)?)?[\s\"':=,;\t]*{_NUMBER}[\s\"']*(kev|ev\b)?"
)
_OF_A_DETECTOR = re.compile(r"threshold|window|discrimin|resolution|cut-?off|lower|upper")
_SECONDS = re.compile(
    r"(?:time[\s_]*per[\s_]*step|step[\s_]*time|time[\s_]*/[\s_]*step|counting[\s_]*time)\W*(?:s(?:ec\w*)?\b\W*)?"
    r"(\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)(?!\d|[.,]\d|\s*(?:min|h|ms)\b)"
)
_SYMBOL = "|".join(anode.lower() for anode in ANODES)
_ANODE = re.compile(
    rf"(?:anode|target|tube|radiation|source|x-?ray)[^a-z\n]*(?:material|name|type|element)?[^a-z\n]*\b({_SYMBOL})\b|"
    rf"\b({_SYMBOL})[\s-]+(?:anode|target|tube|radiation)\b|2[\s-]?(?:θ|theta)[\])\s]*\(({_SYMBOL})\b"
)
_ELEMENTS = {"copper": "cu", "molybdenum": "mo", "chromium": "cr", "iron": "fe", "cobalt": "co", "silver": "ag"}
_ELEMENT = re.compile(rf"\b(?:{'|'.join(_ELEMENTS)})\b")
_OF_A_TUBE = re.compile(r"anode|radiation|x-?ray|(?:tube|target)\W*[:=]|\bk[\s_-]*(?:alpha|a\b|α)|2[\s-]?(?:θ|theta)")
"""What a line must say, besides, for the word of an element to be that of a tube, and not of a sample."""
_LINE = re.compile(rf"\b({_SYMBOL})[\s_-]*k[\s_-]*(alpha|beta|a|b|α|β)[\s_,-]*(1,2|1\+2|12|1|2)?(?![\d.])")


def axis_of(words: str) -> Axis | None:
    """What an axis is by its name and unit, such as ``q_A^-1``, ``2th_deg`` or ``d (A)``; None if that is not plain."""
    plain = _plain(words)
    if plain.startswith("sin"):
        return None
    if _BY_ANGLE_ALONE.search(plain):
        return Axis.THETA
    if _TWO_THETA.search(plain):
        return Axis.TWO_THETA_RADIANS if _RADIANS.search(plain) else Axis.TWO_THETA
    if _THETA.search(plain):
        return Axis.THETA
    if _Q.search(plain):
        return Axis.Q_INVERSE_NM if _NANOMETRES.search(plain) else Axis.Q_INVERSE_ANGSTROM
    if _D.search(plain):
        if _PICOMETRES.search(plain):
            return Axis.D_PM
        return Axis.D_NM if _NANOMETRES.search(plain) else Axis.D_ANGSTROM
    return None


def states_wavelength(words: str) -> bool:
    """Whether words are no name, but say a wavelength, as ``Wavelength 0.41236 A`` does."""
    return axis_of(words) is None and bool(_STATED["any"].search(_plain(words)))


def is_no_pattern(words: str) -> bool:
    """Whether an axis is named, and is none of a powder pattern: energy, time of flight, radius, channel."""
    return bool(_NO_PATTERN.search(_plain(words)))


def is_other_axis(words: str) -> bool:
    """Whether a first column is named, and is none of a powder pattern, or what a table beside one may hold as well."""
    plain = _plain(words)
    return bool(_OTHER_AXIS.search(plain) or _NO_PATTERN.search(plain))


def roles(names: Sequence[str]) -> list[tuple[Role, int]]:
    """What each column holds by its name, and how sure that is: 0 is surest; 1 for `Role.OTHER` is an unknown name."""
    found: list[tuple[Role, int]] = []
    for name in names:
        plain = _plain(name)
        if _UNCERTAINTY.search(plain):
            found.append((Role.UNCERTAINTY, 0))
        elif _NOT_MEASURED.search(plain):
            found.append((Role.OTHER, 0))
        elif _PEAK.search(plain):
            found.append((Role.PEAK, 0))
        elif axis_of(name) is not None:
            found.append((Role.AXIS, 0))
        else:
            rank = next((place for place, words in enumerate(_INTENSITIES) if words.search(plain)), None)
            found.append((Role.OTHER, 1) if rank is None else (Role.INTENSITY, rank))
    return found


def wavelengths_in(header: Iterable[str]) -> tuple[Wavelengths | None, str]:
    """The wavelengths that lines of a header state, in words or numbers, and where; None and what is in doubt else."""
    lines = list(header)
    values: dict[str, float] = {}
    ratio: float | None = None
    where, doubt, anode, anode_where = "", "", "", ""
    for place, line in enumerate(lines, 1):
        plain = _plain(line)[:500]
        told = False
        for key, pattern in _STATED.items():
            match = pattern.search(plain)
            if match is None or key in values or (key == "any" and ("ka1" in values or told)):
                continue
            number = float(match[2].replace(",", "."))
            angstrom = written_wavelength(number, match[3] or match[1] or "")
            if angstrom is None:
                doubt = doubt or f"header line {place} says {match[0].strip()!r}, whose unit is not plain"
                continue
            values[key] = angstrom
            where, told = where or f"header line {place}", True
        share = _RATIO.search(plain)
        ratio = float(share[1].replace(",", ".")) if share and ratio is None else ratio
        if _OF_A_TUBE.search(plain):
            plain = _ELEMENT.sub(lambda name: _ELEMENTS[name[0]], plain)
        symbol = _LINE.search(plain) or _ANODE.search(plain)
        if symbol and not anode:
            series, line_of = (symbol[2], symbol[3]) if symbol.re is _LINE else ("a", None)
            anode = f"{next(filter(None, symbol.groups()))}K{series}{line_of if line_of in {'1', '2'} else ''}"
            anode_where = f"header line {place}, {symbol[0].strip()!r}"
    main = values.get("ka1", values.get("any"))
    if main is not None:
        return stated(main, values.get("ka2"), ratio), where
    if anode:
        try:
            return parse_radiation(anode), anode_where
        except ConfigError:
            return None, doubt
    return (None, doubt) if doubt else _of_energy(lines)


def seconds_in(header: Iterable[str]) -> float | None:
    """The counting time of a point that a header states, s."""
    found = (match for line in header if (match := _SECONDS.search(_plain(line)[:2000])))
    value = next((float(match[1].replace(",", ".")) for match in found), 0.0)
    return value if 0 < value < 1e6 else None  # noqa: PLR2004 - s: twelve days


def _of_energy(lines: Sequence[str]) -> tuple[Wavelengths | None, str]:
    """The wavelength by the energy of a beam that a header states, and where; a detector's settings are none."""
    for place, line in enumerate(lines, 1):
        plain = _plain(line)[:500]
        match = _ENERGY.search(plain)
        unit = (match[1] or match[3]) if match else None
        if match is None or unit is None or _OF_A_DETECTOR.search(plain):
            continue
        kev = float(match[2].replace(",", ".")) * (1.0 if unit == "kev" else 1e-3)
        angstrom = written_wavelength(kev, "kev")
        if angstrom is not None:
            return stated(angstrom, None, None), f"header line {place}, {match[0].strip()!r}"
    return None, ""


def _plain(words: str) -> str:
    """Lower case, one form of each letter, without quotes and comment marks at the ends."""
    return unicodedata.normalize("NFKC", words).strip(" \t\"'#!;*%").lower()
