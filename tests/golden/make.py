"""Run the golden commands with the code of a checkout, and keep their numbers beside this file.

    git worktree add ../before COMMIT
    python tests/golden/make.py --source ../before/src --commit COMMIT

The numbers of the training in the repository are those of commit 51bed85, before the modules were moved. Those of
predictions and of the screening are of 3f345ab, since when candidates are made from all known structures; made from
those learned from alone, they were the same as before. Those of the matching are of ff4d7dc, which weighs unusual
cells in every ranking. Make numbers anew only for a change that is meant, and say in the commit which (``--only
matched`` keeps the others).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from golden_runs import HERE, MEASURED, RUNS, processor

_STEP = 100  # patterns are kept as whole hundredths: a fifth of the tightest tolerance, and a third of float32's bytes


def main() -> None:
    """Run what is asked for and write a ``.json`` each, and a ``.npz`` with its patterns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="folder src of the checkout (default: the installed package)")
    parser.add_argument("--commit", required=True, help="its commit, for the record")
    parser.add_argument("--only", nargs="+", choices=[*RUNS], default=[*RUNS])
    options = parser.parse_args()
    if not MEASURED.exists():
        measure()
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            source = options.source.resolve() if options.source else None
            keep(name, {"commit": options.commit, "processor": processor(), **RUNS[name](Path(folder), source)})


def keep(name: str, found: dict[str, Any]) -> None:
    """Write what a run gave: arrays into ``NAME.npz``, the rest into ``NAME.json``."""
    arrays = {key: value for key, value in found.items() if isinstance(value, np.ndarray)}
    if arrays:
        whole = {key: np.rint(value * _STEP).astype(np.uint16) for key, value in arrays.items()}
        np.savez_compressed(HERE / f"{name}.npz", **whole)
    rest = {key: value for key, value in found.items() if key not in arrays}
    (HERE / f"{name}.json").write_text(json.dumps(rest, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(name: str) -> dict[str, Any]:
    """What a run gave when it was kept; patterns as float64, 0 to 100."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    if (HERE / f"{name}.npz").exists():
        with np.load(HERE / f"{name}.npz", allow_pickle=False) as arrays:
            found |= {key: arrays[key] / _STEP for key in arrays.files}
    return found


def measure() -> None:
    """Write SrTiO3 (cubic, a = 3.905 Å) as a diffractometer with Cu Kα would count it, without any code of deepxrd.

    Relative heights are those of the powder pattern of SrTiO3 (JCPDS 35-734).
    """
    lines = {
        (1, 0, 0): 12, (1, 1, 0): 100, (1, 1, 1): 30, (2, 0, 0): 50, (2, 1, 0): 3, (2, 1, 1): 40, (2, 2, 0): 25,
        (3, 0, 0): 1, (3, 1, 0): 15,
    }  # fmt: skip
    angle = np.arange(10, 90.01, 0.05)
    counts = 600 * np.exp(-(angle - 10) / 20) + 150
    for indices, height in lines.items():
        spacing = 3.905 / np.sqrt(np.square(indices).sum())
        centre = 2 * np.degrees(np.arcsin(1.54184 / 2 / spacing))
        counts += 80 * height * np.exp(-0.5 * ((angle - centre) / 0.08) ** 2)
    noisy = np.random.default_rng(0).poisson(counts)
    np.savetxt(MEASURED, np.column_stack([angle, noisy]), ["%.2f", "%d"], header="2theta counts")


if __name__ == "__main__":
    main()
