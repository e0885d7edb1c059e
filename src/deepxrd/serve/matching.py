"""The tasks of a worker for measured patterns; the one place of the server that knows how matching is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepxrd.errors import ConfigError, ScanError
from deepxrd.library.space_groups import symbol
from deepxrd.scans import read_scan
from deepxrd.scans.describe import scan_text, to_dict

if TYPE_CHECKING:
    from deepxrd.matching.match import MatchResult
    from deepxrd.scans.scan import Scan
    from deepxrd.serve.worker import Loaded

_MOST_POINTS = 12_000
_MOST_STRUCTURES = 3000
_MOST_PHASES = 4
_RANKED = 12


@dataclass(frozen=True)
class ScanOptions:
    """How a file is read, over what it says itself; see `deepxrd.scans.read.read_scans`."""

    radiation: str | None = None
    axis: str | None = None
    scan: int | None = None


@dataclass(frozen=True)
class MatchQuestion:
    """What a scan is compared with.

    Attributes:
        elements: symbols; all known phases of these and of fewer of them.
        formulas: as typed.
        unseen: leave known structures out and try predicted ones.
        most_phases: of the scan.
    """

    elements: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    unseen: bool = False
    most_phases: int = _MOST_PHASES


def understand_scan(loaded: Loaded, path: Path, shown_name: str, options: ScanOptions) -> dict[str, Any]:  # noqa: ARG001
    """What is understood of a file, and its points.

    Raises:
        ScanError: it cannot be used.
    """
    return _described(_read(path, shown_name, options))


def match_upload(
    loaded: Loaded, path: Path, shown_name: str, options: ScanOptions, question: MatchQuestion
) -> dict[str, Any]:
    """The phases of the scan in a file, with curves to draw.

    Raises:
        ScanError: it cannot be used.
        ConfigError: nothing is asked for, or too much, or nothing of it is known.
    """
    from deepxrd.matching.asked import Asked, parse_elements, phases_asked_for
    from deepxrd.matching.match import match_scan
    from deepxrd.matching.observed import observe
    from deepxrd.matching.predicted import predicted_phases

    scan = _read(path, shown_name, options)
    if not 1 <= question.most_phases <= _MOST_PHASES:
        msg = f"{question.most_phases} phases: give a number from 1 to {_MOST_PHASES}"
        raise ConfigError(msg)
    asked = Asked(
        elements=parse_elements(",".join(question.elements)) if question.elements else (),
        formulas=question.formulas,
        unseen=question.unseen,
    )
    phases, skipped = phases_asked_for(
        asked, loaded.libraries, predict=lambda some: predicted_phases(loaded.predictor, some)
    )
    if len(phases) > _MOST_STRUCTURES:
        msg = f"{len(phases):,} structures are meant, and {_MOST_STRUCTURES:,} are tried at most: give fewer elements"
        raise ConfigError(msg)
    result = match_scan(observe(scan, name=shown_name), phases, most_phases=question.most_phases)
    return {**_answer(result), "skipped": skipped, "scan": _described(scan, points=False)}


def _read(path: Path, shown_name: str, options: ScanOptions) -> Scan:
    try:
        return read_scan(path, radiation=options.radiation, axis=options.axis, scan=options.scan)
    except ScanError as error:
        raise ScanError(str(error).replace(str(path), shown_name)) from None


def _described(scan: Scan, *, points: bool = True) -> dict[str, Any]:
    out = {**to_dict(scan), "text": [line.strip() for line in scan_text(scan).splitlines()]}
    if points:
        step = max(1, -(-len(scan.counts) // _MOST_POINTS))
        out["points"] = {
            "two_theta_deg": np.round(scan.two_theta_deg[::step], 5).tolist(),
            "counts": np.round(scan.counts[::step], 3).tolist(),
            "every": step,
        }
    return out


def _answer(result: MatchResult) -> dict[str, Any]:
    from deepxrd.matching import output

    names = [f"{output.cif_name(each.fit.phase)}.cif" for each in result.phases]
    answer = output.to_dict(result, names)
    for phase, each in zip(answer["phases"], result.phases, strict=True):
        phase["label"] = output.phase_label(each)
        phase["cif_text"] = output.refined_cif(each.fit.phase, each.fit.parameters)
        phase["origin"] = "predicted" if each.fit.phase.source is None else each.fit.phase.source.citation
    answer["notes"] = output.notes(result)
    answer["others"] = [
        {
            "label": output.phase_label(each),
            "formula": str(each.fit.phase.formula),
            "material_id": each.fit.phase.material_id,
            "space_group": each.fit.phase.space_group,
            "symbol": symbol(each.fit.phase.space_group),
            "probability": round(each.probability, 3),
            "similarity": round(each.fit.similarity, 3),
        }
        for each in result.ranking
        if each.weight_fraction is None
    ][:_RANKED]
    answer["curves"] = _curves(result)
    return answer


def _curves(result: MatchResult) -> dict[str, Any]:
    """The scan, its background, the fit and what is left, on the grid that is even in 1/d; and ticks of each phase."""
    from deepxrd.matching.figure import tick_angles
    from deepxrd.matching.model import grid_of
    from deepxrd.matching.observed import FINE_STEP

    observed, mixture = result.observed, result.mixture
    shown = observed.measured
    fit = np.zeros(len(observed.x))
    ticks: list[list[float]] = []
    if mixture is not None:
        fit = mixture.counts(grid_of(observed, FINE_STEP), 0.0)
        ticks = [np.round(tick_angles(observed, each), 3).tolist() for each in mixture.fits]
    return {
        "two_theta_deg": np.round(observed.two_theta_deg, 4).tolist(),
        "measured": _values(observed.intensity + observed.background, shown),
        "background": _values(observed.background, shown),
        "fit": _values(observed.background + fit, shown),
        "residual": _values(observed.intensity - fit, shown),
        "ticks": ticks,
    }


def _values(values: Any, shown: Any) -> list[float | None]:
    """Numbers for JSON; None where nothing was measured, so that no line is drawn there."""
    rounded = np.round(values, 2).tolist()
    return [value if there else None for value, there in zip(rounded, shown.tolist(), strict=True)]
