"""Which ABX3 compositions the built-in source offers, and which structure type each of them gets.

Everything follows from two tables that come with pymatgen: the oxidation states of the elements, and Shannon's
effective ionic radii (R. D. Shannon, Acta Cryst. A32, 751 (1976)). With the radii in Å, A in twelvefold and B in
sixfold coordination, Goldschmidt's tolerance factor (V. M. Goldschmidt, Naturwissenschaften 14, 477 (1926)) and the
octahedral factor are

    t = (r_A + r_X) / (√2 (r_B + r_X)),    μ = r_B / r_X.

The structure type of a composition, first line that fits:

* X is oxygen and B one of C, N, B: planar BO3 groups, calcite (also for the large A that would prefer aragonite, which
  the library lacks). B one of Cl, Br, I in the state 5+: pyramidal groups, KClO3. Both need r_A / r_X ≥ 0.36.
* 0.36 ≤ r_A / r_X < 0.60: A is as octahedral as B. Ilmenite where the charges are 2+ and 4+, or 1+ and 2+; the
  LiNbO3 type where they are 1+ and 5+, or 3+ and 3+. For oxides and halides only, μ ≥ 0.28.
* 0.36 ≤ μ ≤ 0.80 is needed for all that follows, and 0.80 ≤ t ≤ 1.20.
* B an ion of groups 4 to 6 without d electrons, and 1.01 < t ≤ 1.09: tetragonal PbTiO3 type, B off its centre.
* t > 1.045 (or > 0.995 for the soft anions Cl, Br, I, S, Se): octahedra share faces, hexagonal BaNiO3 type.
* t ≥ 0.975 (or ≥ 0.94 for monovalent anions): cubic perovskite.
* otherwise: orthorhombic perovskite, the GdFeO3 type.

The borders are round numbers, laid between well-known members on either side: CaTiO3 and SrTiO3, NaMgF3 and KMnF3,
MnTiO3 and CaTiO3, CsMnCl3 and RbNiCl3. They sort most of the textbook cases; they are no phase diagram.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import sqrt
from statistics import linear_regression

from deepxrd.chem import PAPER_ELEMENTS
from deepxrd.errors import SourceError

CUBIC, ORTHORHOMBIC, TETRAGONAL, HEXAGONAL = "cubic perovskite", "GdFeO3", "PbTiO3", "BaNiO3"
ILMENITE, LITHIUM_NIOBATE, CALCITE, CHLORATE = "ilmenite", "LiNbO3", "calcite", "KClO3"
PROTOTYPES = (CUBIC, ORTHORHOMBIC, TETRAGONAL, HEXAGONAL, ILMENITE, LITHIUM_NIOBATE, CALCITE, CHLORATE)

ANION_CHARGES: dict[str, int] = {"O": -2, "F": -1, "Cl": -1, "Br": -1, "I": -1, "S": -2, "Se": -2, "N": -3, "H": -1}
_SOFT_ANIONS = frozenset({"Cl", "Br", "I", "S", "Se"})
_HEAVY_HALIDES = frozenset({"Cl", "Br", "I"})
_ILMENITE_ANIONS = frozenset({"O", "F"}) | _HEAVY_HALIDES
_NO_CATIONS = frozenset({"H", "C", "N", "O", "F", "S", "Cl", "Br", "I", "B", "P", "Se"})
_NEVER_ALONE = frozenset({("Hg", 1)})  # mercury(I) comes as the pair Hg2
_MIN_CATION_RADIUS = 0.38  # Å; smaller ions are tetrahedral. Si4+ with 0.40 Å is the smallest in octahedra
_MIN_OCTAHEDRAL_A = 0.36  # r_A/r_X: Be2+ has 0.32 in oxides and is tetrahedral, Al3+ 0.38
_MAX_OCTAHEDRAL_A = 0.60  # r_A/r_X: MnTiO3 has 0.593, CdTiO3 0.679
_MIN_MU_ILMENITE = 0.28  # MgSiO3 has 0.286
_MU_PEROVSKITE = (0.36, 0.80)  # SrMnO3 has 0.379, LaYbO3 0.62
_T_PEROVSKITE = (0.80, 1.20)
_T_POLAR = (1.01, 1.09)  # PbTiO3 has 1.019, RbNbO3 1.081
_MIN_T_HEXAGONAL, _MIN_T_HEXAGONAL_SOFT = 1.045, 0.995  # KNiF3 has 1.040, CsMnF3 1.051; CsMnCl3 0.988, RbNiCl3 0.998
_MIN_T_CUBIC, _MIN_T_CUBIC_MONOVALENT = 0.975, 0.94  # CaTiO3 has 0.966, SrTiO3 1.002; NaMgF3 0.938, KMnF3 0.972
_MAX_CHARGE_3D = 4
_D0_GROUPS = (4, 5, 6)
_FIRST_LONG_ROW, _FIRST_P_GROUP = 4, 13
_GROUP_CENTRES = {"C": (4, "III"), "N": (5, "III"), "B": (3, "III")} | dict.fromkeys(("Cl", "Br", "I"), (5, "IIIPY"))
_COORDINATIONS = ("III", "IIIPY", "IV", "VI", "XII")


@dataclass(frozen=True)
class Ion:
    """An element in an oxidation state.

    Attributes:
        symbol: the element.
        charge: its oxidation state.
        common: whether pymatgen counts the state among the element's common ones.
    """

    symbol: str
    charge: int
    common: bool = True

    def __str__(self) -> str:
        return f"{self.symbol}{abs(self.charge)}{'+' if self.charge > 0 else '-'}"

    def radius(self, coordination: str = "VI") -> float:
        """Shannon's radius, Å; where the table has none for the coordination, the one for VI, or else for IV.

        Radii in twelvefold coordination that are missing are read off the line through all ions that have both
        (17 ions, scatter 0.035 Å).

        Raises:
            SourceError: the table has no radius that could serve.
        """
        if coordination == "XII" and _listed_radius(self.symbol, self.charge, "XII") is None:
            slope, intercept = _twelvefold_line()
            return slope * self.radius("VI") + intercept
        for listed in (coordination, "VI", "IV"):
            radius = _listed_radius(self.symbol, self.charge, listed)
            if radius is not None:
                return radius
        msg = f"pymatgen's table has no Shannon radius of {self} in coordination {coordination}"
        raise SourceError(msg)

    @property
    def is_d0(self) -> bool:
        """Whether it is a transition metal of groups 4 to 6 without d electrons."""
        from pymatgen.core import Element

        group = int(Element(self.symbol).group)
        return group == self.charge and group in _D0_GROUPS

    @property
    def has_lone_pair(self) -> bool:
        """Whether it keeps a pair of s electrons, as Tl+, Pb2+ and Bi3+ do."""
        from pymatgen.core import Element

        element = Element(self.symbol)
        valence_s_and_p = int(element.group) - _FIRST_P_GROUP + 3
        return int(element.row) >= _FIRST_LONG_ROW and self.charge == valence_s_and_p - 2 > 0


@dataclass(frozen=True)
class Compound:
    """An ABX3 composition with its charges and its structure type.

    Attributes:
        a: the larger or less charged cation.
        b: the cation in the octahedra, or in the middle of the oxyanion.
        x: the anion.
        prototype: one of :data:`PROTOTYPES`.
    """

    a: Ion
    b: Ion
    x: Ion
    prototype: str

    @property
    def formula(self) -> str:
        """The formula in the order ABX3."""
        return f"{self.a.symbol}{self.b.symbol}{self.x.symbol}3"

    @property
    def tolerance_factor(self) -> float:
        """Goldschmidt's t; without meaning for salts of oxyanions."""
        return tolerance_factor(self.a, self.b, self.x)

    @property
    def octahedral_factor(self) -> float:
        """The ratio μ of the radii of B and X."""
        return self.b.radius() / self.x.radius()

    @property
    def is_oxyanion_salt(self) -> bool:
        """Whether B sits in the middle of a BO3 group instead of in an octahedron."""
        return self.prototype in (CALCITE, CHLORATE)

    @cached_property
    def rank(self) -> tuple[int, float, str]:
        """Sort key: common oxidation states first, then the closest packing, then the alphabet."""
        misfit = 0.0 if self.is_oxyanion_salt else abs(1.0 - self.tolerance_factor)
        return 2 - self.a.common - self.b.common, misfit, self.formula


def tolerance_factor(a: Ion, b: Ion, x: Ion) -> float:
    """Goldschmidt's t = (r_A + r_X) / (√2 (r_B + r_X)), A in twelvefold and B in sixfold coordination."""
    return (a.radius("XII") + x.radius()) / (sqrt(2) * (b.radius() + x.radius()))


def select_compounds(anions: Sequence[str], elements: Sequence[str], max_compounds: int) -> list[Compound]:
    """The first ``max_compounds`` compositions by :attr:`Compound.rank`, no two of the same elements and amounts.

    Args:
        anions: symbols from :data:`ANION_CHARGES`.
        elements: the elements that may occur.
        max_compounds: how many at most.
    """
    cations: dict[int, list[Ion]] = defaultdict(list)
    for ion in cation_list(elements):
        cations[ion.charge].append(ion)
    chosen: dict[tuple[frozenset[str], str], Compound] = {}
    found = (c for anion in anions if anion in elements for c in _compounds(_anion(anion), cations, elements))
    for compound in sorted(found, key=lambda c: c.rank):
        chosen.setdefault((frozenset((compound.a.symbol, compound.b.symbol)), compound.x.symbol), compound)
    return list(chosen.values())[:max_compounds]


def choose_prototype(a: Ion, b: Ion, x: Ion) -> str | None:
    """The structure type by the rule at the head of this module; None where none of them would hold."""
    r_x = x.radius()
    mu = b.radius() / r_x
    if a.radius() / r_x < _MAX_OCTAHEDRAL_A:
        if x.symbol not in _ILMENITE_ANIONS or a.radius() / r_x < _MIN_OCTAHEDRAL_A or mu < _MIN_MU_ILMENITE:
            return None
        return ILMENITE if {a.charge, b.charge} in ({2, 4}, {1, 2}) else LITHIUM_NIOBATE
    t = tolerance_factor(a, b, x)
    if not (_MU_PEROVSKITE[0] <= mu <= _MU_PEROVSKITE[1] and _T_PEROVSKITE[0] <= t <= _T_PEROVSKITE[1]):
        return None
    if b.is_d0 and _T_POLAR[0] < t <= _T_POLAR[1]:
        return TETRAGONAL
    if t > (_MIN_T_HEXAGONAL_SOFT if x.symbol in _SOFT_ANIONS else _MIN_T_HEXAGONAL):
        return HEXAGONAL
    return CUBIC if t >= (_MIN_T_CUBIC_MONOVALENT if x.charge == -1 else _MIN_T_CUBIC) else ORTHORHOMBIC


@cache
def cation_list(elements: Sequence[str]) -> tuple[Ion, ...]:
    """The octahedral cations: metals and metalloids in states that are common, or found in the ICSD ten times."""
    from pymatgen.core import Element

    ions = []
    for symbol in elements:
        if symbol in _NO_CATIONS:
            continue
        element = Element(symbol)
        common = set(element.common_oxidation_states)
        for charge in sorted(common | set(element.icsd_oxidation_states)):
            radius = _listed_radius(symbol, charge, "VI") if charge > 0 else None
            if radius is not None and radius >= _MIN_CATION_RADIUS and (symbol, charge) not in _NEVER_ALONE:
                ions.append(Ion(symbol, int(charge), charge in common))
    return tuple(ions)


def radii_table(elements: Sequence[str]) -> list[str]:
    """Every number that the rules read about the ions, one line each, for the source's fingerprint."""
    groups = [Ion(symbol, charge) for symbol, (charge, _) in _GROUP_CENTRES.items()]
    ions = [*cation_list(elements), *groups, *(_anion(symbol) for symbol in ANION_CHARGES)]
    return [f"{ion} {ion.common} {[_listed_radius(ion.symbol, ion.charge, c) for c in _COORDINATIONS]}" for ion in ions]


def group_coordination(symbol: str) -> str:
    """Shannon's name for the coordination in the middle of an XO3 group: planar III or pyramidal IIIPY."""
    return _GROUP_CENTRES[symbol][1]


def _anion(symbol: str) -> Ion:
    return Ion(symbol, ANION_CHARGES[symbol])


def _compounds(x: Ion, cations: dict[int, list[Ion]], elements: Sequence[str]) -> Iterator[Compound]:
    """Every neutral ABX3 with a structure type, in whatever order."""
    total = -3 * x.charge
    for charge, ions in cations.items():
        for a in ions:
            for b in cations.get(total - charge, ()):
                if a.symbol != b.symbol and x.symbol not in (a.symbol, b.symbol) and _is_sensible(a, b, x):
                    prototype = choose_prototype(a, b, x)
                    if prototype is not None:
                        yield Compound(a, b, x, prototype)
    if x.symbol != "O":
        return
    for symbol, (charge, coordination) in _GROUP_CENTRES.items():
        for a in cations.get(total - charge, ()) if symbol in elements else ():
            if a.radius() / x.radius() >= _MIN_OCTAHEDRAL_A:
                yield Compound(a, Ion(symbol, charge), x, CALCITE if coordination == "III" else CHLORATE)


def _is_sensible(a: Ion, b: Ion, x: Ion) -> bool:
    """Whether two cations may share a lattice with this anion, A and B the right way round."""
    a_is_larger = (a.radius(), -a.charge) >= (b.radius(), -b.charge)
    # with halides 1+ and 2+ trade places where the latter is larger, as in BaLiF3
    size_decides = x.charge == -1 or a.charge == b.charge
    right_way_round = a_is_larger if size_decides else a.charge < b.charge
    if not right_way_round or (b.has_lone_pair and x.symbol not in _HEAVY_HALIDES):
        return False
    if x.symbol == "H":  # hydrides that are salts
        return _is_electropositive(a.symbol) and _is_electropositive(b.symbol)
    # oxidation states of 5 and more of the 3d metals do not last beside anions that are this easily oxidised
    return x.symbol not in {"N", "S", "Se"} or not (_is_3d(b.symbol) and b.charge > _MAX_CHARGE_3D)


@cache
def _is_electropositive(symbol: str) -> bool:
    from pymatgen.core import Element

    element = Element(symbol)
    return bool(element.is_alkali or element.is_alkaline or element.is_lanthanoid)


@cache
def _is_3d(symbol: str) -> bool:
    from pymatgen.core import Element

    element = Element(symbol)
    return bool(element.is_transition_metal and element.row == _FIRST_LONG_ROW)


@cache
def _listed_radius(symbol: str, charge: int, coordination: str) -> float | None:
    """A radius of Shannon's table in pymatgen, Å; of two spin states the high one, as weak fields are the rule here.

    The table has no hydride. It is given the radius of fluoride: the cells of KMgH3 and KMgF3 differ by 1 %.
    """
    from pymatgen.core import Element

    table = Element("F" if symbol == "H" else symbol).data.get("Shannon radii") or {}
    by_spin = table.get(str(charge), {}).get(coordination, {})
    for spin in ("High Spin", "", "Low Spin"):
        if spin in by_spin:
            return float(by_spin[spin]["ionic_radius"])
    return None


@cache
def _twelvefold_line() -> tuple[float, float]:
    """Slope and intercept (Å) of r(XII) over r(VI), least squares over all cations that have both."""
    pairs = [
        (sixfold, twelvefold)
        for ion in cation_list(PAPER_ELEMENTS)
        if (sixfold := _listed_radius(ion.symbol, ion.charge, "VI")) is not None
        and (twelvefold := _listed_radius(ion.symbol, ion.charge, "XII")) is not None
    ]
    line = linear_regression([six for six, _ in pairs], [twelve for _, twelve in pairs])
    return line.slope, line.intercept
