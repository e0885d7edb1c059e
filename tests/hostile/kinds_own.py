"""A researcher's own network, in one's own runs: refused until its name is typed, and then used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from attempts import DONE, Attempt, kind
from making import SMALL, STRUCTURES

NET = "mine.Net"
CODE = "from deepxrd.models.paper import DeepXRDNet\nclass Net(DeepXRDNet):\n    pass\n"


@kind("runs and checkpoints with a class of one's own, trusted by name or not")
def own_classes(folder: Path, shared: Path) -> Iterator[Attempt]:
    (folder / "mine.py").write_text(CODE)
    source = f"source.path={shared / STRUCTURES}"
    paths = f"paths.data_dir={shared / 'data'}"
    own = f"model._target_={NET}"
    yield Attempt("train", ["train", *SMALL, source, paths, own, "hydra.run.dir=own"], code=DONE)
    predict = ["predict", "SrTiO3", "--checkpoint", "own/checkpoints/best.ckpt"]
    yield Attempt("predict", predict, says=f"--trust {NET}")
    yield Attempt("predict-trusted", [*predict, "--trust", NET], code=DONE)
    yield Attempt("predict-trusting-another", [*predict, "--trust", "mine.Other"], says=f"--trust {NET}")
    quick = ["evaluate.baselines=false", "evaluate.cases=false", "evaluate.table2=false", "evaluate.n_resamples=50"]
    yield Attempt("evaluate", ["evaluate", "run=own", *quick], says=f"trust=[{NET}]")
    yield Attempt("evaluate-trusted", ["evaluate", "run=own", *quick, f"trust=[{NET}]"], code=DONE)
    for name in ("resume", "resume-trusted", "resume-typed"):
        shutil.copytree(folder / "own", folder / name)
        (folder / name / "metrics.json").unlink()
    yield Attempt("resume", ["train", "resume=resume"], says=f"trust=[{NET}]")
    yield Attempt("resume-trusted", ["train", "resume=resume-trusted", f"trust=[{NET}]"], code=DONE)
    yield Attempt("resume-typed", ["train", "resume=resume-typed", own], code=DONE)
