"""The weights that come with the package are those that their card tells of."""

from deepxrd.io.files import file_hash
from deepxrd.models.candidates.geometry import Geometries
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load


def test_the_card_gives_their_hash_and_what_is_in_them() -> None:
    card = " ".join((SHIPPED / "README.md").read_text(encoding="utf-8").split())
    assert f"`{file_hash(SHIPPED / FACTS)}`" in card
    model = load(SHIPPED)
    assert f"{len(model.library.formulas):,} compositions" in card
    assert f"{len(Geometries.of(model.library.crystals).n_sites):,} arrangements of sites" in card
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6


def test_the_card_cites_the_data() -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in card
    assert "10.1063/1.4812323" in card
