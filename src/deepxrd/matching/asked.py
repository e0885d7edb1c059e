"""Who is asked: the structures that a scan is compared with, from what a person typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepxrd.chem import ATOMIC_NUMBERS, Formula, parse_typed_formula
from deepxrd.errors import ConfigError, FormulaError
from deepxrd.io.formula_table import read_formulas
from deepxrd.library import Libraries
from deepxrd.matching.phases import PhaseToTry, known_phases_of_elements, known_phases_of_formulas

Skipped = list[tuple[str, str]]
"""Formulas that cannot be used: the text, with its line where it came from a table; and why."""
_NO_STRUCTURE = "no structure of it is known, and none is predicted"
Predict = Callable[[Sequence[Formula]], list[PhaseToTry]]
"""Predicted structures of formulas."""


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        elements: all phases made of these, or of some of them.
        formulas: as typed.
        table: of formulas.
        must_contain: elements that each phase has.
        exclude: elements that no phase has.
        unseen: whether known structures are left out, and predicted ones are tried in their place.
    """

    elements: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    table: Path | None = None
    must_contain: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unseen: bool = False


def parse_elements(text: str) -> tuple[str, ...]:
    """Symbols from ``Ca,W,O``, ``Ca-W-O``, ``Ca W O`` or a formula such as ``CaWO4``.

    Raises:
        ConfigError: one of them is no element, or a formula says another compound than it seems to, as ``Al203`` does.
    """
    words = [word for word in re.split(r"[\s,;–-]+", text) if word]
    if len(words) == 1 and words[0] not in ATOMIC_NUMBERS:
        words = re.findall(r"[A-Z][a-z]?|[^A-Z\d.()\[\]]+", words[0]) or words
    unknown = [word for word in words if word not in ATOMIC_NUMBERS]
    if unknown or not words:
        what = f"{unknown[0]!r} is no element" if unknown else "no elements"
        msg = f"{what} in {text!r}: give symbols, such as Ca,W,O"
        raise ConfigError(msg)
    if any(letter.isdigit() for letter in text):
        try:
            parse_typed_formula(text)
        except FormulaError as error:
            msg = f"elements {text!r}: {error}; or give symbols, such as Ca,W,O"
            raise ConfigError(msg) from error
    return tuple(dict.fromkeys(words))


def phases_asked_for(
    asked: Asked, libraries: Libraries, *, predict: Predict | None = None
) -> tuple[list[PhaseToTry], Skipped]:
    """The structures that are tried.

    Args:
        asked: what a person asks for.
        libraries: of known structures.
        predict: makes predicted ones, of solid solutions, and of formulas that have no known structure or whose known
            ones are left out; None where no model can.

    Returns:
        Structures; and formulas that were left out.

    Raises:
        ConfigError: nothing is asked for, or there is nothing of what is asked for.
        FormulaError: no formula can be used.
    """
    if not (asked.elements or asked.formulas or asked.table):
        msg = "say what the scan may hold: elements such as Ca,W,O, or formulas such as CaWO4"
        raise ConfigError(msg)
    typed, skipped = _typed(asked)
    known = known_phases_of_formulas(libraries, typed)
    if asked.elements:
        known += known_phases_of_elements(libraries, asked.elements)
    known = [phase for phase in known if _is_wanted(phase.formula, asked)]
    phases = [] if asked.unseen else known
    wanted = {formula.written: (text, formula) for text, formula in typed if _is_wanted(formula, asked)}
    formulas = [formula for _, formula in wanted.values()]
    have = {phase.formula for phase in phases}
    # known structures of a solid solution are ordered ones, whose lines it may not have
    missing = [formula for formula in formulas if formula.is_mixed or formula not in have]
    missing += dict.fromkeys(phase.formula for phase in known if phase.formula not in {*formulas, *have})
    if predict is not None and missing:
        made = predict(missing)
        texts = {key: text for key, (text, _) in wanted.items()}
        phases = [*phases, *(replace(phase, typed=texts.get(phase.formula.written, "")) for phase in made)]
        have |= {phase.formula for phase in made}
    skipped += [(text, _NO_STRUCTURE) for text, formula in wanted.values() if formula not in have]
    if not phases:
        raise ConfigError(_why_none(asked, [text for text, _ in wanted.values()]))
    return _each_once(phases), skipped


def _typed(asked: Asked) -> tuple[list[tuple[str, Formula]], Skipped]:
    """Formulas with their texts."""
    rows = [(text, text) for text in asked.formulas]
    if asked.table is not None:
        rows += [(f"line {line}", text) for line, text in read_formulas(asked.table)]
    good: list[tuple[str, Formula]] = []
    skipped: Skipped = []
    for place, text in rows:
        try:
            good.append((text, parse_typed_formula(text)))
        except FormulaError as error:
            skipped.append((place, str(error)))
    if rows and not good and not asked.elements:
        msg = f"no formula can be used: {skipped[0][1]}"
        raise FormulaError(msg)
    if asked.table is not None and not rows:
        msg = f"{asked.table} holds no formulas"
        raise FormulaError(msg)
    return good, skipped


def _is_wanted(formula: Formula, asked: Asked) -> bool:
    has = set(formula.elements)
    return set(asked.must_contain) <= has and not has & set(asked.exclude)


def _each_once(phases: Sequence[PhaseToTry]) -> list[PhaseToTry]:
    """A structure that was found in two ways, by its formula and its elements, once: with what was typed."""
    out: dict[tuple[object, ...], PhaseToTry] = {}
    for phase in phases:
        key = (phase.material_id, phase.formula, phase.space_group, phase.crystal.lattice.tobytes())
        if key not in out or (phase.typed and not out[key].typed):
            out[key] = phase
    return list(out.values())


def _why_none(asked: Asked, texts: Sequence[str]) -> str:
    names = ", ".join(texts[:5])
    what = f"of {names}" if texts else f"of {', '.join(asked.elements)}" if asked.elements else "of these formulas"
    limits = [f"with {', '.join(asked.must_contain)}"] if asked.must_contain else []
    limits += [f"without {', '.join(asked.exclude)}"] if asked.exclude else []
    more = f" {' and '.join(limits)}" if limits else ""
    if asked.unseen:
        return f"there is no predicted structure {what}{more}: leave known structures in, or give other formulas"
    return f"there is no known structure {what}{more}: give elements, other formulas, or a library with your own"
