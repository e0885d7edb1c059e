from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pymatgen.core import Lattice, Structure

from deepxrd.analysis import data_card as card
from deepxrd.analysis import data_figures as draw
from deepxrd.chem import Crystal
from deepxrd.chem.crystal_system import crystal_system
from deepxrd.chem.symmetry import space_group_number
from deepxrd.data import Split
from deepxrd.data.selection import POLYMORPHS
from deepxrd.errors import ConfigError
from deepxrd.xrd import XrdSettings


def made(group: str | int, lattice: Lattice, species: list[str], coords: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, coords))


KNOWN = {
    "SrTiO3": (
        made(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
        221,
        "cubic",
    ),
    "PbTiO3": (
        made(
            99,
            Lattice.tetragonal(3.90, 4.15),
            ["Pb", "Ti", "O", "O"],
            [[0, 0, 0], [0.5, 0.5, 0.54], [0.5, 0.5, 0.11], [0.5, 0, 0.61]],
        ),
        99,
        "tetragonal",
    ),
    "LaAlO3": (
        made(167, Lattice.hexagonal(5.365, 13.11), ["La", "Al", "O"], [[0, 0, 0.25], [0, 0, 0], [0.525, 0, 0.25]]),
        167,
        "trigonal",
    ),
    "CaTiO3": (
        made(
            62,
            Lattice.orthorhombic(5.442, 7.640, 5.380),
            ["Ca", "Ti", "O", "O"],
            [[0.036, 0.25, 0.993], [0, 0, 0.5], [0.484, 0.25, 0.071], [0.289, 0.037, 0.711]],
        ),
        62,
        "orthorhombic",
    ),
    "ZrO2": (
        made(
            14,
            Lattice.monoclinic(5.15, 5.21, 5.32, 99.2),
            ["Zr", "O", "O"],
            [[0.275, 0.04, 0.208], [0.07, 0.332, 0.345], [0.45, 0.757, 0.479]],
        ),
        14,
        "monoclinic",
    ),
    "BaNiO3": (
        made(
            194, Lattice.hexagonal(5.63, 4.81), ["Ba", "Ni", "O"], [[1 / 3, 2 / 3, 0.75], [0, 0, 0], [0.15, 0.3, 0.25]]
        ),
        194,
        "hexagonal",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_structures_have_their_space_group_and_crystal_system(name: str) -> None:
    crystal, number, system = KNOWN[name]
    assert space_group_number(crystal) == number
    assert crystal_system(number) == system


def test_the_crystals_that_all_tests_share_have_the_groups_of_the_literature(
    cscl: Crystal, nacl: Crystal, silicon: Crystal, wurtzite: Crystal, triclinic: Crystal
) -> None:
    groups = [space_group_number(c) for c in (cscl, nacl, silicon, wurtzite, triclinic)]
    assert groups == [221, 225, 227, 186, 1]


@pytest.mark.parametrize(
    ("first", "last", "system"),
    [
        (1, 2, "triclinic"),
        (3, 15, "monoclinic"),
        (16, 74, "orthorhombic"),
        (75, 142, "tetragonal"),
        (143, 167, "trigonal"),
        (168, 194, "hexagonal"),
        (195, 230, "cubic"),
        (0, 0, "unknown"),
    ],
)
def test_crystal_systems_begin_and_end_with_the_groups_of_the_international_tables(
    first: int, last: int, system: str
) -> None:
    assert {crystal_system(number) for number in range(first, last + 1)} == {system}


def test_a_site_shared_by_two_elements_is_one_site_of_its_own_kind() -> None:
    corner, centre, face = [0.0] * 3, [0.5] * 3, [0.5, 0.5, 0.0]
    faces = [face, [0.5, 0, 0.5], [0, 0.5, 0.5]]
    mixed = Structure(Lattice.cubic(3.9), [{"Ba": 0.5, "Sr": 0.5}, "Ti", "O", "O", "O"], [corner, centre, *faces])
    assert space_group_number(Crystal.from_pymatgen(mixed)) == 221
    # Were the shares forgotten, the two faces below would be alike and the cell cubic.
    ordered = Structure(Lattice.cubic(3.9), ["Sr", "Ti", {"O": 0.5, "F": 0.5}, "O", "O"], [corner, centre, *faces])
    assert space_group_number(Crystal.from_pymatgen(ordered)) == 123


def test_noise_under_the_tolerance_keeps_the_symmetry() -> None:
    crystal, number, _ = KNOWN["SrTiO3"]
    noise = np.random.default_rng(0).uniform(-0.02, 0.02, crystal.frac_coords.shape) / 3.905
    moved = Crystal(crystal.lattice, crystal.atomic_numbers, crystal.frac_coords + noise, crystal.occupancies)
    assert space_group_number(moved) == number


def test_a_crystal_in_which_no_group_is_found_is_unknown() -> None:
    twice = Crystal(np.eye(3) * 4, np.array([1, 1]), np.array([[0, 0, 0], [0, 0, 1e-7]]), np.ones(2))
    assert space_group_number(twice) == 0


def test_many_crystals_keep_their_order(cscl: Crystal, wurtzite: Crystal) -> None:
    crystals = [cscl, wurtzite, wurtzite] * 50
    found = [number for chunk in card.space_groups(crystals, n_jobs=1) for number in chunk]
    assert found == [221, 186, 186] * 50


def test_elements_are_counted_once_per_sample_in_the_order_of_the_periodic_table() -> None:
    counts = card.element_counts(["SrTiO3", "BaTiO3", "BaSO4"])
    assert list(counts.items()) == [("O", 3), ("S", 1), ("Ti", 2), ("Sr", 1), ("Ba", 2)]


def test_peaks_are_counted_for_each_pattern_across_the_borders_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "_ROWS_AT_A_TIME", 2)
    patterns = np.zeros((5, 100))
    for row in range(5):
        patterns[row, 10 : 10 + 20 * row : 20] = 100
    assert card.count_peaks(patterns, np.linspace(0, 180, 100)).tolist() == [0, 1, 2, 3, 4]


@pytest.fixture
def counted() -> dict[str, object]:
    samples = pd.DataFrame(
        {
            "composition": ["BaTiO3", "SrTiO3", "CaTiO3", "MgAl2O4"],
            "stoichiometry": ["ABC3", "ABC3", "ABC3", "AB2C4"],
            "n_sites": [5, 5, 20, 14],
            "formation_energy_per_atom": [-3.5, None, -3.3, -3.1],
            "created_at": ["2015-01-01", None, "2012-06-05", "2019-12-31"],
        }
    )
    manifest = {
        "id": "0123456789abcdef",
        "counts": {
            "entries_in_source": 12,
            "taken": 5,
            "excluded": {POLYMORPHS: 2, "not 3 elements": 4},
            "unreadable": 1,
            "unreadable_first": {"bad-1": "no lattice"},
            "simulation_failed": {"mp-9": "no reflection within the range"},
            "samples": 4,
        },
        "inputs": {"xrd": XrdSettings().to_dict(), "source": {"source": "files"}},
        "versions": {"deepxrd": "0"},
        "citation": "those who measured",
    }
    return card.data_card(
        "mine",
        manifest,
        samples,
        systems=["tetragonal", "cubic", "orthorhombic", "cubic"],
        n_peaks=np.array([8, 7, 19, 11]),
        split={"train": 2, "val": 1, "test": 1, "none": 0, "settings": Split(seed=7).to_dict()},
    )


def test_a_card_holds_every_count_and_each_entry_of_the_source_once(counted: dict[str, object]) -> None:
    assert counted["crystal_systems"] == {"orthorhombic": 1, "tetragonal": 1, "cubic": 2}
    assert counted["stoichiometries"] == {"ABC3": 3, "AB2C4": 1}
    assert counted["elements"] == {"O": 4, "Mg": 1, "Al": 1, "Ca": 1, "Ti": 3, "Sr": 1, "Ba": 1}
    assert counted["polymorphs_dropped"] == 2
    assert counted["excluded"] == {"not 3 elements": 4}
    assert counted["peaks_per_pattern"] == {"samples": 4, "least": 7.0, "median": 9.5, "mean": 11.25, "most": 19.0}
    assert counted["formation_energy_ev_per_atom"]["samples"] == 3
    assert counted["entered"] == ["2012-06-05", "2019-12-31"]
    left_out = 2 + 4 + counted["unreadable"] + len(counted["simulation_failed"])
    assert counted["entries_in_source"] == counted["samples"] + left_out


def test_the_text_of_a_card_names_what_failed_what_was_dropped_and_whom_to_cite(counted: dict[str, object]) -> None:
    text = card.to_markdown(counted)
    for expected in (
        "# mine: 4 patterns",
        "| left out: not 3 elements | 4 |",
        "(polymorph) | 2 |",
        "- bad-1: no lattice",
        "- mp-9: no reflection within the range",
        "| cubic | 2 | 50.0% |",
        "| ABC3 | 3 | 75.0% |",
        "known of 3",
        "## Split by composition (seed 7)",
        "## Elements: 7",
        "O 4, Ti 3",
        "**Cite:** those who measured",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (Split(by="chemical_system"), "## Split by chemical system (seed 42)"),
        (Split(by="time", before="2016-05-04", seed=1), "## Split by time: entries of 2016-05-04 or later"),
    ],
)
def test_a_card_says_how_the_parts_were_really_made(counted: dict[str, object], split: Split, told: str) -> None:
    parts = {"train": 2, "val": 1, "test": 1, "none": 3, "settings": split.to_dict()}
    text = card.to_markdown({**counted, "split": parts})
    assert told in text
    assert "Split by composition" not in text
    assert "| in no part: no date is known | 3 |" in text


def test_rare_stoichiometries_are_put_together(counted: dict[str, object]) -> None:
    many = {**counted, "stoichiometries": {f"AB{i}": 20 - i for i in range(2, 16)}}
    text = card.to_markdown(many)
    assert "| 4 others | 26 |" in text
    assert "AB11 |" in text
    assert "AB12 |" not in text


def test_a_source_without_energies_dates_and_citation_has_a_card(counted: dict[str, object]) -> None:
    bare = {**counted, "formation_energy_ev_per_atom": None, "entered": None, "citation": None}
    text = card.to_markdown(bare)
    assert "eV/atom" not in text
    assert "Cite" not in text
    assert "None" not in text


def rendered(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_the_table_of_elements_shows_each_count_in_its_place() -> None:
    figure = draw.periodic_table({"O": 1234, "Ba": 7, "La": 1, "U": 55})
    axis = figure.axes[0]
    texts = {text.get_text(): text.get_position() for text in axis.texts}
    assert {"1,234", "7", "1", "55"} <= set(texts)
    assert texts["H"][0] == texts["Ba"][0] - 1 == 1
    assert texts["O"][0] == texts["Og"][0] - 2 == 16
    assert texts["La"][0] == texts["Ac"][0] == 3
    assert texts["La"][1] > texts["Og"][1]
    assert rendered(figure).std() > 10


@pytest.mark.parametrize(
    ("least", "most", "ticks"),
    [(9, 1275, [10, 100, 1000]), (124, 8448, [200, 500, 1000, 2000, 5000]), (9, 9, [9, 10]), (12, 36, [12, 36])],
)
def test_ticks_of_the_colour_scale_are_round(least: int, most: int, ticks: list[int]) -> None:
    assert draw._round_numbers(least, max(most, least + 1)) == ticks


def test_the_histogram_has_a_bar_per_number_of_peaks() -> None:
    figure = draw.peaks_histogram(np.array([3, 3, 5, 9]))
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert heights == [2, 0, 1, 0, 0, 0, 1]
    assert rendered(figure).std() > 10


def test_tsne_parts_two_groups_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    patterns = rng.normal(0, 1, (40, 64)).astype(np.float32)
    patterns[20:] += 30
    places = draw.tsne(patterns)
    assert places.shape == (40, 2)
    np.testing.assert_array_equal(places, draw.tsne(patterns))
    centres = places[:20].mean(0), places[20:].mean(0)
    spread = max(places[:20].std(), places[20:].std())
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread


def test_the_smallest_map_can_be_drawn_and_says_how_many_of_how_many() -> None:
    places = draw.tsne(np.random.default_rng(0).uniform(0, 100, (draw.LEAST_FOR_TSNE, 32)))
    figure = draw.crystal_system_map(places, ["cubic"] * 9 + ["unknown"], n_all=500)
    assert "10 of 500" in figure.axes[0].get_title()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cubic (9)", "unknown (1)"]
    assert rendered(figure).std() > 10


def test_the_interactive_table_is_a_page_of_its_own_or_says_what_it_needs() -> None:
    try:
        draw.require_pymatviz()
    except ConfigError as error:
        assert "plotly" in str(error)  # noqa: PT017 - which way it goes depends on what is installed
        assert "card.interactive=false" in str(error)  # noqa: PT017
        return
    assert int(version("plotly").split(".")[0]) < 7
    page = draw.element_table_interactive({"O": 1234, "Ba": 7}).to_html(include_plotlyjs=True)
    assert "1,234" in page
    assert "<script src=" not in page
