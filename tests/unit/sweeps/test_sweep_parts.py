import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from deepxrd.errors import ConfigError
from deepxrd.io.code_hash import PACKAGE, code_hash
from deepxrd.models.paper import DeepXRDNet
from deepxrd.runs.names import ERROR, METRICS, SWEEP_RUN
from deepxrd.runs.sweep_folder import DONE, FAILED, NOT_RUN, STOPPED, SweepFolder, SweepRun, run_name
from deepxrd.sweeps import callback, share
from deepxrd.sweeps import fingerprint as prints
from deepxrd.sweeps.callback import name_of, plan
from deepxrd.sweeps.sweep_run import refuse_one
from deepxrd.sweeps.watch import progress_text

CONFIG = {
    "seed": 1,
    "data": {"name": "abc3", "batch_size": 64},
    "loss": {"_target_": "deepxrd.losses.MSELoss"},
    "trainer": {"max_epochs": 3, "enable_progress_bar": True, "log_every_n_steps": 10},
    "paths": {"data_dir": "data"},
    "source": {"path": "a.parquet"},
    "build": {"n_jobs": -1},
    "logger": {"_target_": "csv"},
    "threads": None,
}


def test_a_sweep_is_planned_as_hydra_will_run_it() -> None:
    given = ["model.depth=10,15", "optimizer.lr=0.001,0.002", "loss=choice(mse,cosine)", "seed=3", "optimizer.lr=1e-3"]
    keys, runs = plan(given)
    assert keys == [
        "model.depth",
        "optimizer.lr",
        "loss",
    ]  # one that the command line narrows still names the sweep run
    assert runs == [
        {"model.depth": depth, "optimizer.lr": 0.001, "loss": loss} for depth in (10, 15) for loss in ("mse", "cosine")
    ]


def test_a_sweeper_that_makes_up_its_runs_gives_each_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "SweepWatch", lambda _: SimpleNamespace(start=lambda: None))
    hydra = {
        "sweep": {"dir": str(tmp_path)}, "sweeper": {"params": {"loss": "choice(mse,cosine)"}},
        "overrides": {"task": ["optimizer.lr=interval(0.001,0.01)", "seed=3"], "hydra": []},
        "runtime": {"choices": {"hydra/sweeper": "optuna", "sweep": None}},
    }  # fmt: skip
    callback.PlanSweep().on_multirun_start(OmegaConf.create({"hydra": hydra}))
    sweep = SweepFolder.open(tmp_path)
    assert (sweep.keys, sweep.planned) == (["loss", "optimizer.lr"], [])
    for place, lr in enumerate(("0.0025", "0.007")):
        job = ["loss=mse", f"optimizer.lr={lr}", "seed=3"]
        run = tmp_path / name_of(tmp_path, job)
        assert run.name == f"loss-mse_lr-{lr}"
        refuse_one(run, ValueError("bad"), overrides=job)
        assert [each.settings["optimizer.lr"] for each in SweepFolder.open(tmp_path).runs][place] == float(lr)
    assert len(sweep.settled()) == 2
    assert progress_text([{"state": DONE, "reused": False}], 0, 60) == "1 sweep runs done"


def test_a_run_finds_its_name_from_its_own_settings(tmp_path: Path) -> None:
    keys, runs = plan(["model.depth=10,15", "optimizer.lr=1e-3,0.002"])
    SweepFolder.plan(tmp_path, runs, {"table": None, "keys": keys, "session": "s"})
    assert name_of(tmp_path, ["seed=1", "optimizer.lr=0.0010", "model.depth=15"]) == "depth-15_lr-0.001"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"model.depth": 20, "optimizer.lr": 0.001, "data.batch_size": 64}, "depth-20_lr-0.001_batch_size-64"),
        ({"a.seed": 1, "b.seed": 2}, "a.seed-1_b.seed-2"),
        ({"loss": "pearson"}, "loss-pearson"),
        ({}, "run"),  # of -m without several values; else its folder would be the sweep's
    ],
)
def test_names_of_runs_are_readable(values: dict[str, object], name: str) -> None:
    assert run_name(values) == name


def test_names_that_cannot_be_folders_are_repaired_and_stay_apart() -> None:
    one, other = run_name({"source.path": "a/b c"}), run_name({"source.path": "a b/c"})
    assert one != other
    assert not set("/ ") & set(one + other)
    assert len(run_name({"x": "y" * 999})) < 200


def test_a_run_is_what_its_files_say(tmp_path: Path) -> None:
    run = SweepRun(tmp_path, {"seed": 1})
    states = [run.state]
    for file in (SWEEP_RUN, METRICS, ERROR):
        (tmp_path / file).write_text("{}\nValueError: bad\n")
        states.append(run.state)
    assert states == [NOT_RUN, STOPPED, DONE, FAILED]
    assert run.error == "ValueError: bad"


def test_what_a_later_command_in_the_folder_has_done_is_not_lost_on_an_earlier_one(tmp_path: Path) -> None:
    """Else the first of two commands ends with code 0 and "0 done", though a run of its own has failed."""
    days = [f"2026-01-0{day}T00:00:00+00:00" for day in (1, 2, 3)]
    runs = [{"seed": 1}, {"seed": 2}]
    before, first, second = (
        SweepFolder.plan(tmp_path, runs, {"table": None, "keys": ["seed"], "session": day}) for day in days
    )
    for run, state, session in zip(first.planned, (DONE, FAILED), (days[1], days[2]), strict=True):
        run.path.mkdir()
        record = {"values": run.settings, "session": session, "state": state}
        (run.path / SWEEP_RUN).write_text(json.dumps(record))
    assert [[run.path.name for run in sweep.settled()] for sweep in (before, first, second)] == [
        ["seed-1", "seed-2"], ["seed-1", "seed-2"], ["seed-2"],
    ]  # fmt: skip


ONE_SEED = '{"keys": ["seed"], "session": "s", "runs": [%s]}'


@pytest.mark.parametrize("plan", ["{}", "[]", ONE_SEED % 1, ONE_SEED % "{}", "{"])
def test_a_damaged_plan_is_an_error_that_names_it(tmp_path: Path, plan: str) -> None:
    (tmp_path / "sweep.json").write_text(plan)
    with pytest.raises(ConfigError, match=r"sweep\.json is damaged"):
        SweepFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("file", "read"),
    [("metrics.json", lambda run: run.metrics), ("run.json", lambda run: run.facts)],
)
def test_damaged_files_of_a_run_are_errors_that_name_them(tmp_path: Path, file: str, read: Callable[..., Any]) -> None:
    for content in ("{}", "[]", "{"):
        (tmp_path / file).write_text(content)
        with pytest.raises(ConfigError, match=f"{file} is damaged"):
            read(SweepRun(tmp_path, {}))


def test_a_damaged_record_of_a_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    sweep = SweepFolder.plan(tmp_path, [{"seed": 1}], {"table": None, "keys": ["seed"], "session": "s"})
    sweep.planned[0].path.mkdir()
    (sweep.planned[0].path / "sweep_run.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"sweep_run\.json is damaged"):
        _ = sweep.runs


def test_no_sweep_in_a_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        SweepFolder.open(tmp_path)


def test_places_and_logging_leave_the_fingerprint_and_all_else_changes_it() -> None:
    base = prints.fingerprint(CONFIG, "data1")
    same = {**CONFIG, "paths": {}, "source": {}, "build": {}, "logger": {}, "threads": 2}
    same["trainer"] = {"max_epochs": 3, "enable_progress_bar": False, "log_every_n_steps": 1}
    assert prints.fingerprint(same, "data1") == base
    stopping = {"early_stopping": {"patience": 15}}
    graphs = {**stopping, "cuda_graphs": {"_target_": "x"}}
    assert prints.fingerprint({**CONFIG, "callbacks": graphs}, "d") == prints.fingerprint(
        {**CONFIG, "callbacks": stopping}, "d"
    )
    for key, value in {"seed": 2, "loss": {"_target_": "x"}, "trainer": {"max_epochs": 4}, "data": {}}.items():
        assert prints.fingerprint({**CONFIG, key: value}, "data1")["config"] != base["config"], key
    assert prints.fingerprint(CONFIG, "data2") != base


def test_the_fingerprint_holds_the_code_of_all_that_computes() -> None:
    assert prints.fingerprint(CONFIG, "data1")["code"] == code_hash(*prints._CODE)


def test_work_on_other_models_and_on_the_page_does_not_outdate_the_paper_s_network(tmp_path: Path) -> None:
    target = f"{DeepXRDNet.__module__.rpartition('.')[0]}.{DeepXRDNet.__name__}"
    papers = prints.fingerprint({**CONFIG, "model": {"_target_": target}}, "data1")["code"]
    assert papers == f"{code_hash(*prints._CODE_OF_THE_PAPERS)}-{prints._REVISION}"
    assert not [each for each in prints._CODE_OF_THE_PAPERS if "candidate" in each or "baseline" in each]
    package = tmp_path / "deepxrd"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.dxl", "weights", "__pycache__"))
    before = code_hash(*prints._CODE_OF_THE_PAPERS, package=package)
    changes = {"models/candidates/decode.py": True, "matching/match.py": True, "losses.py": False,
               "models/paper/resnet.py": False, "metrics/peaks.py": False}  # fmt: skip
    for file, the_same in changes.items():
        text = (package / file).read_text(encoding="utf-8")
        (package / file).write_text(text + "\nEDITED = True\n", encoding="utf-8")
        code_hash.cache_clear()
        assert (code_hash(*prints._CODE_OF_THE_PAPERS, package=package) == before) is the_same, file
        (package / file).write_text(text, encoding="utf-8")


DO_NOT_COUNT = {
    *("errors", "io.sealed", "io.files", "io.stopping", "runs.names", "config.allowed", "config.instantiate"),
    *("chem.formula", "sources", "sources.base", "data.build", "data.selection", "data.store", "data.workers"),
    *("models.contract", "models.finite", "metrics.own", "training.checkpoints", "training.interrupted"),
    *("training.stop_on_nan", "xrd.settings", "xrd", "io.csv_table", "io.formula_table"),
}
"""What the code of the paper's network imports and does not count: it reads, checks, writes, or makes data."""


def test_all_that_the_code_of_the_papers_network_imports_counts_or_is_known_not_to() -> None:
    counted = {file for pattern in prints._CODE_OF_THE_PAPERS for file in PACKAGE.glob(pattern)}
    names = {".".join(file.relative_to(PACKAGE).with_suffix("").parts) for file in counted}
    imported = set()
    for file in counted:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("deepxrd"):
                module = importlib.import_module(str(node.module))
                imported |= {getattr(getattr(module, each.name), "__module__", module.__name__) for each in node.names}
    ours = {name.removeprefix("deepxrd.") for name in imported if name.startswith("deepxrd.")}
    assert ours - names - DO_NOT_COUNT == set()


@pytest.mark.parametrize(
    ("changed", "done", "same"),
    [
        ({}, True, True),
        ({}, False, True),
        ({"data": "rounded elsewhere"}, True, True),
        ({"data": "rounded elsewhere"}, False, False),
        ({"store": "another pymatgen"}, True, True),
        ({"data": "x", "store": "y"}, True, False),
        ({"config": "x"}, True, False),
        ({"code": "x"}, True, False),
        ({"own_code": "x"}, True, False),
    ],
)
def test_a_run_made_elsewhere_is_the_same_by_what_its_data_were_made_from(
    changed: dict[str, str], *, done: bool, same: bool
) -> None:
    before = {"config": "c", "data": "d", "code": "k", "store": "s"}
    assert prints.is_same(before, before | changed, done=done) is same
    assert not prints.is_same(None, before, done=done)


def test_a_run_that_noted_no_store_is_known_by_its_data_alone() -> None:
    before = {"config": "c", "data": "d", "code": "k"}
    assert prints.is_same(before, before | {"store": "s"}, done=True)
    assert not prints.is_same(before, before | {"store": "s", "data": "e"}, done=True)


def test_the_line_of_a_sweep_tells_done_failed_and_time_left() -> None:
    done, failed, before = ({"state": s, "reused": r} for s, r in ((DONE, False), (FAILED, False), (DONE, True)))
    assert progress_text([], 12, 0) == "0 of 12 sweep runs done"
    assert progress_text([before, done, failed], 9, 600) == "2 of 9 sweep runs done (1 before), 1 failed, 30 min left"
    assert progress_text([done], 1, 600) == "1 of 1 sweep runs done"
    assert progress_text([done], 100, 600).endswith("16.5 h left")


def test_runs_at_once_are_one_unless_the_launcher_starts_several_here() -> None:
    assert share.runs_at_once(4, "basic") == share.runs_at_once(None, "submitit_slurm") == 1
    assert share.runs_at_once(3, "joblib") == share.runs_at_once(3, "submitit_local") == 3
    assert share.runs_at_once(None, "joblib") == len(os.sched_getaffinity(0)) or torch.cuda.is_available()


@pytest.mark.parametrize(("cores", "gib", "n"), [(16, 79.6, 16), (64, 79.6, 19), (16, 7.9, 1), (16, 24, 6), (8, 2, 1)])
def test_runs_on_a_gpu_at_once_are_as_many_as_its_memory_holds(
    monkeypatch: pytest.MonkeyPatch, cores: int, gib: float, n: int
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(share, "n_cores", lambda: cores)
    gpu = SimpleNamespace(total_memory=round(gib * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    assert share.runs_at_once(None, "joblib") == n


@pytest.mark.skipif(torch.cuda.is_available(), reason="a training would not be on the CPU")
def test_a_training_is_warned_of_cores_that_others_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(share, "n_cores", lambda: 8)

    def busy(cores: float) -> None:
        ticks = iter([(1000, 500), (1800, 500 + round(100 * (8 - cores)))])  # 800 ticks of 8 cores
        monkeypatch.setattr(share, "_ticks", lambda: next(ticks))

    busy(3.5)
    assert share.busy_cores(0) == pytest.approx(3.5)
    busy(3.5)
    note = share.warning_of_other_work(None)
    assert note is not None
    assert "3.5 of 8 cores" in note
    for cores, threads in ((3.5, 4), (0.25, None), (8, 1)):
        busy(cores)
        assert share.warning_of_other_work(threads) is None
    monkeypatch.setattr(share, "_ticks", lambda: (0, 0))  # a system that does not say
    assert share.warning_of_other_work(None) is None


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="Linux alone has it")
def test_the_time_without_work_is_part_of_all_time() -> None:
    (before, idle_before), _ = share._ticks(), share.busy_cores(0.05)
    after, idle_after = share._ticks()
    assert 0 <= idle_after - idle_before <= after - before
    assert after > before


def test_a_run_keeps_to_its_share_of_cores_and_gpu_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    memory: list[float] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", memory.append)
    monkeypatch.setattr(share, "n_cores", lambda: 8)
    share.take_share(3, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    share.take_share(4, None)
    share.take_share(1, 5)
    assert threads == [2, 2, 5]
    assert memory[-1:] == [0.25]


def test_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "n_cores", lambda: 8)
    for threads in (None, 1, 8):
        share.refuse_threads(threads)
    with pytest.raises(ConfigError, match=r"^threads=9: this process may use 8 cores: give a whole number from 1 to 8"):
        share.refuse_threads(9)


def test_no_more_runs_than_places_at_the_same_time(tmp_path: Path) -> None:
    child = (
        "import sys, time\nfrom pathlib import Path\nfrom deepxrd.sweeps.share import place\n"
        "with place(Path(sys.argv[1]) / 'places', 2, 'submitit_local'):\n"
        "    began = time.time(); time.sleep(0.4)\n"
        "    Path(sys.argv[1], sys.argv[2]).write_text(f'[{began}, {time.time()}]')\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", child, str(tmp_path), f"{i}.json"]) for i in range(5)]
    assert all(each.wait(60) == 0 for each in children)
    spans = [json.loads((tmp_path / f"{i}.json").read_text()) for i in range(5)]
    assert max(sum(a <= start < b for a, b in spans) for start, _ in spans) <= 2


def test_other_launchers_need_not_wait(tmp_path: Path) -> None:
    began = time.monotonic()
    with share.place(tmp_path / "places", 1, "joblib"), share.place(tmp_path / "places", 1, "joblib"):
        pass
    assert time.monotonic() - began < 0.1


def test_an_edit_of_ones_own_network_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    mine = {**CONFIG, "model": {"_target_": "net_that_is_edited.Net"}}
    file = tmp_path / "net_that_is_edited.py"
    file.write_text("class Net:\n    width = 3\n")
    before = prints.fingerprint(mine, "data1")
    assert prints.fingerprint(mine, "data1") == before
    file.write_text("class Net:\n    width = 4\n")
    assert prints.fingerprint(mine, "data1") != before


def test_a_network_without_a_source_is_run_again_with_a_warning() -> None:
    mine = {**CONFIG, "model": {"_target_": "no_such_module.Net"}}
    with pytest.warns(UserWarning, match=r"no_such_module\.Net.*run again"):
        first = prints.fingerprint(mine, "data1")
    with pytest.warns(UserWarning, match="run again"):
        assert prints.fingerprint(mine, "data1") != first
