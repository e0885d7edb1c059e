import pytest
from rich.console import Console
from rich.table import Table

from deepxrd.analysis import evaluation_tables as tables
from deepxrd.metrics import TABLE2_ROWS
from deepxrd.metrics.bootstrap import Interval


def shown(table: Table) -> str:
    console = Console(width=140, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table)
    return console.export_text()


def model(mean: float, fallbacks: int = 0, without: float | None = None) -> dict[str, object]:
    return {
        "n_samples": 100,
        "test": dict.fromkeys(tables.COLUMNS, mean),
        "intervals": {name: [mean - 0.01, mean + 0.01] for name in tables.COLUMNS},
        "fallbacks": fallbacks,
        "test_without_fallbacks": None if without is None else dict.fromkeys(tables.COLUMNS, without),
    }


MODELS = {"DeepXRDNet": model(0.5), "polymorph_oracle": model(0.6, 7, 0.7)}


def test_the_model_stands_before_its_baselines_with_its_interval_and_fallbacks_apart() -> None:
    text = shown(tables.evaluation_table(MODELS, data="abc3"))
    row = next(line for line in text.splitlines() if "F1 2°" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["F1 2°", "0.500", "0.490–0.510", "0.600", "0.700"]
    assert "without 7" in text
    assert "no prediction" in text
    assert "polymorph_oracle 7" in text
    few = {"a": model(0.5), "nearest": model(0.6, 3, 0.6)}
    assert "without" not in shown(tables.evaluation_table(few, data="abc3"))


def test_scores_go_into_a_table_with_the_ends_of_intervals() -> None:
    frame = tables.score_frame(MODELS)
    assert frame.loc["polymorph_oracle", "peak_f1_2deg"] == 0.6
    assert frame.loc["polymorph_oracle", "fallbacks"] == 7
    assert frame.loc["polymorph_oracle, without 7 fallbacks", "peak_f1_2deg"] == 0.7
    assert frame.loc["DeepXRDNet", "peak_f1_2deg_low"] == pytest.approx(0.49)


def intervals() -> dict[str, dict[str, Interval]]:
    names = ("cosine_distance", "pearson_distance", "jsd", "js_distance", "dtw", "rwp")
    return {row: {name: Interval(0.3, 0.2, 0.4) for name in names} for row in TABLE2_ROWS}


def test_table_2_has_the_papers_numbers_for_the_papers_data_only() -> None:
    frame = tables.table2_frame(intervals(), paper=True).set_index(["row", "distance"])["paper"]
    assert frame["prediction", "cosine_distance"] == 0.884
    assert frame["peak", "jsd"] == 0.811
    assert frame["peak_alignment", "dtw"] == 3.57
    assert frame.isna().sum() == 3 * 2
    assert tables.table2_frame(intervals(), paper=False)["paper"].isna().all()


def test_table_2_is_written_with_and_without_the_paper() -> None:
    ours = tables.table2_frame(intervals(), paper=True)
    text = tables.table2_markdown(ours, title="Table 2")
    assert "| whole pattern | 0.300 | 0.300 | 0.300 | 0.300 | 0.300 |" in text
    assert "| the paper | 0.884 | 0.885 | 0.773 | – | 4.540 |" in text
    assert "0.884" in shown(tables.table2_table(ours))
    other = tables.table2_markdown(tables.table2_frame(intervals(), paper=False), title="Table 2")
    assert "paper" not in other
    assert "0.773" not in shown(tables.table2_table(tables.table2_frame(intervals(), paper=False)))
    without_dtw = {row: {k: v for k, v in cells.items() if k != "dtw"} for row, cells in intervals().items()}
    header = tables.table2_markdown(tables.table2_frame(without_dtw, paper=True), title="T").splitlines()[2]
    assert "DTW" not in header
