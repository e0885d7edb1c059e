import pytest

from deepxrd.library import Library
from made_libraries import make_entry, make_library, make_unit


@pytest.fixture
def small_library() -> Library:
    """Rock salt and caesium chloride of one composition, perovskite, and a phase of five elements."""
    entries = [
        make_entry(make_unit(225, [("Na", "a", ()), ("Cl", "b", ())]), "mp-7", energy=0.0),
        make_entry(make_unit(221, [("Na", "a", ()), ("Cl", "b", ())]), "mp-3", energy=0.15),
        make_entry(make_unit(221, [("Sr", "a", ()), ("Ti", "b", ()), ("O", "c", ())]), "my own.cif", held_out=True),
        make_entry(
            make_unit(
                62,
                [("Ca", "c", (0.1, 0.2)), ("W", "c", (0.4, 0.6)), ("O", "d", (0.1, 0.2, 0.3)), ("O", "c", (0.3, 0.9))],
            ),
            "mp-12",
        ),
    ]
    return make_library(entries)
