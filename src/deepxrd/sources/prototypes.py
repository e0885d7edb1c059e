"""The source that comes with the package: model structures of ABX3 compounds, without network and without a key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

from deepxrd.chem import PAPER_ELEMENTS
from deepxrd.errors import ConfigError, SourceError
from deepxrd.sources import _perovskite_rules as rules
from deepxrd.sources._prototype_cells import Template, build_crystal, load_templates
from deepxrd.sources.base import Source, StructureRecord

_RULES_VERSION = "1"  # raise it with any change that moves an atom or a composition


class PrototypeSource(Source):
    """Plausible ABX3 compounds: charge-balanced ions, put into the AFLOW prototypes that pymatgen ships.

    Compositions come in order of how usual the oxidation states are, and then of how close Goldschmidt's tolerance
    factor is to one. The structures are models: no one has measured or relaxed them. Where real compounds are known
    the lattice constants agree within some per cent, and the structure type does in most cases. They are meant for
    trying things out and for tests, not for physical conclusions.

    Args:
        max_structures: how many compositions at most.
        anions: the X in ABX3, from O, F, Cl, Br, I, S, Se, N and H.
        elements: the elements that may occur; those of the paper by default.
    """

    name = "prototypes"
    made_up: ClassVar[bool] = True
    citation = (
        "Model structures, neither measured nor relaxed: ions in AFLOW prototypes"
        " (M. J. Mehl et al., Comput. Mater. Sci. 136, S1 (2017), doi:10.1016/j.commatsci.2017.01.017),"
        " with cells from effective ionic radii (R. D. Shannon, Acta Cryst. A32, 751 (1976))."
    )

    no_dates = "model structures were never found at any time"

    def __init__(
        self,
        *,
        max_structures: int = 1800,
        anions: Sequence[str] = tuple(rules.ANION_CHARGES),
        elements: Sequence[str] = PAPER_ELEMENTS,
    ) -> None:
        self.max_structures = max_structures
        self.anions = tuple(anions)
        self.elements = tuple(elements)
        unknown = [anion for anion in self.anions if anion not in rules.ANION_CHARGES]
        if unknown:
            msg = f"no rules for anions {', '.join(unknown)}: choose from {', '.join(rules.ANION_CHARGES)}"
            raise ConfigError(msg)
        strange = [element for element in self.elements if element not in PAPER_ELEMENTS]
        if strange:
            msg = f"elements {', '.join(strange)} are not among the {len(PAPER_ELEMENTS)} of the encoding"
            raise ConfigError(msg)
        if max_structures < 1:
            msg = f"max_structures must be at least 1, not {max_structures}"
            raise ConfigError(msg)

    def fingerprint(self) -> dict[str, str]:
        """The version of the rules, the settings, and the SHA-256 of pymatgen's prototypes and ions that they use."""
        settings = {"max_structures": self.max_structures, "anions": self.anions, "elements": self.elements}
        digest = hashlib.sha256()
        for template in self._templates.values():
            digest.update(template.label.encode() + b"\0")
            for array in (template.lattice, template.roles, template.frac_coords):
                digest.update(array.tobytes())
        return {
            "source": self.name,
            "rules_version": _RULES_VERSION,
            "settings_sha256": _sha256(json.dumps(settings, sort_keys=True)),
            "prototypes_sha256": digest.hexdigest(),
            "radii_sha256": _sha256("\n".join(rules.radii_table(PAPER_ELEMENTS))),
        }

    def __len__(self) -> int:
        return len(self._compounds)

    def __iter__(self) -> Iterator[StructureRecord]:
        for compound in self._compounds:
            yield self._record(compound)

    @cached_property
    def _templates(self) -> dict[str, Template]:
        return load_templates()

    @cached_property
    def _compounds(self) -> list[rules.Compound]:
        compounds = rules.select_compounds(self.anions, self.elements, self.max_structures)
        if not compounds:
            msg = (
                f"no ABX3 compound of the anions {', '.join(self.anions) or '(none)'}"
                f" and {len(self.elements)} elements has a structure type; allow more of them"
            )
            raise SourceError(msg)
        return compounds

    def _record(self, compound: rules.Compound) -> StructureRecord:
        template = self._templates.get(compound.prototype)
        provenance = {
            "prototype": compound.prototype,
            "aflow_label": template.label if template is not None else "none: ideal close packing",
            "ions": f"{compound.a} {compound.b} {compound.x}",
        }
        if not compound.is_oxyanion_salt:
            provenance["tolerance_factor"] = f"{compound.tolerance_factor:.4f}"
            provenance["octahedral_factor"] = f"{compound.octahedral_factor:.4f}"
        crystal = build_crystal(compound, self._templates)
        return StructureRecord(f"proto-{compound.formula}", crystal, ground_state=True, provenance=provenance)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
