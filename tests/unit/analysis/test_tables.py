from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from deepxrd.analysis import figures, tables
from deepxrd.analysis.references import reference_rows
from deepxrd.data import Split
from deepxrd.xrd import XrdSettings


def shown(data_set: dict[str, Any] | None, *, data: str = "abc3") -> str:
    test = dict.fromkeys(tables.COLUMNS, 0.1234)
    metrics = {"data": data, "data_set": data_set, "n_test": 7, "model": "DeepXRDNet", "loss": "Pearson", "test": test}
    console = Console(width=200, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(tables.score_table(metrics))
    return console.export_text()


def test_substitution_stands_below_a_run_on_the_very_same_test_part_whatever_the_data_are_called() -> None:
    for row, f1 in zip(reference_rows(), ("0.631", "0.664"), strict=True):
        text = shown({"samples": row["samples"], "split": row["split"], "xrd": XrdSettings().to_dict()}, data="mine")
        assert "7 samples of mine" in text
        assert text.index("0.123") < text.index("substitution*") < text.index(f1) < text.index("MP 2025.02.12")


@pytest.mark.parametrize(
    "change",
    [{"samples": "0" * 16}, {"split": {**Split().to_dict(), "seed": 7}}, {"xrd": XrdSettings(sigma_deg=0.1).to_dict()}],
)
def test_a_reference_that_was_measured_on_other_data_is_not_shown(change: dict[str, Any]) -> None:
    row = reference_rows()[0]
    text = shown({"samples": row["samples"], "split": row["split"], "xrd": XrdSettings().to_dict(), **change})
    assert "0.631" not in text
    assert "substitution*" not in text
    assert "deepxrd.evaluate run=FOLDER" in text
    assert "substitution*" not in shown(None)


def test_the_grid_shows_worst_to_best_red_over_blue() -> None:
    rng = np.random.default_rng(0)
    n, xrd = 11, XrdSettings()
    patterns = rng.random((2, n, xrd.n_points), dtype=np.float32) * 100
    per_sample = pd.DataFrame({
        "composition": [f"C{i}" for i in range(n)], "material_id": "m", "pearson_distance": 0.5,
        "peak_f1_2deg": rng.permutation(n) / n,
    })  # fmt: skip
    figure = figures.pattern_grid(per_sample, patterns[0], patterns[1], xrd)
    titles = [axis.get_title() for axis in figure.axes]
    order = per_sample.sort_values("peak_f1_2deg")["composition"].tolist()
    assert titles[0].startswith(f"{order[0]} ")
    assert titles[-1].startswith(f"{order[-1]} ")
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert lines["true"].get_color() == "tab:blue"
    assert lines["predicted"].get_color() == "tab:red"
    assert lines["predicted"].get_zorder() >= lines["true"].get_zorder()
    row = per_sample.index[per_sample["composition"] == order[0]][0]
    np.testing.assert_array_equal(lines["true"].get_ydata(), patterns[1][row])
