"""A scan made ready to be fitted: freed of its background, at even steps of 1/d, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import binary_erosion, gaussian_filter1d

from deepxrd.errors import ScanError
from deepxrd.matching.background import background_of
from deepxrd.matching.kbeta import kbeta_ratio, kbeta_share
from deepxrd.scans import Scan
from deepxrd.xrd import Wavelengths
from deepxrd.xrd.radiation import WAVELENGTHS_ANGSTROM, tube

Floats = NDArray[np.float64]

FINE_STEP, COARSE_STEP = 0.0002, 0.001
"""Of the grids in 1/d, 1/Å: 0.02° and 0.1° of 2θ for Cu Kα."""
LARGEST_D_INVERSE = 1.1
"""1/Å; 116° for Cu Kα. Beyond, lines overlap too much to tell structures apart."""
FEWEST_POINTS = 50
LEAST_SOFTNESS = 3.0
"""See `View`; the largest intensity is 100."""
_LEAST_RELIABILITY = 0.25  # a scan of which three quarters are noise tells nothing
_NOISE_SOFTNESS = 2.0  # standard deviations of the noise
_LEAST_SIGNAL = 1e-9
_SMALLEST_D_INVERSE = 0.02  # 1/Å, 50 Å: below is the direct beam
_LEAST_RANGE = 0.05  # 1/Å
_LINE_DEG = 1.0  # within which of the end of a range the foot of a cut line is looked for
_CUT, _CUT_DEVIATIONS = 0.05, 6.0  # of the strongest line, and of the noise: what rises by less may stay


@dataclass(frozen=True, eq=False)
class Observed:
    """A scan on a grid that is even in 1/d, of the mean or the first wavelength.

    Attributes:
        x: the grid, 1/d = 2 sin θ / λ, 1/Å, ``(n,)``.
        intensity: counts above the background, the mean of each step, ``(n,)``; zero where nothing was measured.
        background: counts, ``(n,)``.
        measured: where it was measured, ``(n,)``.
        noise: standard deviation of a step's intensity by the background alone, counts; where points lie farther apart
            than steps, that which steps without a common point would have for the same noise of their means.
        wavelengths: Kα1, and Kα2 if it is there.
        wavelength_is_assumed: whether nothing said which it is.
        polarisation: weight of cos² 2θ in the polarisation factor: 1 of a tube without a monochromator.
        kbeta: intensity of Kβ relative to Kα, 0 where a filter takes it.
        remarks: what a person should know of how the file was read: points left out, a wavelength that is not used.
    """

    x: Floats
    intensity: Floats
    background: Floats
    measured: NDArray[np.bool_]
    noise: Floats
    wavelengths: Wavelengths
    wavelength_is_assumed: bool
    polarisation: float = 1.0
    kbeta: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def wavelength_angstrom(self) -> float:
        """Of the first line, Å: what the grid is made for."""
        return self.wavelengths.kalpha1_angstrom

    @property
    def lines(self) -> tuple[tuple[float, float], ...]:
        """Where each spectral line puts a reflection, relative to the first; and its share of the intensity."""
        second, ratio = self.wavelengths.kalpha2_angstrom, self.wavelengths.ratio
        if second is None or not ratio:
            return ((1.0, 1.0), *self.further_lines)
        alpha = ((1.0, 1 / (1 + ratio)), (second / self.wavelength_angstrom, ratio / (1 + ratio)))
        return (*alpha, *self.further_lines)

    @property
    def further_lines(self) -> tuple[tuple[float, float], ...]:
        """The same of what is no Kα."""
        ratio = kbeta_ratio(self.wavelengths) if self.kbeta else None
        return () if ratio is None else ((ratio, self.kbeta),)

    @property
    def two_theta_deg(self) -> Floats:
        """The grid as angles, degrees."""
        return np.asarray(np.degrees(2 * np.arcsin(self.x * self.wavelength_angstrom / 2)))

    def view(self, sigma: float, step: float) -> View:
        """The scan under a Gaussian, the largest value 100.

        Args:
            sigma: of the Gaussian, 1/Å.
            step: of the grid, a multiple of `FINE_STEP`.

        Raises:
            ScanError: no stretch of it is wide enough to be compared, or nothing stands out in those that are.
        """
        every = round(step / FINE_STEP)
        width = sigma / FINE_STEP
        smooth = gaussian_filter1d(self.intensity, width, mode="constant")
        share = gaussian_filter1d(self.measured.astype(np.float64), width, mode="constant")
        far = max(1, round(width))
        inside = binary_erosion(self.measured, iterations=far, border_value=False)
        smooth = np.where(inside, smooth / np.maximum(share, 0.1), 0.0)[::every]
        largest = float(smooth.max())
        if not largest > 0:
            msg = (
                f"no line stands out in stretches of the scan that are wider than {2 * far * FINE_STEP:g} 1/Å, as is "
                "needed to compare them: measure without gaps, or check the radiation"
            )
            raise ScanError(msg)
        averaged = np.sqrt(FINE_STEP / (2 * np.sqrt(np.pi) * sigma))  # what the blur leaves of noise
        noise = 100 / largest * averaged * self.noise[::every]
        inside = inside[::every]
        softness = LEAST_SOFTNESS + _NOISE_SOFTNESS * float(np.median(noise[inside]))
        return View(self.x[::every], 100 * smooth / largest, inside, sigma, largest, softness, noise)


@dataclass(frozen=True, eq=False)
class View:
    """A scan at one resolution.

    Intensities are compared as ln(1 + I / softness): weak lines then tell as strong ones do. Below zero, where only
    noise is, the mirror image is taken, so that noise has no mean.

    Attributes:
        x: the grid, 1/Å, ``(n,)``.
        pattern: the largest value 100, ``(n,)``; noise may be below zero.
        inside: where it is compared, ``(n,)``.
        sigma: of the Gaussian it was smoothed with, 1/Å.
        largest: counts that are 100 here.
        softness: of the logarithm, more where there is more noise.
        noise: standard deviation of the pattern by its background alone, ``(n,)``.
    """

    x: Floats
    pattern: Floats
    inside: NDArray[np.bool_]
    sigma: float
    largest: float
    softness: float
    noise: Floats

    def soft(self, pattern: Floats) -> Floats:
        """The logarithm of intensities of which the scan's largest is 100."""
        return np.asarray(np.sign(pattern) * np.log1p(np.abs(pattern) / self.softness))

    @property
    def attainable(self) -> float:
        """The correlation that the true pattern would have with this one, noise being what parts them.

        The root of the reliability, 1 less the share of noise in the variance: Spearman, Am. J. Psychol. 15 (1904) 72.
        """
        noise = (self.noise / (self.softness + np.abs(self.pattern)))[self.inside]
        share = float((noise**2).mean() / max(float(self.target.var()), 1e-12))
        return float(np.sqrt(max(1 - share, _LEAST_RELIABILITY)))

    @property
    def target(self) -> Floats:
        """What is fitted: the logarithm of the scan where it is compared, ``(n_inside,)``."""
        return self.soft(self.pattern[self.inside])


def observe(scan: Scan, *, name: str = "the scan", polarisation: float = 1.0) -> Observed:
    """Make a scan ready.

    Args:
        scan: a continuous one.
        polarisation: weight of cos² 2θ in the polarisation factor.
        name: what to call it in errors.

    Raises:
        ScanError: it is a list of peaks, too short, or nothing stands out of its background.
    """
    if scan.is_peak_list:
        msg = f"{name} is a list of {len(scan.counts)} peaks, and only a continuous scan can be compared"
        raise ScanError(msg)
    if len(scan.counts) < FEWEST_POINTS:
        msg = f"{name} has {len(scan.counts)} points, too few for a pattern (at least {FEWEST_POINTS})"
        raise ScanError(msg)
    waves = scan.wavelengths or tube("CuKa")
    length = waves.kalpha1_angstrom
    place = 2 * np.sin(np.radians(scan.two_theta_deg / 2)) / length
    first, last = max(float(place[0]), _SMALLEST_D_INVERSE), min(float(place[-1]), LARGEST_D_INVERSE)
    if not last - first > _LEAST_RANGE:
        msg = (
            f"{name} goes from {scan.two_theta_deg[0]:g} to {scan.two_theta_deg[-1]:g}° 2θ, which is 1/d from "
            f"{place[0]:.3g} to {place[-1]:.3g} 1/Å at {length:g} Å: measure more, or check the radiation"
        )
        raise ScanError(msg)
    x = np.arange(first, last, FINE_STEP)
    counts, level = np.zeros(len(x)), np.zeros(len(x))
    measured = np.zeros(len(x), dtype=bool)
    noise = np.zeros(len(x))
    # where somebody has taken too much of a background off, noise and background are still those of counts
    lift = max(-float(scan.counts.min()), 0.0)
    variance = _variance_per_count(scan.counts + lift, scan.uncertainty)
    closeness = min(float(np.sqrt(length / WAVELENGTHS_ANGSTROM["CuKa1"])), 1.0)
    for part in scan.ranges:
        inside = slice(part.start, part.stop)
        angle, values = scan.two_theta_deg[inside], scan.counts[inside] + lift
        background = background_of(angle, values, variance_per_count=variance, closeness=closeness)
        whole = len(values) - _cut_line(angle, values, variance)
        here = (x >= place[inside][0]) & (x <= place[inside][whole - 1])
        measured |= here
        counts[here] = _binned(x[here], place[inside], values - background)
        level[here] = np.interp(x[here], place[inside], background - lift)
        per_step = FINE_STEP / np.gradient(place[inside]) if len(values) > 1 else np.ones(1)
        spread = np.sqrt(variance * np.maximum(background, 0.0) / per_step)
        noise[here] = np.interp(x[here], place[inside], spread)
    if not counts.max() > _LEAST_SIGNAL * float(np.abs(scan.counts).max()):
        msg = f"nothing in {name} stands out of its background"
        raise ScanError(msg)
    kbeta = kbeta_share(x, counts, measured, waves)
    return Observed(
        x, counts, level, measured, noise, waves, scan.wavelengths is None, polarisation, kbeta, _remarks(scan)
    )  # fmt: skip


def _cut_line(angle_deg: Floats, counts: Floats, variance_per_count: float) -> int:
    """Points of a line that the end of a range cuts off: its rise would be taken for background.

    Args:
        angle_deg: 2θ, ``(n,)``.
        counts: zero or more, ``(n,)``.
        variance_per_count: of the noise.

    Returns:
        From the foot of the line to the end; 0 where no line is cut.
    """
    near = np.flatnonzero(angle_deg >= angle_deg[-1] - _LINE_DEG)
    if 2 * len(near) > len(counts):  # a range of a single line
        return 0
    level = gaussian_filter1d(counts[near], 2.0, mode="nearest")
    foot = int(level.argmin())
    rise = float(level[-1] - level[foot])
    tall = _CUT * (float(counts.max()) - float(level[foot]))
    noise = _CUT_DEVIATIONS * float(np.sqrt(variance_per_count * max(level[foot], 1.0)))
    return len(near) - foot if rise > max(tall, noise) else 0


def _remarks(scan: Scan) -> tuple[str, ...]:
    """Sentences on what the file holds and is not used."""
    left_out = ", ".join(f"{n} {reason}" for reason, n in scan.left_out.items())
    unused = [str(fact) for fact in scan.facts if fact.what == "wavelength" and scan.wavelengths is None]
    angles = [str(fact) for fact in scan.facts if fact.what == "angles" and fact.value.startswith("computed")]
    waves = scan.wavelengths
    second = waves is not None and waves.kalpha2_angstrom is not None and waves.ratio is None
    alone = "the file does not state how strong its Kα2 is, which is left out: the radiation Cu takes both"
    tube = waves.anode if waves is not None and waves.kalpha2_angstrom is None and waves.ratio is None else None
    first = f"the wavelength is that of Kα1 alone: if Kα2 was not taken away, the radiation {tube} takes both"
    return (
        *([f"points left out: {left_out}"] if left_out else []),
        *([alone] if second else []),
        *([first] if tube else []),
        *(f"wavelength of the file {text}" for text in unused),
        *(f"the file states no radiation: angles are {text}" for text in angles),
    )


def _binned(x: Floats, place: Floats, values: Floats) -> Floats:
    """The mean of values over a step around each point."""
    if len(place) < 2 or not len(x):  # noqa: PLR2004
        return np.zeros(len(x))
    area = cumulative_trapezoid(values, place, initial=0)
    low, high = np.maximum(x - FINE_STEP / 2, place[0]), np.minimum(x + FINE_STEP / 2, place[-1])
    return np.asarray((np.interp(high, place, area) - np.interp(low, place, area)) / np.maximum(high - low, 1e-9))


def _variance_per_count(counts: Floats, uncertainty: Floats | None) -> float:
    """Variance of the noise over the counts: 1 of counts as they are, else as the file says or as neighbours differ.

    Args:
        counts: zero or more, ``(n,)``.
        uncertainty: their standard deviations, ``(n,)``; None where nobody knows.
    """
    level = np.maximum(gaussian_filter1d(counts, 3.0, mode="nearest"), 1e-12)
    if uncertainty is not None:
        # where nearly all points hold nothing the median tells of these, to which 1 count is ascribed as a deviation
        return float(min(np.median(uncertainty**2 / level), (uncertainty**2).sum() / level.sum()))
    differences = np.abs(np.diff(counts)) / np.sqrt(level[1:])
    return float((np.median(differences) / (0.6745 * np.sqrt(2))) ** 2)
