import numpy as np
import pandas as pd
from rich.console import Console

from deepxrd.analysis import figures, tables
from deepxrd.xrd import XrdSettings


def shown(data: str) -> str:
    test = dict.fromkeys(tables.COLUMNS, 0.1234)
    metrics = {"data": data, "n_test": 7, "model": "DeepXRDNet", "loss": "PearsonLoss", "test": test}
    console = Console(width=200, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(tables.score_table(metrics))
    return console.export_text()


def test_the_table_has_the_run_above_the_baseline_of_its_data_set() -> None:
    text = shown("ternary")
    assert "7 samples of ternary" in text
    assert text.index("0.123") < text.index("0.661") < text.index("2,056 ternary")
    assert "for scale only" not in text


def test_the_table_says_when_the_baseline_is_of_other_data() -> None:
    assert "Other data than this run's" in shown("prototypes")


def test_the_reference_scores_are_those_of_the_shared_baselines() -> None:
    rows = tables.reference_rows()
    assert rows["abc3"]["substitution"]["peak_f1_2deg"] == 0.638
    assert rows["ternary"]["substitution"]["peak_f1_2deg"] == 0.661


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
