"""From reflections to a pattern on a grid even in 1/d: put into bins, then given the shape of a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from deepxrd.matching.reflections import Reflections

Floats = NDArray[np.float64]
N_STRAIN = 6
_MOST_IMAGES = 24
_SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
_MARGIN = 0.03  # 1/Å beyond both ends of the grid, so that nothing wraps around


@dataclass(frozen=True, eq=False)
class Stack:
    """Reflections of several structures, one after the other.

    Attributes:
        q: 1/d² of the unstrained cells, ``(n,)``.
        slopes: change of q with each strain, ``(N_STRAIN, n)``; zero for strains that a structure does not have.
        intensity: without thermal motion and Lorentz and polarisation factors, ``(n,)``.
        owner: which structure, ``(n,)``.
        size: how many there are.
        cosines: squared cosines between the axis of texture and all reflections of an orbit, ``(n, n_images)``; None
            where no texture is looked at.
    """

    q: Floats
    slopes: Floats
    intensity: Floats
    owner: NDArray[np.int64]
    size: int
    cosines: Floats | None = None

    @classmethod
    def of(cls, parts: Sequence[Reflections], cosines: Sequence[Floats] | None = None) -> Stack:
        """One after the other.

        Args:
            parts: reflections of each structure.
            cosines: of each, see `deepxrd.matching.reflections.texture_cosines`.
        """
        slopes = [np.pad(part.slopes, ((0, N_STRAIN - len(part.slopes)), (0, 0))) for part in parts]
        return cls(
            np.concatenate([part.q for part in parts]),
            np.concatenate(slopes, axis=1),
            np.concatenate([part.intensity for part in parts]),
            np.repeat(np.arange(len(parts)), [len(part.q) for part in parts]),
            len(parts),
            None if cosines is None else _side_by_side(cosines),
        )


def _side_by_side(cosines: Sequence[Floats]) -> Floats:
    """All with as many columns: orders of point groups divide 24, so means stay what they are."""
    widest = max(each.shape[1] for each in cosines)
    width = widest if all(widest % each.shape[1] == 0 for each in cosines) else _MOST_IMAGES
    return np.concatenate([np.tile(each, (1, width // each.shape[1])) for each in cosines])


@dataclass(frozen=True, eq=False)
class Grid:
    """Where patterns are made.

    Attributes:
        first, step: of the points, 1/Å.
        n: points.
        lines: where each spectral line puts a reflection, relative to the first; and its share.
        wavelength_angstrom: of the first line.
        polarisation: weight of cos² 2θ in the polarisation factor.
    """

    first: float
    step: float
    n: int
    lines: tuple[tuple[float, float], ...]
    wavelength_angstrom: float
    polarisation: float = 1.0

    @property
    def margin(self) -> int:
        """Points added at each end."""
        return round(_MARGIN / self.step)

    @property
    def padded(self) -> int:
        """Points with both margins, a number that is quickly transformed."""
        return int(next_fast_len(self.n + 2 * self.margin, real=True))

    @property
    def frequencies(self) -> Floats:
        """Of the transform, in radians per 1/Å, ``(padded // 2 + 1,)``."""
        return np.asarray(2 * np.pi * np.fft.rfftfreq(self.padded, self.step))

    def factor(self, x: Floats) -> Floats:
        """Lorentz and polarisation factors on an axis of 1/d: (1 + P cos² 2θ) / (sin² θ cos θ) times cos θ.

        The last is there because a line's area is over the angle, and the axis is even in 1/d.
        """
        sine_squared = np.clip((x * self.wavelength_angstrom / 2) ** 2, 1e-6, 1.0)
        return np.asarray((1 + self.polarisation * (1 - 2 * sine_squared) ** 2) / sine_squared)

    def tilt(self, x: Floats) -> Floats:
        """Change of x with a shift of 2θ that goes with cos θ, as a sample's displacement does, 1/Å per degree."""
        cosine_squared = 1 - np.clip((x * self.wavelength_angstrom / 2) ** 2, 0.0, 1.0)
        return np.asarray(np.pi / 180 * cosine_squared / self.wavelength_angstrom)

    def deposit(self, x: Floats, owner: NDArray[np.int64], size: int, weights: Floats) -> Floats:
        """Put weights into the two nearest bins, ``(size, n_weights, padded)``.

        Args:
            x: places, ``(n,)``.
            owner: structure of each, ``(n,)``.
            size: number of structures.
            weights: ``(n_weights, n)``.
        """
        place = (x - self.first) / self.step + self.margin
        low = np.floor(place)
        inside = (low >= 0) & (low < self.padded - 1)
        bins = low[inside].astype(np.int64)
        part = place[inside] - bins
        index = owner[inside] * self.padded + bins
        out = np.empty((size, len(weights), self.padded))
        for row, weight in enumerate(weights):
            some = weight[inside]
            whole = np.bincount(index, some * (1 - part), size * self.padded)
            whole[1:] += np.bincount(index, some * part, size * self.padded)[:-1]
            out[:, row] = whole.reshape(size, self.padded)
        return out

    def cut(self, spectra: NDArray[np.complex128]) -> Floats:
        """Back from transforms to the points of the grid."""
        return np.asarray(irfft(spectra, self.padded, axis=-1)[..., self.margin : self.margin + self.n])

    def transform(self, bins: Floats) -> NDArray[np.complex128]:
        """Transforms of bins."""
        return np.asarray(rfft(bins, axis=-1))


def shape(frequencies: Floats, fwhm: Floats, lorentzian: Floats, sigma: float) -> tuple[Floats, Floats, Floats]:
    """Transform of a pseudo-Voigt line of area 1 under a further Gaussian.

    Args:
        frequencies: radians per 1/Å, ``(m,)``.
        fwhm: full width at half maximum, 1/Å, ``(n,)``.
        lorentzian: share of the Lorentzian, ``(n,)``.
        sigma: of the further Gaussian, 1/Å.

    Returns:
        Three arrays ``(n, m)``: the transform, its derivative by the logarithm of the width, and by the share.
    """
    further = np.exp(-0.5 * (sigma * frequencies) ** 2)
    a = fwhm[:, None] / 2 * frequencies
    b = (_SIGMA_PER_FWHM * fwhm[:, None] * frequencies) ** 2
    lorentz, gauss = np.exp(-a) * further, np.exp(-0.5 * b) * further
    share = lorentzian[:, None]
    return (
        share * lorentz + (1 - share) * gauss,
        -(share * a * lorentz + (1 - share) * b * gauss),
        lorentz - gauss,
    )
