from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from deepxrd.analysis.evaluation_figures import DISTANCE_LABELS, distance_histograms, tolerance_curves
from deepxrd.chem import Crystal
from deepxrd.errors import ConfigError
from deepxrd.metrics import TABLE2_ROWS, DtwSettings, table2
from deepxrd.xrd import XrdSettings, simulate_pattern


@pytest.fixture(scope="module")
def distances(cscl: Crystal, nacl: Crystal, silicon: Crystal, wurtzite: Crystal) -> dict[str, dict[str, np.ndarray]]:
    """Table 2 of four real patterns, each predicted as the next one."""
    xrd = XrdSettings()
    true = np.stack([simulate_pattern(crystal, xrd) for crystal in (cscl, nacl, silicon, wurtzite)])
    return table2(np.roll(true, 1, axis=0), true, xrd.two_theta_deg, dtw=DtwSettings(n_jobs=1))


def drawn(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_every_sample_is_in_each_histogram_and_the_means_are_where_they_belong(
    distances: dict[str, dict[str, np.ndarray]],
) -> None:
    figure = distance_histograms(distances, title="four crystals")
    panels = np.array(figure.axes).reshape(len(TABLE2_ROWS), len(DISTANCE_LABELS))
    for i, row in enumerate(TABLE2_ROWS):
        for j, name in enumerate(("cosine_distance", "pearson_distance", "js_distance", "dtw")):
            axis, values = panels[i, j], distances[row][name]
            counts, edges = zip(*[(p.get_height(), p.get_x()) for p in axis.patches], strict=True)
            assert sum(counts) == len(values)
            np.testing.assert_array_equal(counts, np.histogram(values, [*edges, axis.get_xlim()[1]])[0])
            mean = values.mean()
            assert axis.get_lines()[0].get_xdata()[0] == pytest.approx(mean)
            assert float(axis.get_title().removeprefix("mean ")) == pytest.approx(
                mean, abs=0.0051 if mean >= 2 else 6e-4
            )
    for j, name in enumerate(DISTANCE_LABELS):  # before alignment, for comparison, in the last row
        assert panels[2, j].get_lines()[1].get_xdata()[0] == pytest.approx(distances["peak"][name].mean())
        assert len({axis.get_xlim() for axis in panels[:, j]}) == 1
    assert "4 samples" in figure.get_suptitle()
    assert drawn(figure).std() > 10


def test_a_single_sample_has_a_figure(distances: dict[str, dict[str, np.ndarray]]) -> None:
    one = {row: {name: values[:1] for name, values in cells.items()} for row, cells in distances.items()}
    assert drawn(distance_histograms(one, title="one")).std() > 10


def test_what_is_missing_of_table_2_is_named(distances: dict[str, dict[str, np.ndarray]]) -> None:
    without = {row: {name: v for name, v in cells.items() if name != "dtw"} for row, cells in distances.items()}
    with pytest.raises(ConfigError, match="dtw in the row 'prediction'"):
        distance_histograms({**distances, "prediction": without["prediction"]}, title="")
    assert len(distance_histograms(without, title="").axes) == 3 * 3  # DTW may be left out of all rows
    with pytest.raises(ConfigError, match="row 'peak_alignment'"):
        distance_histograms({row: distances[row] for row in TABLE2_ROWS[:2]}, title="")


CURVES = {
    "network": np.array([0.1, 0.4, 0.6]),
    "oracle lattice": np.array([0.6, 0.8, 0.9]),
    "mean pattern": np.array([0.0, 0.1, 0.2]),
}


def test_each_model_has_its_line_the_highlighted_one_bold_and_oracles_dashed() -> None:
    figure = tolerance_curves(CURVES, [0.5, 1.0, 2.0], score="recall", highlight="network")
    axis = figure.axes[0]
    lines = {line.get_label(): line for line in axis.get_lines() if line.get_label() in CURVES}
    for name, line in lines.items():
        np.testing.assert_array_equal(line.get_ydata(), CURVES[name])
        np.testing.assert_array_equal(line.get_xdata(), [0.5, 1.0, 2.0])
        assert line.get_linestyle() == ("--" if name == "oracle lattice" else "-")
        assert (line.get_linewidth() > 3) == (name == "network")
    assert not any(
        same_color(a.get_color(), b.get_color()) for a in lines.values() for b in lines.values() if a is not b
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["oracle lattice", "network", "mean pattern"]
    upright = {float(line.get_xdata()[0]) for line in axis.get_lines() if line.get_label() not in CURVES}
    assert upright == {0.5, 1.0, 2.0}
    assert "recall" in axis.get_ylabel()
    assert drawn(figure).std() > 10


def test_curves_that_cannot_be_drawn_are_named() -> None:
    with pytest.raises(ConfigError, match=r"'net' .*network, oracle lattice, mean pattern"):
        tolerance_curves(CURVES, [0.5, 1.0, 2.0], highlight="net")
    with pytest.raises(ConfigError, match=r"'network' has shape \(3,\), and there are 2"):
        tolerance_curves(CURVES, [0.5, 1.0], highlight="network")
