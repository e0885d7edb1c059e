"""What ``import deepxrd`` offers, used as a researcher would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import deepxrd
from deepxrd.chem import Crystal
from task_table import Record

GROUP = "From Python"


def test_parts_of_the_data_for_a_loop_of_ones_own(outside: Path, quick: list[str], record: Record) -> None:
    cfg = deepxrd.compose([*quick, "model=mine"], config_dir=outside / "myconf")
    parts = deepxrd.datasets(cfg)
    x, y = next(iter(DataLoader(parts["train"], batch_size=8, shuffle=True, num_workers=0)))
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((8, 1, 84, 10), (8, 1024), torch.float32, torch.float32)
    one, last = parts["test"][0], parts["test"][-1]
    batch = parts["test"][np.array([0, len(parts["test"]) - 1])]
    assert torch.equal(torch.stack([one[1], last[1]]), batch[1])
    assert torch.equal(one[0], torch.from_numpy(deepxrd.encode(parts["test"].compositions[:1])[0]).float())
    assert len(list(parts["val"])) == len(parts["val"])  # an index beyond the end ends an iteration
    record(GROUP, "map-style datasets, `deepxrd.datasets(cfg)`", works="x (8, 1, 84, 10), y (8, 1024)")


def test_settings_composed_changed_and_trained_with(
    outside: Path, quick: list[str], tmp_path: Path, record: Record
) -> None:
    cfg = deepxrd.compose([*quick, "model=mine"], config_dir=str(outside / "myconf"))
    cfg.loss = {"_target_": "deepxrd.losses.MSELoss"}
    result = deepxrd.fit_and_test(cfg, str(tmp_path / "run"))
    assert result.metrics["loss"] == "MSELoss"
    record(
        GROUP,
        "`deepxrd.fit_and_test(cfg, 'outputs/mine')`, `cfg` composed and changed",
        works=f"`loss`: {result.metrics['loss']}",
    )
    with pytest.raises(deepxrd.DeepXRDError, match="there is no such folder") as refused:
        deepxrd.compose([], config_dir="nowhere")
    record(GROUP, "`deepxrd.compose` with a folder that is not there", refused=f"error: {refused.value}")


def test_formulas_structures_and_scores(cscl: Crystal, record: Record) -> None:
    assert deepxrd.encode(["SrTiO3"]).shape == (1, 1, 84, 10)
    record(GROUP, '`deepxrd.encode(["SrTiO3"])`', works="(1, 1, 84, 10)")
    with pytest.raises(deepxrd.DeepXRDError, match="give") as refused:
        deepxrd.encode("SrTiO3")
    record(GROUP, '`deepxrd.encode("SrTiO3")`', refused=f"error: {refused.value}")
    patterns = deepxrd.simulate([cscl.to_pymatgen()])
    assert patterns.shape == (1, 1024)
    record(GROUP, "`deepxrd.simulate(structures)` of pymatgen's", works=f"{patterns.shape}")
    assert deepxrd.score(patterns, patterns)["peak_f1_2deg"].tolist() == [1.0]
    record(GROUP, "`deepxrd.score(predicted, true)`", works="an array per score, one value per pattern")
    with pytest.raises(deepxrd.DeepXRDError, match="highest point") as refused:
        deepxrd.score(patterns / 100, patterns / 100)
    record(GROUP, "`deepxrd.score` of patterns from 0 to 1", refused=f"error: {refused.value}")
