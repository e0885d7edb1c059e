"""From the axis of a file to 2θ, checked against what its numbers look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ScanError
from deepxrd.scans.block import Axis, Block
from deepxrd.scans.choose import UNNAMED
from deepxrd.scans.scan import Fact
from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import tube

AXIS_NAMES = {
    "two_theta": Axis.TWO_THETA,
    "theta": Axis.THETA,
    "q": Axis.Q_INVERSE_ANGSTROM,
    "q_nm": Axis.Q_INVERSE_NM,
    "d": Axis.D_ANGSTROM,
    "d_nm": Axis.D_NM,
    "d_pm": Axis.D_PM,
}
"""What a person may say that an axis is."""
_BACKSCATTERING_DEG = 180.0
_SMALL = 12.0  # as q in 1/Å or 2θ in degrees both are usual up to here
_SHORT_ANGSTROM = 0.6  # radiations at which patterns end that early
_EVEN, _UNEVEN = 0.05, 0.2  # standard deviation of steps by their mean
_STAND_IN = ("CuKa", "MoKa", "AgKa")


def in_two_theta(block: Block, *, axis: Axis | None, wavelengths: Wavelengths | None) -> NDArray[np.float64]:
    """The axis of a block in degrees 2θ, ``(n,)``, in the order of the file; NaN where there is no such angle.

    An axis in q or d does not depend on the radiation; where none is known its angles are given for a tube that reaches
    them all, which the block's facts and wavelengths then say.

    Args:
        block: its wavelengths are set where a tube had to be chosen.
        axis: what a person says that it is; None for what the file says.
        wavelengths: of the file or the person.

    Raises:
        ScanError: the numbers do not fit what the axis is called, or nothing calls it and they may be several things.
    """
    values = block.axis
    kind, finite = axis or block.kind, values[np.isfinite(values)]
    if axis is not None:
        block.axis_source = "as given"
    elif block.axis_source.startswith(UNNAMED):
        _check_unnamed(finite, wavelengths)
    if kind in {Axis.TWO_THETA, Axis.THETA, Axis.TWO_THETA_RADIANS}:
        factor = {Axis.TWO_THETA: 1.0, Axis.THETA: 2.0, Axis.TWO_THETA_RADIANS: 180 / np.pi}[kind]
        if len(finite) and (factor * finite).max() > _BACKSCATTERING_DEG:
            msg = (
                f"its axis goes from {finite.min():g} to {finite.max():g}, which is no {kind.value} "
                f"({block.axis_source}): name the axis in the file, or give it as one of {', '.join(AXIS_NAMES)}"
            )
            raise ScanError(msg)
        return factor * values
    lengths = {
        Axis.Q_INVERSE_ANGSTROM: 1.0, Axis.Q_INVERSE_NM: 0.1, Axis.D_ANGSTROM: 1.0, Axis.D_NM: 10.0, Axis.D_PM: 0.01,
    }  # fmt: skip
    is_q = kind in {Axis.Q_INVERSE_ANGSTROM, Axis.Q_INVERSE_NM}
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = lengths[kind] * values
        # 4 pi sin(theta) / lambda = q = 2 pi / d
        half_over_d = np.where(scaled > 0, scaled / (4 * np.pi) if is_q else 0.5 / scaled, np.nan)
    if wavelengths is None:
        wavelengths = _stand_in(half_over_d[np.isfinite(half_over_d)])
        block.wavelengths, block.wavelengths_source = wavelengths, f"none stated, and {kind.value} needs none"
        block.facts.append(
            Fact("angles", f"computed from {kind.value} for {wavelengths.name}", "giving a radiation sets others")
        )
    sine = half_over_d * wavelengths.mean_angstrom
    return np.asarray(np.degrees(2 * np.arcsin(np.where(sine <= 1, sine, np.nan))))


def _stand_in(half_over_d: NDArray[np.float64]) -> Wavelengths:
    """The mean line of the first tube of copper, molybdenum and silver whose pattern reaches all points.

    One line and no doublet: what comes in q was measured anywhere, mostly at a synchrotron.
    """
    largest = half_over_d.max(initial=0.0)
    for name in _STAND_IN:
        mean = tube(name).mean_angstrom
        if largest * mean <= 1:
            return Wavelengths(mean, ratio=0.0, name=name)
    msg = f"its axis reaches d = {0.5 / largest:.3g} Å: give the radiation it was measured with"
    raise ScanError(msg)


def _check_unnamed(values: NDArray[np.float64], wavelengths: Wavelengths | None) -> None:
    """Raise `ScanError` if numbers that nothing calls 2θ look like something else."""
    if len(values) < 3:  # noqa: PLR2004 - two steps
        return
    low, high = values.min(), values.max()
    if high > _BACKSCATTERING_DEG:
        msg = (
            f"its first column goes from {low:g} to {high:g} and has no name: it is no 2θ. Channels, energies and "
            "times are not read; else name the columns in a line above them"
        )
        raise ScanError(msg)
    if _looks_like_d(values):
        msg = (
            f"its first column has no name and goes from {values[0]:g} to {values[-1]:g} in uneven steps that are even "
            "in angle: it looks like d in Å. Give the axis, d (or two_theta), or name the column"
        )
        raise ScanError(msg)
    short = wavelengths is not None and wavelengths.mean_angstrom < _SHORT_ANGSTROM
    if high <= _SMALL and not short:
        msg = (
            f"its first column has no name and goes from {low:g} to {high:g}: that may be q in 1/Å, or 2θ of a short "
            "wavelength or at small angles. Give the axis, q, q_nm, d or two_theta, or name the column"
        )
        raise ScanError(msg)


def _looks_like_d(values: NDArray[np.float64]) -> bool:
    """Whether numbers are uneven, and even as the angles of d at some usual wavelength."""
    if not (values > 0).all():
        return False
    steps = np.abs(np.diff(values))
    if not steps.all() or steps.std() < _UNEVEN * steps.mean():
        return False
    for name in _STAND_IN:
        sine = tube(name).mean_angstrom / (2 * values)
        if (sine < 1).all():
            angles = np.abs(np.diff(np.arcsin(sine)))
            if angles.std() < _EVEN * angles.mean():
                return True
    return False
