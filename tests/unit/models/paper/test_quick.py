"""The cheaper layers against torch's own: the same numbers, forward and backward."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from deepxrd.metrics import pearson_distance
from deepxrd.models.paper import DeepXRDNet
from deepxrd.models.paper.quick import PaddedConv, PReLU

EXACT = {"rtol": 1e-10, "atol": 1e-10}  # float64: equal but for the order of sums


def gradients(y: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(7)
    return (y, *torch.autograd.grad(y, inputs, torch.randn_like(y)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_prelu_is_torchs(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 6, 5, 3, dtype=torch.float64).contiguous(memory_format=layout)
    x[0, 0, 0, 0] = 0.0  # the kink, where torch takes the slope of the negative side
    x.requires_grad_()
    ours, theirs = PReLU(6).double(), nn.PReLU(6).double()
    for layer in (ours, theirs):
        layer.weight.data = torch.linspace(-0.3, 1.4, 6, dtype=torch.float64)
    torch.testing.assert_close(gradients(ours(x), x, ours.weight), gradients(theirs(x), x, theirs.weight), **EXACT)
    assert ours(x).grad_fn.name() != theirs(x).grad_fn.name()


@pytest.mark.parametrize("padding", [(0, 1, 1, 1), (0, 0, 0, 0), (1, 0, 2, 0)])
@pytest.mark.parametrize(("n_in", "n_out"), [(3, 5), (128, 129), (1, 4)])  # both ways to a gradient of weights
@pytest.mark.parametrize("bias", [True, False])
def test_a_padded_convolution_is_torchs(padding: tuple[int, ...], n_in: int, n_out: int, *, bias: bool) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, n_in, 6, 4, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    conv = nn.Conv2d(n_in, n_out, (3, 2), bias=bias).double()
    inputs = (x, *conv.parameters())
    ours = gradients(PaddedConv.apply(x, conv.weight, conv.bias, padding), *inputs)
    torch.testing.assert_close(ours, gradients(conv(functional.pad(x, padding)), *inputs), **EXACT)


def test_the_keys_of_a_checkpoint_do_not_tell_which_layers_made_it() -> None:
    assert list(DeepXRDNet().state_dict()) == list(DeepXRDNet(quick=False).state_dict())


def loss_and_gradients(net: nn.Module, dtype: torch.dtype, *, autocast: bool) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(3)
    x = (torch.rand(6, 1, 84, 10) < 0.01).to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        raw = net.train()(x)
    loss = pearson_distance(raw.to(dtype), torch.rand(6, 1024, dtype=dtype)).mean()
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in net.named_parameters()}


@pytest.mark.parametrize("depth", [10, 20])
def test_the_quick_network_is_the_plain_one_in_float64(depth: int) -> None:
    torch.manual_seed(0)
    plain = DeepXRDNet(depth=depth, quick=False).double()
    quick = DeepXRDNet(depth=depth).double()
    quick.load_state_dict(plain.state_dict())
    torch.testing.assert_close(
        loss_and_gradients(quick, torch.float64, autocast=False),
        loss_and_gradients(plain, torch.float64, autocast=False),
        rtol=1e-8,  # of gradients that went through 20 batch norms of 6 samples
        atol=1e-10,
    )


def test_in_bfloat16_the_quick_network_is_as_near_to_float64_as_the_plain_one() -> None:
    torch.manual_seed(0)
    exact = DeepXRDNet(depth=10, quick=False)
    off = {}
    for quick in (True, False):
        net = DeepXRDNet(depth=10, quick=quick).to(memory_format=torch.channels_last)
        net.load_state_dict(exact.state_dict())
        off[quick] = loss_and_gradients(net, torch.float32, autocast=True)
    _, truth = loss_and_gradients(copy.deepcopy(exact).double(), torch.float64, autocast=False)

    def error(name: str, gradients: dict[str, Tensor]) -> float:
        return float((gradients[name].double() - truth[name]).norm() / truth[name].norm())

    weights = [name for name in truth if name.endswith("conv.weight")]
    ours, theirs = (sum(error(name, off[quick][1]) for name in weights) / len(weights) for quick in (True, False))
    assert ours < 1.1 * theirs
