"""Sound files, made once, for kinds of attempts to make unsound ones from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trying import Server

ANIONS = ((0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))
STRUCTURES = "perovskites.jsonl"
RUN, STOPPED, WEIGHTS, SCREENED, TABLE = "run", "stopped", "weights", "screened", "formulas.csv"
SMALL = [
    "data=abc3", "source=files", "data.split.seed=3", "data.batch_size=8", "model.depth=10", "trainer.max_epochs=1",
    "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.enable_progress_bar=false", "build.n_jobs=1",
]  # fmt: skip
"""Settings of a run that takes seconds."""


def perovskite(a: str, b: str, x: str, edge: float) -> dict[str, Any]:
    """A cubic perovskite as pymatgen writes a structure."""
    sites = [(a, (0.0, 0.0, 0.0)), (b, (0.5, 0.5, 0.5)), *((x, place) for place in ANIONS)]
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": [[edge, 0, 0], [0, edge, 0], [0, 0, edge]]},
        "sites": [{"species": [{"element": symbol, "occu": 1}], "abc": list(place)} for symbol, place in sites],
    }


def perovskites() -> list[dict[str, Any]]:
    """36 entries of a JSON Lines source."""
    entries = []
    for i, a in enumerate(("Ca", "Sr", "Ba", "Eu")):
        for j, b in enumerate(("Ti", "Zr", "Hf")):
            for k, x in enumerate(("O", "S", "F")):
                structure = perovskite(a, b, x, 3.8 + 0.07 * i + 0.11 * j + 0.53 * k)
                entries.append({"material_id": f"test-{len(entries)}", "structure": structure})
    return entries


def make_shared(shared: Path, running: Server) -> Path:
    """Make a run, its store, one that was stopped, a weight folder and a screening."""
    (shared / STRUCTURES).write_text("".join(json.dumps(entry) + "\n" for entry in perovskites()))
    (shared / TABLE).write_text("formula\nSrTiO3\nBaZrO3\nCaHfS3\nEuTiF3\n")
    source = f"source.path={shared / STRUCTURES}"
    paths = f"paths.data_dir={shared / 'data'}"
    _do(running, shared, ["train", *SMALL, source, paths, f"hydra.run.dir={RUN}"])
    shutil.copytree(shared / RUN, shared / STOPPED)
    (shared / STOPPED / "metrics.json").unlink()
    checkpoint = f"{RUN}/checkpoints/best.ckpt"
    _do(running, shared, ["predict", "--file", TABLE, "--checkpoint", checkpoint, "--out", SCREENED, "--jobs", "1"])
    _make_weights(shared)
    return shared


def _make_weights(shared: Path) -> None:
    import numpy as np
    import torch

    from deepxrd.models.base import Reference
    from deepxrd.models.candidates import CandidateModel, CandidateNet
    from deepxrd.models.candidates.candidates import MOST_CHANGE, N_FEATURES
    from deepxrd.models.candidates.folded import N_FOLDS, FoldedTrees
    from deepxrd.models.candidates.group_head import GroupHead
    from deepxrd.models.candidates.group_net import N_NETS, GroupNet
    from deepxrd.models.candidates.lightgbm_text import read_trees
    from deepxrd.models.candidates.saved import save
    from deepxrd.sources import FilesSource, StructureRecord
    from deepxrd.xrd import XrdSettings, simulate

    xrd = XrdSettings()
    crystals = [each.crystal for each in FilesSource(shared / STRUCTURES) if isinstance(each, StructureRecord)]
    reference = Reference([each.formula for each in crystals], crystals, simulate(crystals, xrd)[0], xrd)
    model = CandidateModel.prepare(reference)
    torch.manual_seed(0)
    nets = [CandidateNet(N_FEATURES, xrd.two_theta_deg) for _ in range(2)]  # what they say is no matter
    # too few structures to learn a tree from, so that each fold gets one that was learned elsewhere
    volumes = FoldedTrees((read_trees(LIGHTGBM),) * N_FOLDS, MOST_CHANGE)
    model = replace(model, maker=replace(model.maker, volumes=volumes))
    group_nets = tuple(GroupNet.for_compositions(list(reference.rows_of)) for _ in range(N_NETS))
    head = GroupHead(group_nets, FoldedTrees((read_trees(LIGHTGBM),) * N_FOLDS, 30.0), np.ones(4))
    save(replace(model, head=head).with_networks(nets), shared / WEIGHTS)


def _do(running: Server, folder: Path, arguments: list[str]) -> None:
    done = running.run(folder, arguments, {"COLUMNS": "300"}, time_s=240)
    assert done["code"] == 0, done


LIGHTGBM = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=55
objective=regression_l1

Tree=0
num_leaves=3
num_cat=0
split_feature=20 1
split_gain=1 1
threshold=0.001 0.5
decision_type=2 2
left_child=1 -1
right_child=-2 -3
leaf_value=0.01 -0.02 0.03
leaf_weight=1 1 1
leaf_count=1 1 1
is_linear=0
shrinkage=1


end of trees
"""
"""What LightGBM wrote of one small tree, shortened."""
