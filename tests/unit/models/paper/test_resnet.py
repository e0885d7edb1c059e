import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepxrd.errors import ConfigError
from deepxrd.metrics import pearson_distance
from deepxrd.models.paper import DeepXRDNet
from deepxrd.models.paper.blocks import ResidualBlock, SameConv2d

# Dong et al. 2022, Table 1: the input (height, width, channels) of each residual block and its filters. The two rows
# that contradict their neighbours are read so that the shapes hold (see shared/design/paper.md, section 3).
ENCODER = [
    ((84, 10, 32), 64, True),
    ((42, 5, 64), 64, False),
    ((42, 5, 64), 128, True),
    *[((21, 3, 128), 128, False)] * 5,
    ((21, 3, 128), 64, True),
    ((11, 2, 64), 64, False),
]
DECODER = [
    ((2, 2, 128), 128, True),
    ((2, 2, 128), 128, False),
    *[((4, 4, 128), 128, False)] * 2,
    *[((8, 8, 128), 128, False)] * 2,
    ((16, 16, 128), 64, True),
    ((16, 16, 64), 64, False),
    ((32, 32, 64), 64, True),
    ((32, 32, 64), 64, False),
]


def blocks_with_inputs(net: DeepXRDNet) -> list[tuple[tuple[int, int, int], int, bool]]:
    """Run the network once and note what each residual block was given."""
    seen: list[tuple[tuple[int, int, int], int, bool]] = []

    def note(block: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        _, channels, height, width = arguments[0].shape
        projects = not isinstance(block.shortcut, nn.Identity)
        seen.append(((height, width, channels), output.shape[1], projects))

    for module in net.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_hook(note)
    net.eval()(torch.zeros(1, 1, 84, 10))
    return seen


def test_every_block_has_the_shapes_of_table_1() -> None:
    assert blocks_with_inputs(DeepXRDNet(depth=20)) == ENCODER + DECODER


def test_the_ends_of_the_network_have_the_shapes_of_table_1() -> None:
    net = DeepXRDNet()
    assert (net.encoder[0].conv.in_channels, net.encoder[0].conv.out_channels) == (1, 32)
    assert net.encoder[0].conv.kernel_size == (3, 2)
    assert (net.dense.in_features, net.dense.out_features) == (1408, 128)
    assert net(torch.zeros(3, 1, 84, 10)).shape == (3, 1024)


@pytest.mark.parametrize(
    ("depth", "parameters_m", "gflop"), [(10, 1.45, 0.27), (15, 1.99, 0.45), (20, 2.98, 0.53), (25, 3.82, 0.61)]
)
def test_depth_is_the_number_of_residual_blocks_and_keeps_every_shape(
    depth: int, parameters_m: float, gflop: float
) -> None:
    net = DeepXRDNet(depth=depth)
    blocks = blocks_with_inputs(net)
    assert len(blocks) == depth
    # one block per change of shape, and beyond it only more or fewer identity blocks inside the stages
    assert [b for b in blocks if b[2]] == [b for b in ENCODER + DECODER if b[2]]
    assert {b for b in blocks if not b[2]} <= set(ENCODER + DECODER)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(parameters_m, abs=0.005)
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 84, 10))
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflop, abs=0.005)


def test_the_image_is_read_row_by_row() -> None:
    net = DeepXRDNet().eval()
    images: list[Tensor] = []
    net.decoder[-1].register_forward_hook(lambda _module, _inputs, output: images.append(output))
    pattern = net(torch.ones(1, 1, 84, 10))
    assert torch.equal(pattern[0, 32 * 5 + 7], images[0][0, 0, 5, 7])


def test_an_unknown_depth_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="depth 12: choose one of 10, 15, 20, 25"):
        DeepXRDNet(depth=12)


def test_norm_and_dropout_are_switches() -> None:
    plain = DeepXRDNet(norm=False)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())
    assert all(m.bias is not None for m in plain.modules() if isinstance(m, nn.Conv2d))
    assert any(isinstance(m, nn.BatchNorm2d) for m in DeepXRDNet().modules())
    dropping = DeepXRDNet(dropout=0.5).train()
    x = torch.ones(4, 1, 84, 10)
    assert not torch.equal(dropping(x), dropping(x))


@pytest.mark.parametrize(
    ("size", "stride", "expected"), [(10, 1, 10), (10, 2, 5), (5, 2, 3), (21, 2, 11), (3, 2, 2), (1, 1, 1)]
)
def test_convolutions_keep_or_halve_the_size(size: int, stride: int, expected: int) -> None:
    conv = SameConv2d(1, 1, stride=stride)
    assert conv(torch.zeros(1, 1, size, size)).shape[-2:] == (expected, expected)


def test_an_identity_shortcut_passes_its_input_through() -> None:
    block = ResidualBlock(4, 4, project=False, norm=False, dropout=0.0)
    for parameter in (*block.conv1.parameters(), *block.conv2.parameters()):
        nn.init.zeros_(parameter)
    x = torch.rand(2, 4, 5, 3)  # positive, so that PReLU passes it too
    assert torch.equal(block(x), x)


def test_the_network_overfits_eight_samples() -> None:
    torch.manual_seed(0)
    net = DeepXRDNet()
    x = torch.zeros(8, 1, 84, 10)
    y = torch.zeros(8, 1024)
    for sample in range(8):
        x[sample, 0, torch.randperm(84)[:3], torch.tensor([1, 1, 3])] = 1
        for centre in torch.randint(20, 1000, (12,)):
            y[sample] += 100 * torch.exp(-0.5 * ((torch.arange(1024) - centre) / 3.0) ** 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(60):
        loss = pearson_distance(net(x), y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
