"""Compositions that are held out are in no part of any data, and no model learns from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepxrd.chem import ATOMIC_NUMBERS, Formula, OneHotEncoding, parse_formula
from deepxrd.data import Selection, Split, build, ensure_store
from deepxrd.data.datamodule import PatternDataModule
from deepxrd.data.held_out import REASON, held_out_compositions, refused_compositions
from deepxrd.data.parts import DataParts
from deepxrd.errors import SelectionError
from deepxrd.evaluation.task import Task
from deepxrd.models.base import Reference
from deepxrd.models.candidates import CandidateModel
from deepxrd.prediction.predictor import load_predictor
from deepxrd.sources import FilesSource, PrototypeSource, Source, StructureRecord
from deepxrd.training import assemble
from deepxrd.training.candidate_data import CandidateDataModule
from deepxrd.xrd import XrdSettings
from made_libraries import ListSource

_XRD = XrdSettings(two_theta_min_deg=10, two_theta_max_deg=100, n_points=128, sigma_deg=0.8)
_N_HELD_OUT = 60


class _Source(ListSource, Source):
    """Records in memory, as a source that data are built from."""


@pytest.fixture(scope="module")
def mixed(perovskite_source: FilesSource) -> _Source:
    """36 perovskites, and 60 held-out compounds ABX3 on the same sites."""
    records = [record for record in perovskite_source if isinstance(record, StructureRecord)]
    held_out = [
        formula for formula in map(parse_formula, sorted(held_out_compositions())) if formula.anonymous == "ABC3"
    ]
    assert len(held_out) >= _N_HELD_OUT
    made = [_exchanged(records[0], formula) for formula in held_out[:_N_HELD_OUT]]
    return _Source([each for pair in zip(made, [*records, *made], strict=False) for each in pair] + records)


def _exchanged(record: StructureRecord, formula: Formula) -> StructureRecord:
    """The perovskite of a compound ABX3; the element of three atoms last."""
    symbols = [symbol for symbol, count in sorted(formula.counts, key=lambda pair: pair[1])]
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in (*symbols, symbols[-1], symbols[-1])]
    crystal = replace(record.crystal, atomic_numbers=record.crystal.atomic_numbers * 0 + numbers)
    assert crystal.formula == formula
    return replace(record, material_id=f"held-out-{formula}", crystal=crystal)


def _parts(source: Source, folder: Path) -> DataParts:
    return DataParts(
        source=source, selection=Selection(3, "ABC3"), encoding=OneHotEncoding(), xrd=_XRD, split=Split(seed=3),
        stores_dir=folder,
    )  # fmt: skip


def test_no_part_of_the_data_and_no_reference_of_a_baseline_holds_one(mixed: _Source, tmp_path: Path) -> None:
    data = _parts(mixed, tmp_path)
    assert data.store.manifest["counts"]["excluded"][REASON] == 2 * _N_HELD_OUT - 36
    module = PatternDataModule(data)
    for part in ("train", "val", "test"):
        served = {data.store.formulas[row].reduced for row in module.rows(part)}
        assert served
        assert not served & held_out_compositions()
    learned_from = {formula.reduced for formula in Task(data).reference.formulas}
    assert len(learned_from) > 15
    assert not learned_from & held_out_compositions()
    assert not {formula.reduced for formula in Task(data).formulas} & held_out_compositions()


def test_no_template_of_the_candidate_model_is_one(
    mixed: _Source, composed: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepxrd.data.assemble.make_source", lambda _: mixed)
    given: list[Reference] = []

    def prepare(cls: type, reference: Reference, **_: Any) -> str:  # noqa: ARG001 - a class method's signature
        given.append(reference)
        return "templates"

    monkeypatch.setattr(CandidateModel, "prepare", classmethod(prepare))
    module = assemble.make_datamodule(composed("model=candidates"))
    assert isinstance(module, CandidateDataModule)
    assert module.templates == "templates"
    assert len(given[0].formulas) > 15
    assert not {formula.reduced for formula in given[0].formulas} & held_out_compositions()


def test_a_store_that_holds_some_all_the_same_is_refused(
    mixed: _Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(build, "refused_compositions", lambda *_: frozenset())  # as before there was such a thing
        old = ensure_store(mixed, Selection(3, "ABC3"), _XRD, root=tmp_path)
        assert {formula.reduced for formula in old.formulas} & held_out_compositions()
    with pytest.raises(SelectionError, match=rf"holds {_N_HELD_OUT} compositions that are held out.*delete it"):
        _ = _parts(mixed, tmp_path).store


def test_model_structures_are_no_entries_of_a_database() -> None:
    assert refused_compositions(PrototypeSource(max_structures=5), {}) == frozenset()
    assert refused_compositions(_Source([]), {}) == held_out_compositions()
    assert len(held_out_compositions()) == 4453  # shared/data/README.md


@pytest.mark.snapshot
def test_nothing_is_taken_from_the_held_out_table_and_the_published_one_stays(
    snapshot_path: Path, tmp_path: Path
) -> None:
    source = FilesSource(snapshot_path.with_name("mp-2025.02.12-held-out.parquet"))
    with pytest.raises(SelectionError, match="all 7259 samples of any number of elements are held out"):
        ensure_store(source, Selection(None), _XRD, root=tmp_path)
    assert not refused_compositions(FilesSource(snapshot_path), FilesSource(snapshot_path).fingerprint())


def test_the_shipped_weights_were_learned_from_none() -> None:
    predictor = load_predictor()
    assert not predictor.learned([parse_formula(each) for each in held_out_compositions()]).any()  # type: ignore[attr-defined]
