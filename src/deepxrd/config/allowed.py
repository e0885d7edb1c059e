"""Which classes a stored file may name: checkpoints, and what is kept in the folder of a run.

What a user types now may name any class, which is then checked against the base that its place asks for. What comes
out of a file may be a stranger's, so that nothing that it names is even imported unless it stands here, or the user
types its name, such as ``trust=[mypackage.MyNet]``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from deepxrd.errors import ConfigError

_MOVED = {
    "deepxrd.models.DeepXRDNet": "deepxrd.models.paper.DeepXRDNet",
    "deepxrd.models.resnet.DeepXRDNet": "deepxrd.models.paper.DeepXRDNet",
}
"""Names that classes had when older checkpoints and runs were made, and the names they have now."""

CSV_LOGGER = "pytorch_lightning.loggers.CSVLogger"
DOWNLOADING = frozenset(
    {"deepxrd.sources.materials_project.MaterialsProjectSource", "deepxrd.sources.optimade.OptimadeSource"}
)
"""Sources that open connections."""

_NAMES = {
    "deepxrd.sources.files": ["FilesSource"],
    "deepxrd.sources.prototypes": ["PrototypeSource"],
    "deepxrd.chem": ["OneHotEncoding"],
    "deepxrd.models.paper": ["DeepXRDNet"],
    "deepxrd.models.candidates": ["CandidateNet", "CandidateLoss"],
    "deepxrd.losses": [
        "PearsonLoss", "CosineLoss", "MSELoss", "MSLELoss", "JSDLoss", "WassersteinLoss", "MultiscaleLoss",
    ],
    "torch.optim": [
        "ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD",
    ],
    "torch.optim.lr_scheduler": [
        "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LinearLR",
        "MultiStepLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "StepLR",
    ],
    "pytorch_lightning.callbacks": ["EarlyStopping", "LearningRateMonitor"],
    "deepxrd.training.schedules": ["WarmUpCosine"],
    "deepxrd.training.callbacks": ["CompileNetwork", "MeanOfWeights"],
    "deepxrd.training.cuda_graphs": ["CudaGraphs"],
}  # fmt: skip
STORED = (
    frozenset(f"{module}.{name}" for module, names in _NAMES.items() for name in names) | DOWNLOADING | {CSV_LOGGER}
)
"""What a stored file may name: parts of ours and torch's that do nothing but compute, read files and write curves."""


def current_name(target: str) -> str:
    """The name that a class has now, from the one that it had when a checkpoint was made."""
    return _MOVED.get(target, target)


def names_in(values: Any) -> Iterator[str]:
    """The name of each class in a tree of plain values, by the name that it has now.

    Raises:
        ConfigError: a ``_target_`` is no text.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key == "_target_" and value is not None:
                yield _text(value)
            yield from names_in(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from names_in(value)


def logger_nodes(node: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The node of each logger by name, those set to null left out; older runs have a single one in place of names."""
    if not node:
        return {}
    if "_target_" in node:
        return {"logger": node}
    return {name: each for name, each in node.items() if each is not None}


def check_targets(values: Any, trusted: Collection[str], *, where: str) -> None:
    """Make sure that a stored tree of plain values names nothing but what stands on the list.

    Args:
        values: what was stored.
        trusted: further names, which the user has typed.
        where: the file, for the message.

    Raises:
        ConfigError: it names another class; nothing of it was imported.
    """
    allowed = STORED | {current_name(name) for name in trusted}
    others = list(dict.fromkeys(name for name in names_in(values) if name not in allowed))
    if others:
        words = (
            ("class", "is", "was", "it and its") if len(others) == 1 else ("classes", "are", "were", "them and their")
        )
        trust = f"trust=[{','.join(others)}] (deepxrd predict: {' '.join(f'--trust {name}' for name in others)})"
        msg = (
            f"{where} names the {words[0]} {', '.join(map(repr, others))}, which {words[1]} none that a stored file "
            f"may name, and {words[2]} not imported: if you know {words[3]} author, say so by {trust}"
        )
        raise ConfigError(msg)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"_target_ must be the full name of a class, not {str(value)[:80]!r}"
        raise ConfigError(msg)
    return current_name(value)
