import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepxrd import report as report_command
from deepxrd.analysis import sweep_conclusions as conclusions
from deepxrd.analysis import sweep_scores, sweep_tables
from deepxrd.analysis.sweep_figures import heat_map
from deepxrd.analysis.sweep_report import report_name, write_report
from deepxrd.analysis.sweep_scores import SweepScores, facts_of_runs
from deepxrd.chem import SYMBOLS
from deepxrd.data import Split
from deepxrd.errors import ConfigError
from deepxrd.runs.sweep_folder import SweepFolder
from deepxrd.xrd import XrdSettings

SYSTEMS = ["".join(pair) for pair in itertools.combinations(SYMBOLS, 2)]  # each compound a system of its own
KEYS = ["model.depth", "optimizer.lr", "data.batch_size"]
PAPERS = {
    "database": "Materials Project", "selection": {"n_elements": 3, "stoichiometry": "ABC3"}, "paper_encoding": True,
    "xrd": XrdSettings().to_dict(), "split": Split().to_dict(), "n_samples": 2545, "samples": "5a",
}  # fmt: skip
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Writes the folder of a sweep: for each run an array of F1 per test sample, an error, or None for not run."""

    def make(
        runs: dict[tuple[Any, ...], Any],
        *,
        table: str | None = "table4",
        keys: list[str] = KEYS,
        data_set: dict[str, Any] | None = PAPERS,
    ) -> Path:
        settings = [dict(zip(keys, run, strict=True)) for run in runs]
        sweep = SweepFolder.plan(tmp_path / "sweep", settings, {"table": table, "keys": keys, "session": "s"})
        for run, values in zip(sweep.planned, runs.values(), strict=True):
            if values is None:
                continue
            run.path.mkdir()
            record = {"values": run.settings, "fingerprint": {"code": "c0de"}, "session": "s", "state": "done"}
            (run.path / "sweep_run.json").write_text(json.dumps(record))
            if isinstance(values, str):
                (run.path / "error.txt").write_text(values)
                continue
            f1 = np.asarray(values, dtype=float)
            table_of = pd.DataFrame({"composition": SYSTEMS[: len(f1)], "peak_f1_2deg": f1, "mse": 1 - f1})
            table_of.sample(frac=1, random_state=len(run.path.name)).to_parquet(run.path / "per_sample.parquet")
            metrics = {
                "data": "abc3", "data_set": data_set, "data_hash": "da7a", "seed": 1, "n_train": 100, "epochs": 6,
                "best_epoch": 4,
                "train_seconds": 30.0, "precision": "32-true",
                "test": {"peak_f1_2deg": f1.mean(), "mse": (1 - f1).mean()},
            }  # fmt: skip
            (run.path / "metrics.json").write_text(json.dumps(metrics))
            provenance = {"git_commit": "abc", "versions": {"torch": "2"}, "machine": {"cores": 1, "processor": "P"}}
            (run.path / "run.json").write_text(json.dumps(provenance))
        return sweep.path

    return make


def around(mean: float, n: int = 200) -> np.ndarray:
    """Scores that differ from sample to sample, the same way in all sweep runs."""
    return mean + 0.1 * np.sin(np.arange(n))


def test_table_4_has_the_papers_values_beside_ours_and_says_what_is_missing(made: Made) -> None:
    folder = made(
        {(20, 0.001, 64): around(0.5), (20, 0.001, 128): around(0.4), (10, 0.001, 32): "E: bad", (25, 0.004, 64): None}
    )
    scores = SweepScores.read(folder, "peak_f1_2deg")
    lines = sweep_tables.markdown(scores).splitlines()
    assert lines[0] == "| layers | learning rate | 32 | paper | 64 | paper | 128 | paper |"
    assert "| 20 | 0.001 | not run | 0.57 | **0.500** | **0.68** | 0.400 | 0.59 |" in lines
    assert "| 10 | 0.001 | failed | 0.58 | not run | 0.63 | not run | 0.57 |" in lines
    assert len(lines) == 2 + 16
    frame = scores.frame
    assert len(frame) == 48
    assert frame["state"].value_counts().to_dict() == {"not run": 45, "done": 2, "failed": 1}
    best = frame[frame["best"]]
    assert best[KEYS].to_numpy().tolist() == [[20, 0.001, 64]]
    assert best["low"].item() < best["value"].item() < best["high"].item()


def test_the_best_run_by_an_error_is_the_lowest(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5), (20, 0.001, 128): around(0.4)})
    frame = SweepScores.read(folder, "mse").frame
    assert frame[frame["best"]]["data.batch_size"].tolist() == [64]
    assert np.isclose(frame["value"].min(), 1 - around(0.5).mean())


def test_a_score_that_no_run_has_is_an_error_that_lists_those_there_are(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5)})
    with pytest.raises(ConfigError, match=r"metric=f1.*peak_f1_2deg, mse"):
        SweepScores.read(folder, "f1")


def test_scores_of_an_evaluation_can_be_chosen_where_all_runs_have_one(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5), (20, 0.001, 128): around(0.4)})
    for run in SweepFolder.open(folder).planned:
        (run.path / "evaluation").mkdir()
        table = pd.read_parquet(run.path / "per_sample.parquet").assign(jsd=0.25)
        table.to_parquet(run.path / "evaluation/per_sample.parquet")
        (run.path / "evaluation/metrics.json").write_text('{"test": {"jsd": 0.25}}')
    scores = SweepScores.read(folder, "jsd")
    assert scores.frame["value"].dropna().tolist() == [0.25, 0.25]
    facts = facts_of_runs(scores)
    assert facts["jsd"].tolist() == [0.25, 0.25]
    assert facts["peak_f1_2deg"].notna().all()


def test_a_conclusion_holds_fails_stays_open_or_cannot_be_told(made: Made) -> None:
    rng = np.random.default_rng(0)
    rates = (0.001, 0.002, 0.003)
    base = {rate: around(0.5) + 0.02 * rng.normal() for rate in rates}  # the luck of each training
    runs = {(20, rate, 64): base[rate] for rate in rates}
    for rate in rates:
        luck = 0.001 * rng.normal()
        runs[10, rate, 64] = base[rate] - 0.05 + luck + 0.01 * rng.normal(size=200)  # worse for sure
        runs[15, rate, 64] = base[rate] - 0.002 + luck + 0.3 * rng.normal(size=200)  # who knows
        runs[20, rate, 128] = base[rate] + 0.05 + luck  # better for sure
    runs[20, 0.001, 32] = base[0.001] - 0.05  # once, which may be luck
    scores = SweepScores.read(made(runs), "peak_f1_2deg")
    depth, rate_claim, batch = conclusions.claims(scores)
    assert [(step.worse, step.verdict) for step in depth.steps] == [
        (10, conclusions.HOLDS),
        (15, conclusions.OPEN),
        (25, conclusions.UNKNOWN),
    ]
    assert depth.verdict == conclusions.UNKNOWN
    assert [step.n_pairs for step in rate_claim.steps] == [4, 4, 0]
    assert [(step.worse, step.n_pairs, step.verdict) for step in batch.steps] == [
        (32, 1, conclusions.UNKNOWN),
        (128, 3, conclusions.REFUTED),
    ]
    assert batch.verdict == conclusions.REFUTED
    found = batch.steps[1].difference
    assert found is not None
    assert found.mean == pytest.approx(np.mean([(base[rate] - runs[20, rate, 128]).mean() for rate in rates]))
    text = conclusions.text(scores)
    assert f"{found.mean:+.4f}" in text
    assert "32: +0.0500 (+0.0500 to +0.0500 over systems; 1 pair of sweep runs): cannot be said yet" in text


def test_what_seeds_turn_round_stays_open_however_many_the_samples(made: Made) -> None:
    """Each pair differs by far more than its samples leave in doubt, once this way and once that."""
    base = around(0.5, 400)
    runs = {(20, 0.001, 64, seed): base + shift for seed, shift in ((1, 0.1), (2, -0.08), (3, 0.06))}
    runs |= {(20, 0.001, 128, seed): base for seed in (1, 2, 3)}
    scores = SweepScores.read(made(runs, keys=[*KEYS, "seed"]), "peak_f1_2deg")
    step = conclusions.claims(scores)[2].steps[1]
    assert (step.n_pairs, step.verdict) == (3, conclusions.OPEN)


@pytest.mark.parametrize(
    "data_set",
    [None, {**PAPERS, "selection": {"n_elements": 3, "stoichiometry": "AB2C4"}}, {**PAPERS, "database": None}],
)
def test_the_papers_numbers_and_conclusions_stand_beside_no_other_data(
    made: Made, tmp_path: Path, data_set: dict[str, Any] | None
) -> None:
    runs = {(20, 0.001, 64): around(0.5), (20, 0.001, 128): around(0.4), (10, 0.001, 64): None}
    scores = SweepScores.read(made(runs, data_set=data_set), "peak_f1_2deg")
    assert sweep_tables.markdown(scores).splitlines()[0] == "| layers | learning rate | 64 | 128 |"
    assert conclusions.claims(scores) == []
    page = write_report(scores, tmp_path / "out").read_text()
    assert "paper" not in page
    assert "0.68" not in page


def test_table_3_has_the_papers_numbers_for_the_data_set_that_is_its_own(made: Made) -> None:
    runs = {(data, loss): around(0.5) for data in ("abc3", "ternary") for loss in ("mse", "pearson")}
    scores = SweepScores.read(made(runs, table="table3", keys=["data", "loss"]), "peak_f1_2deg")
    assert set(scores.paper["data"]) == {"abc3"}  # what is called ternary here is ABC3 too


def test_of_many_steps_one_that_chance_would_give_stays_open(made: Made) -> None:
    """One of five differences has a p below 0.05: significant alone, and not among five (Holm 1979)."""
    base, n, seeds = around(0.5, 40), 40, range(20)
    noise = np.random.default_rng(17).normal(size=(5, n))
    noise -= noise.mean(axis=1, keepdims=True)
    others = [(d, 0.001, 64) for d in (10, 15, 25)] + [(20, 0.001, b) for b in (32, 128)]
    runs = {(20, 0.001, 64, seed): base for seed in seeds}
    for place, run in enumerate(others):
        shift = 2.2 / np.sqrt(n) if place == 0 else 0.0  # 2.2 standard errors
        runs |= {(*run, seed): base - shift - noise[place] / noise[place].std() for seed in seeds}
    found = conclusions.claims(SweepScores.read(made(runs, keys=[*KEYS, "seed"]), "peak_f1_2deg"))
    step = found[0].steps[0]
    assert step.difference is not None
    assert step.difference.p_value < 0.05 < (step.p_corrected or 0)
    assert step.difference.low > 0
    assert {each.verdict for claim in (found[0], found[2]) for each in claim.steps} == {conclusions.OPEN}


def test_a_lower_error_is_better(made: Made) -> None:
    sizes = {64: 0.5, 128: 0.4, 32: 0.3}
    runs = {(20, rate, size): around(mean + rate) for size, mean in sizes.items() for rate in (0.001, 0.002)}
    _, _, batch = conclusions.claims(SweepScores.read(made(runs), "mse"))
    assert batch.verdict == conclusions.HOLDS


def test_the_difference_of_two_values_is_the_mean_over_pairs_that_differ_in_nothing_else(made: Made) -> None:
    rng = np.random.default_rng(1)
    runs = {(d, lr, 64): rng.random(50) for d in (10, 20) for lr in (0.001, 0.002, 0.003)}
    del runs[10, 0.003, 64]
    scores = SweepScores.read(made(runs), "peak_f1_2deg")
    n, difference = conclusions.compare_values(scores, "model.depth", 20, 10, {})
    expected = np.mean([runs[20, lr, 64] - runs[10, lr, 64] for lr in (0.001, 0.002)])
    assert n == 2
    assert difference is not None
    assert difference.mean == pytest.approx(expected)


def test_table_3_orders_the_losses_on_each_data_set(made: Made) -> None:
    runs = {
        ("abc3", loss, seed): around(mean + luck)
        for loss, mean in zip(("mse", "msle", "cosine", "pearson"), (1, 2, 3, 4), strict=True)
        for seed, luck in ((1, 0.01), (2, -0.01))
    }
    scores = SweepScores.read(made(runs, table="table3", keys=["data", "loss", "seed"]), "peak_f1_2deg")
    best, order, *ternary = conclusions.claims(scores)
    assert [(step.better, step.worse) for step in best.steps] == [("pearson", w) for w in ("cosine", "msle", "mse")]
    assert best.verdict == order.verdict == conclusions.HOLDS
    assert {claim.verdict for claim in ternary} == {conclusions.UNKNOWN}
    abc3_row, ternary_row = sweep_tables.markdown(scores).splitlines()[2:]
    assert "| 1.000 ± 0.014 (n 2) | 0.626 | 2.000 ± 0.014 (n 2) | 0.644 |" in abc3_row
    assert abc3_row.endswith("| **4.000 ± 0.014** (n 2) | **0.681** |")
    assert ternary_row == "| ternary | not run | 0.612 | not run | 0.631 | not run | 0.667 | not run | **0.678** |"


def test_a_comparison_in_two_claims_is_one_hypothesis(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    runs = {
        ("abc3", loss, seed): around(mean) + 0.3 * rng.normal(size=200)
        for loss, mean in zip(("mse", "msle", "cosine", "pearson"), (0.40, 0.42, 0.44, 0.46), strict=True)
        for seed in range(5)
    }
    scores = SweepScores.read(made(runs, table="table3", keys=["data", "loss", "seed"]), "peak_f1_2deg")
    corrected = []
    monkeypatch.setattr(conclusions, "holm", lambda p: corrected.append(list(p)) or list(p))
    best, order, *_ = conclusions.claims(scores)
    assert [len(p) for p in corrected] == [5]  # six steps; pearson against cosine is in both claims
    assert best.steps[0] == order.steps[0]
    steps = {(step.better, step.worse): step for step in (*best.steps, *order.steps)}
    for step in steps.values():
        assert step.difference is not None
        assert step.p_corrected == step.difference.p_value


def test_a_free_sweep_has_its_own_layout_and_no_paper(made: Made) -> None:
    folder = made({("a b", 1): around(0.5), ("c_d", 2): around(0.6)}, table=None, keys=["data.name", "model.width"])
    scores = SweepScores.read(folder, "peak_f1_2deg")
    assert sweep_tables.markdown(scores).splitlines() == [
        "| data.name | 1 | 2 |", "| --- | --- | --- |", "| a b | 0.500 | – |", "| c_d | – | **0.600** |",
    ]  # fmt: skip
    assert conclusions.text(scores) == ""
    assert r"c\_d & – & \textbf{0.600} \\" in sweep_tables.latex(scores)


def test_rows_and_columns_of_numbers_are_in_their_order_whatever_was_planned_last(made: Made) -> None:
    values = [(0.5, "mse"), (0.05, "msle"), (0.2, "mse"), (0.5, "msle"), (0.05, "mse"), (0.2, "msle")]
    folder = made({each: around(0.5) for each in values}, table=None, keys=["xrd.sigma_deg", "loss"])
    frame = SweepScores.read(folder, "peak_f1_2deg").frame
    assert frame["xrd.sigma_deg"].tolist() == [0.05, 0.05, 0.2, 0.2, 0.5, 0.5]
    assert frame["loss"].tolist() == ["mse", "msle"] * 3  # as they were planned


def test_any_sweep_is_averaged_over_its_seeds(made: Made, tmp_path: Path) -> None:
    runs = {
        ("mse", 1): around(0.2), ("mse", 2): around(0.4), ("cosine", 1): around(0.5), ("cosine", 2): "E: bad",
        ("jsd", 1): None, ("jsd", 2): "E: bad",
    }  # fmt: skip
    scores = SweepScores.read(made(runs, table=None, keys=["loss", "seed"]), "peak_f1_2deg")
    rows = {row["loss"]: row for row in scores.frame.to_dict("records")}
    first = np.mean([runs["mse", seed].mean() for seed in (1, 2)])
    assert rows["mse"]["value"] == pytest.approx(first)
    assert (rows["mse"]["n"], rows["mse"]["std"]) == (2, pytest.approx(0.2 / np.sqrt(2)))
    assert sweep_tables.markdown(scores).splitlines()[2] == ("| 0.300 ± 0.141 (n 2) | **0.500** (n 1 of 2) | failed |")
    assert r"0.300 $\pm$ 0.141 (n 2)" in sweep_tables.latex(scores)
    texts = [text.get_text() for axis in heat_map(scores).axes for text in axis.texts]
    assert "0.300\n± 0.141" in texts
    assert "number of seeds" in write_report(scores, tmp_path / "out").read_text()


def test_a_table_of_the_papers_is_averaged_over_seeds_too(made: Made) -> None:
    runs = {(20, 0.001, size, seed): around(0.5 + 0.1 * seed - size / 640) for size in (64, 128) for seed in (1, 2)}
    scores = SweepScores.read(made(runs, keys=[*KEYS, "seed"]), "peak_f1_2deg")
    assert scores.layout.title == "Table 4"
    assert "| 20 | 0.001 |" in sweep_tables.markdown(scores)
    n, difference = conclusions.compare_values(scores, "data.batch_size", 64, 128, {})
    assert n == 2
    assert difference is not None
    assert difference.mean == pytest.approx(0.1)


def test_seeds_that_were_tested_on_other_samples_are_not_averaged(made: Made) -> None:
    folder = made({("mse", 1): around(0.2), ("mse", 2): around(0.2, 50)}, table=None, keys=["loss", "seed"])
    with pytest.raises(ConfigError, match="tested on other samples"):
        _ = SweepScores.read(folder, "peak_f1_2deg").frame


def test_seeds_are_summed_up(made: Made) -> None:
    folder = made({(seed,): np.full(9, value) for seed, value in ((1, 0.2), (2, 0.4))}, table="seeds", keys=["seed"])
    text = conclusions.seeds_text(SweepScores.read(folder, "peak_f1_2deg"))
    assert text == "Over 2 seeds: mean 0.300, standard deviation 0.141, from 0.200 to 0.400."


def test_the_effort_is_counted_and_failures_are_named(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5), (10, 0.001, 64): "Traceback\nE: too bad"})
    facts = facts_of_runs(SweepScores.read(folder, "mse"))
    assert facts["samples_per_second"].dropna().tolist() == [20.0]  # 100 samples, 6 epochs, 30 s
    text = sweep_tables.effort(facts)
    assert "1 done, 1 failed" in text
    assert "layers 10, learning rate 0.001, batch size 64: `E: too bad`" in text


def test_the_heat_map_shows_every_run_and_frames_the_best(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5), (20, 0.001, 128): around(0.4), (10, 0.001, 32): "E: bad"})
    figure = heat_map(SweepScores.read(folder, "peak_f1_2deg"))
    panels = [axis for axis in figure.axes if axis.get_xticklabels() and axis.texts]
    assert len(panels) == 8  # four learning rates, ours and the paper's
    texts = [text.get_text() for text in panels[0].texts]
    assert sorted(texts) == sorted(["0.500", "0.400", "failed", *["not\nrun"] * 9])
    framed = [sum(not patch.get_fill() for patch in axis.patches) for axis in panels]
    assert framed == [1, 0, 0, 0, 1, 0, 0, 0]


def test_a_sweep_of_which_nothing_is_done_can_be_reported(made: Made, tmp_path: Path) -> None:
    page = write_report(SweepScores.read(made({(20, 0.001, 64): None}), "peak_recall_any"), tmp_path / "out")
    assert "cannot be said yet" in page.read_text()
    assert (tmp_path / "out/figures/table4-peak_recall_any.png").stat().st_size > 10_000


def test_a_run_whose_scores_are_lost_is_named(made: Made) -> None:
    folder = made({(20, 0.001, 64): around(0.5)})
    [run] = SweepFolder.open(folder).planned
    (run.path / "per_sample.parquet").unlink()
    with pytest.raises(ConfigError, match=r"per_sample\.parquet holds no scores per sample"):
        _ = SweepScores.read(folder, "peak_f1_2deg").frame


def test_a_sweep_without_a_run_has_no_table_yet(made: Made) -> None:
    with pytest.raises(ConfigError, match="none of its runs has begun"):
        SweepScores.read(made({}), "peak_f1_2deg")


def test_a_report_is_called_as_its_sweep_however_that_is_named(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made({(20, 0.001, 64): around(0.5)}, table=None)
    monkeypatch.chdir(folder)
    assert report_name(SweepScores.read(".", "peak_f1_2deg")) == folder.name


def test_two_sweeps_of_one_name_do_not_write_over_each_other(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made({(20, 0.001, 64): around(0.5)})
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "sweep")
    out = tmp_path / "reports"
    monkeypatch.setattr("sys.argv", ["report", f"sweeps=[{folder},{other}]", "metric=mse", f"hydra.run.dir={out}"])
    with pytest.raises(SystemExit) as ended:
        report_command.main()
    assert ended.value.code == 2
    assert "two of these sweeps are called table4" in capsys.readouterr().err
    assert not list(out.iterdir())


def test_the_papers_numbers_are_those_of_the_reference() -> None:
    found = {name: sweep_scores.paper_table(f"paper_{name}.csv") for name in ("table3", "table4", "table5")}
    assert {name: len(table) for name, table in found.items()} == {"table3": 8, "table4": 48, "table5": 48}
    best = {name: table.loc[table["paper"].idxmax()].to_dict() for name, table in found.items()}
    assert best["table3"] == {"data": "abc3", "loss": "pearson", "paper": 0.681}
    assert best["table4"] == {"model.depth": 20, "optimizer.lr": 0.001, "data.batch_size": 64, "paper": 0.68}
    assert best["table5"] == {"model.depth": 20, "optimizer.lr": 0.001, "data.batch_size": 128, "paper": 0.63}
