from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge

from deepxrd.analysis import structure_drawing
from deepxrd.analysis.structure_drawing import draw_structure, element_colours
from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Crystal

CUBE = 4.0 * np.eye(3)


def crystal(*sites: tuple[str, tuple[float, float, float], float], lattice: np.ndarray = CUBE) -> Crystal:
    symbols, places, occupancies = zip(*sites, strict=True)
    numbers = np.array([ATOMIC_NUMBERS[s] for s in symbols])
    return Crystal(lattice, numbers, np.array(places, dtype=float), np.array(occupancies, dtype=float))


def drawing(shown: Crystal) -> tuple[Axes, dict[str, tuple[float, ...]]]:
    """The axis, and the colour of each element by its legend."""
    axis = Figure().subplots()
    draw_structure(axis, shown)
    legend = axis.get_legend()
    colours = [to_rgb(handle.get_color()) for handle in legend.legend_handles]
    return axis, dict(zip([text.get_text() for text in legend.get_texts()], colours, strict=True))


def balls(axis: Axes, colours: dict[str, tuple[float, ...]]) -> Counter[str]:
    names = {colour: symbol for symbol, colour in colours.items()}
    return Counter(names[tuple(p.get_facecolor()[:3])] for p in axis.patches if isinstance(p, Circle))


def test_a_perovskite_has_its_corners_edges_or_faces_and_centre() -> None:
    """BaZrO3, whichever of the two metals stands at the origin: 1 + 8 metals, and 12 or 6 oxygens."""
    oxygens = [("O", xyz, 1.0) for xyz in ((0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))]
    axis, colours = drawing(crystal(("Ba", (0, 0, 0), 1.0), ("Zr", (0.5, 0.5, 0.5), 1.0), *oxygens))
    counts = balls(axis, colours)
    assert (counts["Ba"], counts["Zr"], counts["O"]) in {(8, 1, 6), (1, 8, 12)}
    assert "overline{3}" in axis.get_legend().get_title().get_text()


def test_a_primitive_cell_is_shown_as_the_conventional_one(nacl: Crystal) -> None:
    primitive = crystal(("Na", (0, 0, 0), 1.0), ("Cl", (0.5, 0.5, 0.5), 1.0), lattice=2.8201 * (1 - np.eye(3)))
    shown = [drawing(c) for c in (nacl, primitive)]
    assert balls(*shown[0]) == balls(*shown[1])
    assert sum(balls(*shown[0]).values()) == 27
    assert "a = 5.64 Å" in shown[1][0].get_legend().get_title().get_text()


def test_shared_and_half_empty_sites_are_pies_in_the_colours_of_the_legend() -> None:
    """Ca and Sr, Bi and Sb look alike in Jmol's colours: here they may not."""
    centre = (0.5, 0.5, 0.5)
    metals = ("Ca", (0, 0, 0), 0.3), ("Sr", (0, 0, 0), 0.7), ("Bi", centre, 0.4), ("Sb", centre, 0.6)
    axis, colours = drawing(crystal(*metals, ("O", (0.5, 0.5, 0), 0.5)))
    names = {colour: symbol for symbol, colour in colours.items()}
    slices = [p for p in axis.patches if isinstance(p, Wedge)]
    shares = {names[tuple(p.get_facecolor()[:3])]: (p.theta2 - p.theta1) / 360 for p in slices}
    assert shares == pytest.approx({"Ca": 0.3, "Sr": 0.7, "Bi": 0.4, "Sb": 0.6, "O": 0.5})
    white = sum(p.get_facecolor()[:3] == (1, 1, 1) for p in axis.patches if isinstance(p, Circle))
    assert white == sum(names[tuple(p.get_facecolor()[:3])] == "O" for p in slices) > 0


@pytest.mark.parametrize("edges", [(4, 4, 4), (3, 3, 60), (3, 40, 50)])
def test_no_ball_lies_under_the_legend_or_beyond_the_axis(
    edges: tuple[float, float, float], caplog: pytest.LogCaptureFixture
) -> None:
    figure = Figure(figsize=(9.5, 4.5), layout="constrained")
    axis = figure.subplots()
    draw_structure(axis, crystal(("Na", (0, 0, 0), 1.0), ("Cl", (0.5, 0.5, 0.4), 1.0), lattice=np.diag(edges)))
    FigureCanvasAgg(figure).draw()
    assert not caplog.records  # matplotlib logs limits that it cannot keep
    boxes = [patch.get_window_extent() for patch in axis.patches if isinstance(patch, Circle)]
    assert len(boxes) >= 9
    legend = axis.get_legend().get_window_extent()
    assert max(box.x1 for box in boxes) < legend.x0
    inside = axis.get_window_extent()
    assert all(inside.x0 <= b.x0 and b.x1 <= inside.x1 and inside.y0 <= b.y0 and b.y1 <= inside.y1 for b in boxes)


def test_a_cell_without_found_symmetry_is_drawn_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from pymatgen.symmetry import analyzer

    def fail(*_: object) -> None:
        msg = "none"
        raise analyzer.SymmetryUndeterminedError(msg)

    monkeypatch.setattr(analyzer, "SpacegroupAnalyzer", fail)
    axis, colours = drawing(crystal(("Na", (0.1, 0.2, 0.3), 1.0), ("Cl", (0.6, 0.7, 0.9), 1.0)))
    assert balls(axis, colours) == {"Na": 1, "Cl": 1}
    assert axis.get_legend().get_title().get_text().startswith("cell")


@given(st.lists(st.sampled_from(SYMBOLS[:94]), min_size=2, max_size=5, unique=True))
def test_elements_of_a_crystal_can_be_told_apart(symbols: list[str]) -> None:
    colours = list(element_colours(tuple(symbols)).values())
    gaps = [np.linalg.norm(np.subtract(a, b)) for i, a in enumerate(colours) for b in colours[:i]]
    assert min(gaps) > structure_drawing._LEAST_CONTRAST


def test_the_first_element_and_oxygen_keep_their_usual_colours() -> None:
    colours = element_colours(("Sr", "Ti", "O"))
    assert colours["O"] == pytest.approx((1.0, 0.051, 0.051), abs=1e-3)
    assert colours["Sr"] == pytest.approx((0, 1, 0), abs=1e-3)


_edges = st.tuples(*[st.floats(2, 20)] * 3)


@given(_edges, st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))
def test_the_view_is_a_rotation_with_the_longest_edge_across(
    edges: tuple[float, float, float], shear: float, lean: float
) -> None:
    lattice = np.diag(edges)
    lattice[1, 0], lattice[2, 1] = shear * edges[1], lean * edges[2]
    rotation = structure_drawing._view(lattice)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    longest = max(lattice, key=np.linalg.norm) @ rotation
    assert longest[0] > 0.9 * np.linalg.norm(longest)
