"""What a powder pattern is computed for: radiation, range, grid and width."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepxrd.errors import ConfigError
from deepxrd.io import limits
from deepxrd.xrd.radiation import WAVELENGTHS_ANGSTROM

ENGINES = ("pymatgen", "batched")
"""What can compute the reflections: pymatgen's ``XRDCalculator``, or `deepxrd.xrd.batched`."""

AXES = ("two_theta", "q")
"""What the grid of a pattern is even in."""

FORM_FACTOR_TABLES = ("pymatgen", "waasmaier_kirfel")
"""Tables of atomic form factors: see `deepxrd.xrd.form_factors`."""


@dataclass(frozen=True)
class XrdSettings:
    """Radiation, range and smoothing of a pattern; the defaults are the paper's setting as we read it.

    Attributes:
        radiation: the name of a tube, or the wavelength in Å.
        two_theta_min_deg: first point of the grid.
        two_theta_max_deg: last point of the grid.
        n_points: points of the grid, both ends included.
        sigma_deg: standard deviation of the Gaussian that each reflection is smeared with, on a 2θ axis; 0 for sticks
            on the grid: the whole of each reflection at the grid point nearest to it.
        axis: what the grid is even in: ``two_theta``, or ``q`` = 4π sin θ / λ over the same range.
        sigma_inv_angstrom: standard deviation of the Gaussian on a q axis, Å⁻¹; 0 likewise.
        engine: what computes the reflections, one of `ENGINES`.
        form_factors: the table of atomic form factors, one of `FORM_FACTOR_TABLES`.
        debye_waller_b_angstrom2: isotropic displacement factor B of every atom, Å^2: ``f`` is multiplied by
            ``exp(-B s^2)`` with ``s = sin(theta) / wavelength``.
        kalpha_doublet: whether the tube shines with Kα1 and Kα2, 2 : 1, instead of their mean.
    """

    radiation: str | float = "CuKa"
    two_theta_min_deg: float = 0.0
    two_theta_max_deg: float = 180.0
    n_points: int = 1024
    sigma_deg: float = 0.5
    axis: str = "two_theta"
    sigma_inv_angstrom: float = 0.035
    engine: str = "batched"
    form_factors: str = "pymatgen"
    debye_waller_b_angstrom2: float = 0.0
    kalpha_doublet: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.radiation, str) and self.radiation not in WAVELENGTHS_ANGSTROM:
            known = ", ".join(WAVELENGTHS_ANGSTROM)
            msg = f"unknown radiation {self.radiation!r}: name one of {known}, or give the wavelength in Å"
            raise ConfigError(msg)
        shortest, longest = limits.WAVELENGTH_ANGSTROM
        if not shortest <= self.wavelength_angstrom <= longest:
            msg = f"a wavelength lies within {shortest:g}–{longest:g} Å, not {self.radiation!r} Å (1 nm is 10 Å)"
            raise ConfigError(msg)
        self._check_physics()
        first, last = limits.TWO_THETA_DEG
        if not first <= self.two_theta_min_deg < self.two_theta_max_deg <= last:
            msg = (
                f"no 2θ range: {self.two_theta_min_deg}–{self.two_theta_max_deg}°; it must lie within "
                f"{first:g}–{last:g}°"
            )
            raise ConfigError(msg)
        fewest, most = limits.POINTS
        if not fewest <= self.n_points <= most or not self.sigma >= 0:
            unit = "°" if self.axis == "two_theta" else " Å⁻¹"
            msg = (
                f"a pattern needs at least {fewest} points, at most {most:,}, and a positive width, or 0 for sticks on "
                f"the grid, not {self.n_points:,} and {self.sigma}{unit}"
            )
            raise ConfigError(msg)

    def _check_physics(self) -> None:
        """Raise `ConfigError` unless engine, form factors, B and doublet are known and go together."""
        for field, value, known in (
            ("axis", self.axis, AXES),
            ("engine", self.engine, ENGINES),
            ("form_factors", self.form_factors, FORM_FACTOR_TABLES),
        ):
            if value not in known:
                msg = f"unknown {field} {value!r}: it is one of {', '.join(known)}"
                raise ConfigError(msg)
        if self.engine == "pymatgen" and self.form_factors != "pymatgen":
            msg = (
                f"the engine pymatgen has only its own form factors, not {self.form_factors!r}: set xrd.engine=batched"
            )
            raise ConfigError(msg)
        if not 0 <= self.debye_waller_b_angstrom2 < float("inf"):
            msg = f"a displacement factor B must be zero or positive, not {self.debye_waller_b_angstrom2} Å^2"
            raise ConfigError(msg)
        if self.kalpha_doublet and f"{self.radiation}2" not in WAVELENGTHS_ANGSTROM:
            tubes = ", ".join(name[:-1] for name in WAVELENGTHS_ANGSTROM if name.endswith("Ka2"))
            msg = f"no Kα doublet is known for the radiation {self.radiation!r}: name one of {tubes}"
            raise ConfigError(msg)

    @property
    def wavelength_angstrom(self) -> float:
        """The wavelength, Å."""
        return WAVELENGTHS_ANGSTROM[self.radiation] if isinstance(self.radiation, str) else float(self.radiation)

    @property
    def lines(self) -> tuple[tuple[float, float], ...]:
        """The spectral lines: wavelength in Å, and share of the intensity."""
        if not self.kalpha_doublet:
            return ((self.wavelength_angstrom, 1.0),)
        alpha1, alpha2 = (WAVELENGTHS_ANGSTROM[f"{self.radiation}{line}"] for line in (1, 2))
        return ((alpha1, 2 / 3), (alpha2, 1 / 3))

    def coordinate(self, two_theta_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where angles lie on the axis: in degrees 2θ, or as q = 4π sin θ / λ in Å⁻¹."""
        if self.axis == "two_theta":
            return np.asarray(two_theta_deg, dtype=np.float64)
        return np.asarray(4 * np.pi / self.wavelength_angstrom * np.sin(np.radians(two_theta_deg) / 2))

    @property
    def grid(self) -> NDArray[np.float64]:
        """The grid on the axis, ``(n_points,)``, even, in degrees 2θ or in Å⁻¹."""
        first, last = self.coordinate(np.array([self.two_theta_min_deg, self.two_theta_max_deg]))
        return np.linspace(first, last, self.n_points)

    @property
    def step(self) -> float:
        """Distance between two points of the grid, in the axis's unit."""
        first, last = self.coordinate(np.array([self.two_theta_min_deg, self.two_theta_max_deg]))
        return float(last - first) / (self.n_points - 1)

    @property
    def sigma(self) -> float:
        """Standard deviation of the Gaussians, in the axis's unit; 0 for sticks on the grid."""
        return self.sigma_deg if self.axis == "two_theta" else self.sigma_inv_angstrom

    @property
    def two_theta_deg(self) -> NDArray[np.float64]:
        """The grid as angles, ``(n_points,)``, degrees; even only if the axis is 2θ."""
        if self.axis == "two_theta":
            return self.grid
        sine = np.clip(self.grid * self.wavelength_angstrom / (4 * np.pi), 0.0, 1.0)
        return np.asarray(np.degrees(2 * np.arcsin(sine)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written into checkpoints and manifests."""
        return asdict(self)
