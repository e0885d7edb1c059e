"""Recorded steps give what the network itself gives, and leave it as it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deepxrd.errors import ConfigError
from deepxrd.models.paper import DeepXRDNet, channels_last
from deepxrd.training.callbacks import CompileNetwork
from deepxrd.training.cuda_graphs import CudaGraphs, recorded
from deepxrd.training.run import fit_and_test

Compose = Callable[..., dict[str, Any]]


class Recorder:
    """What stands for torch's recorder on a CPU: it runs the network a few times, then replaces its forward."""

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.replayed: list[int] = []

    def __call__(self, net: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        plain = net.forward
        for _ in range(3):
            plain(*arguments)
        self.recorded.append(len(arguments[0]))

        def replay(x: Tensor) -> Any:
            self.replayed.append(len(x))
            return plain(x)

        net.forward = replay


def test_two_shapes_are_recorded_and_all_else_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", recorder)
    monkeypatch.setattr(torch.random, "fork_rng", lambda _: contextlib.nullcontext())
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train()
    same = copy.deepcopy(net)
    net.forward = recorded(net)
    for n in (4, 4, 3, 5, 4, 3):
        x = torch.rand(n, 1, 2, 2)
        assert torch.equal(net(x), same(x)), n
    assert recorder.recorded == [4, 3]
    assert recorder.replayed == [4, 4, 3, 4, 3]  # the third shape is not among them
    for ours, theirs in zip(net.buffers(), same.buffers(), strict=True):
        assert torch.equal(ours, theirs)  # what recording moved was put back
    with torch.no_grad():
        net(torch.rand(4, 1, 2, 2))
    net.eval()(torch.rand(4, 1, 2, 2))
    assert recorder.replayed == [4, 4, 3, 4, 3]  # nothing is learned there


@pytest.mark.parametrize(
    ("trainer", "named"),
    [
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches=2"),
        ({"world_size": 2}, "devices=2"),
        ({"callbacks": [CompileNetwork()]}, "CompileNetwork"),
    ],
)
def test_what_a_graph_would_get_wrong_is_refused(trainer: dict[str, Any], named: str) -> None:
    usual = {"accumulate_grad_batches": 1, "world_size": 1, "callbacks": []}
    module = SimpleNamespace(device=torch.device("cuda"), net=nn.Linear(1, 1))
    with pytest.raises(ConfigError, match=f"{named}: leave out one"):
        CudaGraphs().on_train_start(SimpleNamespace(**{**usual, **trainer}), module)
    CudaGraphs().on_train_start(SimpleNamespace(**usual), module)
    assert "forward" in vars(module.net)
    CudaGraphs().on_train_end(SimpleNamespace(**usual), module)
    assert "forward" not in vars(module.net)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a training would not be on the CPU")
def test_on_a_cpu_a_training_is_the_same_without(composed: Compose, tmp_path: Path) -> None:
    scores = [
        fit_and_test(composed("trainer.max_epochs=1", *extra), tmp_path / str(i)).metrics["test"]
        for i, extra in enumerate(([], ["callbacks=cuda_graphs"]))
    ]
    assert scores[0] == scores[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_the_network_learns_the_same_to_the_last_bit() -> None:
    torch.manual_seed(0)
    plain = channels_last(DeepXRDNet(depth=10)).cuda().train()
    graphed = copy.deepcopy(plain)
    graphed.forward = recorded(graphed)
    losses = []
    for net in (plain, graphed):
        torch.manual_seed(1)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
        for n in (16, 16, 5, 16, 5, 9):
            x, y = (torch.rand(n, 1, 84, 10) > 0.99).float().cuda(), torch.rand(n, 1024).cuda()
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = (net(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
    assert losses[:6] == losses[6:]
