"""Run folders of strangers, given to ``evaluate run=`` and ``train resume=``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from attempts import Attempt, kind
from making import RUN, STOPPED
from trying import CANARY

SECRET = "s3cr3t" * 5 + "xx"  # 32 characters, as a key has
NOWHERE = "http://127.0.0.1:9"
POPEN = {"_target_": "subprocess.Popen", "args": ["touch", CANARY]}
MODULE = "stranger"
SECRETS = {"MP_API_KEY": SECRET, "AWS_SECRET": SECRET}


def leave_module(folder: Path) -> None:
    """A module that leaves a mark when it is imported, and classes that do when they are made."""
    (folder / f"{MODULE}.py").write_text(
        f"open({CANARY!r}, 'w').close()\n"
        "import torch\n"
        "class Net(torch.nn.Module):\n    n_points = 1024\n    def __init__(self, **_): super().__init__()\n"
    )


def stranger(folder: Path, shared: Path, name: str, of: str = RUN) -> Path:
    """A copy of a sound run, to be changed."""
    shutil.copytree(shared / of, folder / name)
    return folder / name


def with_config(run: Path, **changes: Any) -> None:
    """Change parts of the configuration that the run has kept."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    for dotted, value in changes.items():
        *above, last = dotted.split("__")
        node = config
        for key in above:
            node = node[key]
        node[last] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))


def with_overrides(run: Path, *more: Any) -> None:
    """Add settings to those that a resume would replay."""
    kept = yaml.safe_load((run / "overrides.yaml").read_text())
    (run / "overrides.yaml").write_text(yaml.safe_dump([*kept, *more]))


def evaluate(name: str, says: str = "", **more: Any) -> Attempt:
    """An attempt to evaluate the run of that name."""
    return Attempt(
        name, ["evaluate", f"run={name}", "evaluate.baselines=false"], says=says, environment=SECRETS, **more
    )


def resume(name: str, says: str = "", **more: Any) -> Attempt:
    """An attempt to resume the run of that name."""
    return Attempt(name, ["train", f"resume={name}"], says=says, environment=SECRETS, **more)


@kind("run folders that name a class to call (evaluate run=)")
def named_in_config(folder: Path, shared: Path) -> Iterator[Attempt]:
    leave_module(folder)
    targets: dict[str, Any] = {
        "popen": POPEN,
        "a-function": {"_target_": "os.system", "command": f"touch {CANARY}"},
        "a-module-of-theirs": {"_target_": f"{MODULE}.Net"},
        "eval": {"_target_": "builtins.eval", "expression": f"open({CANARY!r}, 'w')"},
        "hydras-own": {"_target_": "hydra.utils.instantiate", "config": POPEN},
        "relative": {"_target_": ".os.system"},
        "no-name": {"_target_": ["os", "system"], "command": "true"},
        "ours-of-another-kind": {"_target_": "deepxrd.losses.PearsonLoss"},
        "ours-that-is-no-class": {"_target_": "deepxrd.io.files.write_text", "target": CANARY, "text": "x"},
        "through-our-imports": {"_target_": "deepxrd.io.provenance.subprocess.Popen", "args": ["touch", CANARY]},
        "through-our-module": {"_target_": "deepxrd.io.provenance.Path", "x": 1},
    }
    for name, node in targets.items():
        with_config(stranger(folder, shared, name), source=node)
        yield evaluate(name)
    with_config(stranger(folder, shared, "nested"), source__citation=POPEN)
    yield evaluate("nested")
    with_config(stranger(folder, shared, "in-a-list"), data__encoding__elements=["Sr", POPEN])
    yield evaluate("in-a-list")


@kind("run folders whose settings look things up or call out (evaluate run=)")
def looked_up_in_config(folder: Path, shared: Path) -> Iterator[Attempt]:
    mp = {"_target_": "deepxrd.sources.materials_project.MaterialsProjectSource", "cache_dir": "cache", "attempts": 1}
    optimade = {"_target_": "deepxrd.sources.optimade.OptimadeSource", "cache_dir": "cache", "attempts": 1}
    sources: dict[str, Any] = {
        "environment-to-a-server": {**optimade, "provider": f"{NOWHERE}/${{oc.env:AWS_SECRET}}"},
        "key-to-a-server": {**mp, "endpoint": NOWHERE},
        "key-to-a-server-over-again": {**mp, "endpoint": NOWHERE, "refresh": True},
        "key-told-not-to-ask": {**mp, "endpoint": NOWHERE, "offline": False},
        "optimade-of-theirs": {**optimade, "provider": NOWHERE},
        "the-public-server": {**mp, "refresh": True},
        "interpolated-name": {"_target_": "${oc.env:HOME}"},
        "interpolated-path": {"_target_": "deepxrd.sources.files.FilesSource", "path": "${oc.env:AWS_SECRET}.csv"},
    }
    for name, node in sources.items():
        with_config(stranger(folder, shared, name), source=node)
        yield evaluate(name, check=lambda _: "")
    with_config(stranger(folder, shared, "interpolated-key"), data__name="${oc.env:AWS_SECRET}")
    yield evaluate("interpolated-key")
    run = stranger(folder, shared, "dask-of-theirs")
    with_config(run, build__scheduler="tcp://127.0.0.1:9", build__backend="dask", data__selection__stoichiometry="A2B3")
    yield evaluate("dask-of-theirs")


@kind("run folders that are no run folders (evaluate run=)")
def no_run_folders(folder: Path, shared: Path) -> Iterator[Attempt]:
    texts: dict[str, str] = {
        "laughs": "a: &a [x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
            for old, new in zip("abcdefghijkl", "bcdefghijklm", strict=True)
        ),
        "python-tag": f"source: !!python/object/apply:os.system ['touch {CANARY}']\n",
        "deep": "[" * 5000 + "]" * 5000,
        "wide": "source: [" + "1," * 3_000_000 + "1]\n",
        "a-list": "- 1\n- 2\n",
        "a-word": "hello",
        "nothing": "",
        "bytes": "\x00\x01\x02",
        "numbers-of-many-digits": f"source: {'9' * 6000}\ndata: 1\nxrd: 1\nbuild: 1\npaths: 1\n",
        "null-groups": "source: null\ndata: null\nxrd: null\nbuild: null\npaths: null\n",
        "scalars": "source: 1\ndata: 2\nxrd: 3\nbuild: 4\npaths: 5\n",
    }
    for name, text in texts.items():
        (stranger(folder, shared, f"config-{name}") / "config.yaml").write_text(text)
        yield evaluate(f"config-{name}")
    metrics = {"deep": "[" * 90000, "list": "[]", "numbers": '{"data_hash": 1, "model": 2, "data": 3, "n_test": "x"}',
               "digits": f'{{"n_test": {"9" * 9999}}}', "latin": '"\xfc"', "nothing": ""}  # fmt: skip
    for name, text in metrics.items():
        (stranger(folder, shared, f"metrics-{name}") / "metrics.json").write_bytes(text.encode("latin-1"))
        yield evaluate(f"metrics-{name}")
    for file in ("config.yaml", "metrics.json", "checkpoints/best.ckpt"):
        for what in ("/dev/zero", "/proc/self/mem", "a-fifo"):
            name = f"{Path(file).stem}-is-{Path(what).name}"
            target = stranger(folder, shared, name) / file
            target.unlink()
            if what == "a-fifo":
                os.mkfifo(target)
            else:
                target.symlink_to(what)
            yield evaluate(name)


@kind("settings that a resume would replay (train resume=)")
def replayed(folder: Path, shared: Path) -> Iterator[Attempt]:
    leave_module(folder)
    (folder / "evil.yaml").write_text(f"_target_: {MODULE}.Net\n")
    settings: dict[str, list[Any]] = {
        "class-of-theirs": [f"model._target_={MODULE}.Net"],
        "popen-as-source": ["source._target_=subprocess.Popen", "+source.args=[touch,canary.txt]"],
        "popen-as-callback": ["+callbacks.x={_target_:subprocess.Popen,args:[touch,canary.txt]}"],
        "popen-as-logger": ["logger.csv._target_=subprocess.Popen", "+logger.csv.args=[touch,canary.txt]"],
        "popen-as-optimizer": ["optimizer._target_=subprocess.Popen"],
        "popen-in-the-loss": ["loss=multiscale", "loss.base={_target_:subprocess.Popen,args:[touch,canary.txt]}"],
        "hydra-callback": ["+hydra.callbacks.x={_target_:subprocess.Popen,args:[touch,canary.txt]}"],
        "hydra-folder": ["hydra.run.dir=/tmp/elsewhere"],
        "hydra-launcher": ["hydra/launcher=joblib"],
        "hydra-searchpath": ["hydra.searchpath=[file://.]", "model=evil"],
        "hydra-as-package": ["+source@hydra.callbacks.x=files"],
        "environment": ["data.name=${oc.env:AWS_SECRET}"],
        "environment-in-a-key": ["+data.x={${oc.env:AWS_SECRET}:1}"],
        "file-outside": [f"model=../../..{folder}/evil"],
        "file-outside-in-a-list": [f"logger=[csv,../../..{folder}/evil]"],
        "file-outside-absolute": [f"model={folder}/evil"],
        "key-to-a-server": ["source=materials_project", f"source.endpoint={NOWHERE}", "source.attempts=1"],
        "optimade-of-theirs": ["source=optimade", f"source.provider={NOWHERE}", "source.attempts=1"],
        "told-to-ask": ["source=optimade", f"source.provider={NOWHERE}", "++source.offline=false"],
        "dask-of-theirs": [
            "build.backend=dask", "build.scheduler=tcp://127.0.0.1:9", "data.selection.stoichiometry=A2B3",
        ],
        "wandb-of-theirs": ["logger=wandb", f"+logger.wandb.settings.base_url={NOWHERE}"],
        "trust": ["trust=[subprocess.Popen]", "source._target_=subprocess.Popen"],
        "devices": ["trainer.strategy=deepspeed"],
        "plugins": ["+trainer.plugins=[{_target_:subprocess.Popen}]"],
        "not-text": [{"a": 1}],
        "a-number": [3],
        "a-sweep": ["seed=1,2"],
        "no-setting": ["hello there"],
        "deletion": ["~model"],
    }  # fmt: skip
    for name, more in settings.items():
        with_overrides(stranger(folder, shared, name, STOPPED), *more)
        yield resume(name)
    for name, text in {
        "a-word": "hello",
        "nothing": "",
        "deep": "[" * 5000,
        "a-map": "a: 1",
        "tag": "!!python/name:os.system",
    }.items():
        (stranger(folder, shared, f"text-{name}", STOPPED) / "overrides.yaml").write_text(text)
        yield resume(f"text-{name}")


@kind("checkpoints in a run folder that name, or point to, what is not theirs (train resume=)")
def checkpoints_of_runs(folder: Path, shared: Path) -> Iterator[Attempt]:
    leave_module(folder)
    precious = folder / "precious.txt"

    def kept(_: Path) -> str:
        return "" if precious.exists() else "a file outside the run was deleted"

    precious.write_text("mine")
    run = stranger(folder, shared, "deletes", STOPPED)
    checkpoints = run / "checkpoints"
    content = torch.load(checkpoints / "last.ckpt", weights_only=True)
    for state in content["callbacks"].values():
        if "best_k_models" in state:
            bad = f"{checkpoints.absolute()}/../../precious.txt"
            worst = torch.tensor(9.0)
            state.update(
                dirpath=str(checkpoints.absolute()), best_k_models={bad: worst}, kth_best_model_path=bad,
                kth_value=worst, best_model_score=worst, best_model_path=bad,
            )  # fmt: skip
    torch.save(content, checkpoints / "last.ckpt")
    yield Attempt("deletes", ["train", "resume=deletes", "trainer.max_epochs=2"], check=kept)
    run = stranger(folder, shared, "best-names-a-class", STOPPED)
    for name in ("best", "last"):
        file = run / f"checkpoints/{name}.ckpt"
        content = torch.load(file, weights_only=True)
        content["hyper_parameters"]["net"] = {"_target_": f"{MODULE}.Net"}
        torch.save(content, file)
    yield resume("best-names-a-class")
    for name, change in {"no-epoch": "epoch", "no-loops": "loops", "no-optimizer": "optimizer_states"}.items():
        file = stranger(folder, shared, name, STOPPED) / "checkpoints/last.ckpt"
        content = torch.load(file, weights_only=True)
        content[change] = "x"
        torch.save(content, file)
        yield resume(name)
    for name in ("other-weights", "list-of-weights"):
        file = stranger(folder, shared, name, STOPPED) / "checkpoints/last.ckpt"
        content = torch.load(file, weights_only=True)
        content["state_dict"] = [] if name.startswith("list") else {"net.x": torch.zeros(1)}
        torch.save(content, file)
        yield resume(name)
