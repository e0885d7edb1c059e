"""A trained network for other programs: ONNX and TorchScript, each checked against torch before it is kept."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepxrd.chem import OneHotEncoding
from deepxrd.chem.encoding import Encoding
from deepxrd.errors import ConfigError, ResultError
from deepxrd.io.files import atomic_path
from deepxrd.io.quiet import loggers_from
from deepxrd.models.paper import SavedNetwork, load_network, to_patterns
from deepxrd.runs.names import BEST_CHECKPOINT, MODEL

FACTS = "deepxrd"
"""Name of the facts in an ONNX file; in TorchScript they are the file ``deepxrd.json`` inside."""
_MOST_DIFFERENCE = 0.01
"""Of 100, between the exported network and torch: float32 in another order of sums."""
_TRACED, _CHECKED = 2, 5
"""Sizes of the batches that a network is traced with, and checked with."""


class PatternNetwork(nn.Module):
    """What is exported: encoded formulas to patterns ``(batch, n_points)``, 0 to 100.

    The input is float32 ``(batch, *encoding.sample_shape)``, of one-hots ``(batch, 1, elements, counts)``.

    Args:
        net: a network whose output has no fixed unit.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return to_patterns(self.net(x))


def export_network(run: Path, out: Path, *, trust: Collection[str] = ()) -> float:
    """Write the network of a run as ``*.onnx`` or, as TorchScript, ``*.pt``.

    Args:
        run: the run's folder, or a checkpoint.
        out: the file; its ending says which format.
        trust: full names of classes of networks that are not ours and that the checkpoint may name.

    Returns:
        The largest difference to torch's own patterns, of 100.

    Raises:
        ConfigError: there is no such format, a package for it is missing, or the run has no single network.
        CheckpointError: nothing that can be loaded.
        ResultError: the exported network gives other patterns than torch.
    """
    writers: dict[str, Callable[[PatternNetwork, Tensor, str, Path], None]] = {".onnx": _onnx, ".pt": _torchscript}
    readers = {".onnx": _run_onnx, ".pt": _run_torchscript}
    if out.suffix not in writers:
        msg = f"--out {out}: the ending says the format: .onnx, or .pt for TorchScript"
        raise ConfigError(msg)
    saved = load_network(_checkpoint(run), trust=trust)
    network = PatternNetwork(saved.net).eval().requires_grad_(requires_grad=False)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(_inputs(saved.encoding, rng))
    with torch.no_grad(), atomic_path(out) as temporary:
        expected = network(inputs).numpy()
        with _without_advice():
            writers[out.suffix](network, inputs[:_TRACED], _facts(saved), temporary)
            found = readers[out.suffix](temporary, inputs)
        difference = float(np.abs(found - expected).max())
        if not difference <= _MOST_DIFFERENCE:
            msg = f"{out} was not written: its patterns are off by {difference:.3g} of 100 from torch's"
            raise ResultError(msg)
    return difference


def _checkpoint(run: Path) -> Path:
    if not run.is_dir():
        return run
    if (run / MODEL).is_dir() or not (run / BEST_CHECKPOINT).exists():
        msg = (
            f"{run} has no single network to export: give the folder of a run of model=paper or of a network of your "
            f"own, with {BEST_CHECKPOINT}, or a checkpoint (a candidate model is a library and several networks)"
        )
        raise ConfigError(msg)
    return run / BEST_CHECKPOINT


def _inputs(encoding: Encoding, rng: np.random.Generator) -> NDArray[np.float32]:
    """Made-up inputs to compare by: a count for each element, or numbers from 0 to 1 where there is no one-hot."""
    if not isinstance(encoding, OneHotEncoding):
        return rng.random((_CHECKED, *encoding.sample_shape), dtype=np.float32)
    n_elements, n_counts = encoding.shape
    one_hots: NDArray[np.float32] = np.eye(n_counts, dtype=np.float32)[
        rng.integers(0, n_counts, (_CHECKED, 1, n_elements))
    ]
    return one_hots


def _facts(saved: SavedNetwork) -> str:
    """What a reader needs to make the input and to read the output, as JSON."""
    if isinstance(saved.encoding, OneHotEncoding):
        made = "one-hot: [formula, 0, element, count] is 1 where the element has that count, else 0"
    else:
        made = f"float32 of shape (formulas, {', '.join(map(str, saved.encoding.sample_shape))}), made by the encoding"
    return json.dumps(
        {
            "input": made,
            "output": "pattern of the formula from 0 to 100, at two_theta_deg from xrd",
            "encoding": saved.encoding.to_dict(),
            "xrd": saved.xrd.to_dict(),
        }
    )


def _onnx(network: PatternNetwork, example: Tensor, facts: str, file: Path) -> None:
    with _extra_needed():
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["formula"],
            output_names=["pattern"],
            dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
        )
    model = program.model_proto  # type: ignore[union-attr]
    model.metadata_props.add(key=FACTS, value=facts)
    file.write_bytes(model.SerializeToString())


def _run_onnx(file: Path, x: Tensor) -> NDArray[np.float32]:
    with _extra_needed():
        from onnxruntime import InferenceSession
    session = InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (patterns,) = session.run(["pattern"], {"formula": x.numpy()})
    return np.asarray(patterns)


def _torchscript(network: PatternNetwork, example: Tensor, facts: str, file: Path) -> None:
    traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, file, _extra_files={f"{FACTS}.json": facts})


def _run_torchscript(file: Path, x: Tensor) -> NDArray[np.float32]:
    patterns: Tensor = torch.jit.load(file)(x)  # type: ignore[no-untyped-call]
    return patterns.numpy()


@contextlib.contextmanager
def _extra_needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        msg = (
            f"{error}: ONNX needs further packages, pip install 'deepxrd[export]'; TorchScript (--out net.pt) does not"
        )
        raise ConfigError(msg) from error


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Hide what exporters tell of themselves: sizes that are fixed are meant to be."""
    with loggers_from(logging.ERROR, "torch.onnx", "onnxscript", "onnx_ir"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
