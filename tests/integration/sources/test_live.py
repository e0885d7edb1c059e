"""The real servers, for whoever has a key: pytest -m live. Without a key, or without a network, this fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fetching import records

from deepxrd.sources import StructureRecord
from deepxrd.sources.materials_project import MaterialsProjectSource
from deepxrd.sources.optimade import PROVIDERS, OptimadeSource

pytestmark = pytest.mark.live


def test_materials_project(tmp_path: Path) -> None:
    if not os.environ.get("MP_API_KEY"):
        pytest.fail("the live test needs MP_API_KEY; get a key at https://materialsproject.org/api")
    made = MaterialsProjectSource("AB7C9", cache_dir=tmp_path, page_size=20)  # a rare one: a few entries
    found = records(made)
    assert len(found) == len(made) > 0
    assert {record.crystal.formula.anonymous for record in found} == {"AB7C9"}
    assert all(record.material_id.startswith("mp-") for record in found)
    assert made.fingerprint()["database_version"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_optimade(tmp_path: Path, provider: str) -> None:
    made = OptimadeSource(provider, cache_dir=tmp_path, num_elements=3, extra_filter='elements HAS ALL "Sr","Ti","O"')
    usable = [entry for entry in made if isinstance(entry, StructureRecord)]
    assert usable
    assert all(set(entry.crystal.formula.elements) == {"Sr", "Ti", "O"} for entry in usable)
    if PROVIDERS[provider].energy:
        assert any(entry.formation_energy_per_atom is not None for entry in usable)
