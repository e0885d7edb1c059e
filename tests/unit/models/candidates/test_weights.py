"""The weights that come with the package are those that their card tells of."""

from pathlib import Path

import pandas as pd
import pytest
from deepxrd.models.candidates.geometry import Geometries

from deepxrd.chem import OneHotEncoding, parse_formula
from deepxrd.data import Split
from deepxrd.io.files import file_hash
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load


def test_the_card_gives_their_hash_and_what_is_in_them() -> None:
    card = " ".join((SHIPPED / "README.md").read_text(encoding="utf-8").split())
    assert f"`{file_hash(SHIPPED / FACTS)}`" in card
    model = load(SHIPPED)
    assert f"{len(model.library.formulas):,} compositions" in card
    assert f"{len(Geometries.of(model.library.crystals).n_sites):,} arrangements of sites" in card
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6


@pytest.mark.snapshot
def test_they_know_every_composition_that_they_were_learned_from(snapshot_path: Path) -> None:
    """The training part, recomputed from the snapshot's formulas: those that the selection and the split put there."""
    names = pd.read_parquet(snapshot_path, columns=["formula"])["formula"].unique()
    formulas = {parse_formula(name) for name in names}
    taken = [formula for formula in formulas if OneHotEncoding().why_not(formula) is None]
    part = Split().assign([formula.reduced for formula in taken])
    learned = load(SHIPPED).library.learned
    train, test = ([f for f, p in zip(taken, part, strict=True) if p == name] for name in ("train", "test"))
    assert learned.has(train).sum() == len(learned) == 26_056
    assert not learned.has(test).any()
    assert len(test) > 7_000


def test_the_card_cites_the_data() -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in card
    assert "10.1063/1.4812323" in card
