from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from scipy.spatial import distance as scipy_distance
from torch import Tensor, nn

from deepxrd.errors import ConfigError
from deepxrd.losses import (
    CosineLoss,
    JSDLoss,
    MSELoss,
    MSLELoss,
    MultiscaleLoss,
    PearsonLoss,
    WassersteinLoss,
    negative_share,
)

_TOL = 1e-5
_BLUR_TOL = 1e-6  # the kernels of a blur are held in float32
_all = pytest.mark.parametrize("loss", [PearsonLoss(), CosineLoss(), MSELoss()])


def _batch(n: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    true = 100 * torch.rand(n, 1024, generator=generator) ** 20
    return 0.5 * true + 10 * torch.rand(n, 1024, generator=generator), true


@pytest.mark.parametrize(
    ("loss", "per_pattern"),
    [
        (PearsonLoss(), scipy_distance.correlation),
        (CosineLoss(), scipy_distance.cosine),
        (MSELoss(), lambda a, b: ((a - b) ** 2).mean()),
    ],
)
def test_a_loss_is_the_mean_of_the_distance_of_each_pattern(loss: nn.Module, per_pattern) -> None:  # noqa: ANN001
    predicted, true = _batch()
    pairs = zip(predicted.double().numpy(), true.double().numpy(), strict=True)
    value = loss(predicted, true)
    assert value.shape == ()
    assert float(value) == pytest.approx(np.mean([per_pattern(a, b) for a, b in pairs]), rel=_TOL)


@_all
def test_a_loss_is_zero_for_the_truth_and_falls_along_its_gradient(loss: nn.Module) -> None:
    predicted, true = _batch()
    assert float(loss(true, true)) == pytest.approx(0, abs=1e-6)
    predicted.requires_grad_()
    before = loss(predicted, true)
    before.backward()
    assert torch.isfinite(predicted.grad).all()
    step = 1e-3 * predicted.detach().norm() / predicted.grad.norm()
    assert loss(predicted.detach() - step * predicted.grad, true) < before


@_all
def test_a_loss_is_finite_for_a_network_that_puts_out_nothing(loss: nn.Module) -> None:
    _, true = _batch()
    predicted = torch.zeros_like(true, requires_grad=True)
    value = loss(predicted, true)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(predicted.grad).all()


@_all
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_loss_of_half_precision_output_is_in_single_precision(loss: nn.Module, dtype: torch.dtype) -> None:
    predicted, true = (x.to(dtype) for x in _batch())
    value = loss(predicted, true)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(predicted.double(), true.double())), rel=_TOL)


def test_what_each_loss_is_blind_to() -> None:
    predicted, true = (x.double() for x in _batch())
    pearson, cosine, mse = (loss(predicted, true).item() for loss in (PearsonLoss(), CosineLoss(), MSELoss()))
    scaled, lifted = 3 * predicted, predicted + 20
    assert PearsonLoss()(scaled, true).item() == pytest.approx(pearson, abs=1e-12)
    assert PearsonLoss()(lifted, true).item() == pytest.approx(pearson, abs=1e-12)
    assert CosineLoss()(scaled, true).item() == pytest.approx(cosine, abs=1e-12)
    assert CosineLoss()(lifted, true).item() > cosine + 1e-3
    assert MSELoss()(scaled, true).item() > mse + 1e-3


_new = [MSLELoss(), JSDLoss(), WassersteinLoss(), MultiscaleLoss(), MultiscaleLoss(base=MSELoss())]
_every = pytest.mark.parametrize(
    "loss", [*_new, PearsonLoss(), CosineLoss(), MSELoss()], ids=lambda loss: type(loss).__name__
)


def _half_negative_share(x: np.ndarray) -> float:
    return float(0.5 * abs(x[x < 0]).sum() / abs(x).sum())


def _jsd(a: np.ndarray, b: np.ndarray) -> float:
    return float(scipy_distance.jensenshannon(np.maximum(a, 0), b) ** 2) + _half_negative_share(a)


def _msle(a: np.ndarray, b: np.ndarray) -> float:
    return float(((np.sign(a) * np.log1p(np.abs(a)) - np.log1p(b)) ** 2).mean())


def _wasserstein_share(a: np.ndarray, b: np.ndarray) -> float:
    share = np.linspace(0, 1, len(a))
    return float(stats.wasserstein_distance(share, share, np.maximum(a, 0), b)) + _half_negative_share(a)


def _multiscale(a: np.ndarray, b: np.ndarray) -> float:
    """Blurs by scipy, whose kernel is cut and renormalised by hand where it reaches over an end."""
    inside = np.ones(len(a))
    distances = [scipy_distance.correlation(a, b)]
    for sigma_deg in (4, 2, 1):
        sigma = sigma_deg / (180 / 1023)
        x, y, weight = (ndimage.gaussian_filter1d(z, sigma, mode="constant", truncate=12) for z in (a, b, inside))
        distances.append(scipy_distance.correlation(x / weight, y / weight))
    return float(np.mean(distances))


@pytest.mark.parametrize(
    ("loss", "per_pattern"),
    [
        (MSLELoss(), _msle),
        (JSDLoss(), _jsd),
        (WassersteinLoss(), _wasserstein_share),
        (MultiscaleLoss(), _multiscale),
    ],
)
def test_a_loss_is_that_of_scipy_also_where_the_output_is_negative(
    loss: nn.Module, per_pattern: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    predicted, true = _batch()
    predicted = predicted - 8
    pairs = zip(predicted.double().numpy(), true.double().numpy(), strict=True)
    expected = np.mean([per_pattern(a, b) for a, b in pairs])
    assert float(loss(predicted, true)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(predicted.double(), true.double())) == pytest.approx(expected, rel=_BLUR_TOL)


def _pattern(kind: str) -> Tensor:
    _, true = _batch(2)
    one = torch.zeros(2, 1024)
    one[:, 300] = 100
    made = {"zero": 0 * true, "constant": 0 * true + 33.3, "negative": 0 * true - 5, "one peak": one, "some": true}
    return made[kind].clone()


@_every
@pytest.mark.parametrize("kind", ["zero", "constant", "negative", "one peak", "some"])
@pytest.mark.parametrize("true_kind", ["zero", "constant", "one peak", "some"])
def test_losses_and_slopes_are_finite_for_patterns_without_shape(loss: nn.Module, kind: str, true_kind: str) -> None:
    predicted = _pattern(kind).requires_grad_()
    value = loss(predicted, _pattern(true_kind))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(predicted.grad).all()


@_every
def test_a_negative_output_has_a_slope(loss: nn.Module) -> None:
    """Below zero a clamped output would be stuck: all values are drawn under zero and must all be able to move."""
    _, true = _batch()
    predicted = -1 - 5 * torch.rand(true.shape, generator=torch.Generator().manual_seed(1))
    predicted.requires_grad_()
    loss(predicted, true).backward()
    share_that_moves = (predicted.grad != 0).float().mean()
    assert share_that_moves > 0.99


@pytest.mark.parametrize(
    "loss",
    [
        MSLELoss(),
        JSDLoss(),
        WassersteinLoss(),
        MultiscaleLoss(n_points=256),
        MultiscaleLoss(n_points=256, base=MSELoss()),
    ],
)
@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_a_loss_leads_from_a_fresh_networks_output_to_the_truth(loss: nn.Module, offset: float) -> None:
    points = torch.arange(256.0)
    places = torch.tensor([[60, 120, 135], [30, 90, 220]])
    true = (100 * torch.exp(-0.5 * ((points - places[..., None]) / 3) ** 2)).sum(dim=1)
    predicted = (torch.randn(2, 256, generator=torch.Generator().manual_seed(2)) + offset).requires_grad_()
    optimizer = torch.optim.Adam([predicted], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    losses = []
    for _ in range(300):
        optimizer.zero_grad()
        value = loss(predicted, true)
        value.backward()
        optimizer.step()
        schedule.step()
        losses.append(value.item())
    assert losses[-1] < 0.1 * losses[0]


@_every
def test_a_loss_under_autocast_is_as_without(loss: nn.Module) -> None:
    predicted, true = _batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(predicted, true)
    assert inside.dtype == torch.float32
    assert float(inside) == pytest.approx(float(loss(predicted, true)), rel=1e-6)


@pytest.mark.parametrize("loss", _new, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_new_loss_of_half_precision_output_is_in_single_precision(loss: nn.Module, dtype: torch.dtype) -> None:
    predicted, true = (x.to(dtype) for x in _batch())
    value = loss(predicted, true)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(predicted.double(), true.double())), rel=1e-4)


@pytest.mark.parametrize(
    "loss", [MSLELoss(), JSDLoss(), WassersteinLoss(), MultiscaleLoss(n_points=9, sigmas_deg=(40, 20, 0))]
)
def test_slopes_are_those_of_finite_differences(loss: nn.Module) -> None:
    rng = np.random.default_rng(3)
    true = torch.from_numpy(rng.random((2, 9)))
    predicted = torch.from_numpy(rng.random((2, 9))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, true), predicted)
    if isinstance(loss, MSLELoss | MultiscaleLoss):  # the others hold the sum in the negative share constant
        assert torch.autograd.gradcheck(lambda x: loss(x, true), (predicted - 0.5).detach().requires_grad_())


@pytest.mark.parametrize("loss", [MultiscaleLoss(), WassersteinLoss()])
def test_smooth_losses_know_a_small_shift_from_a_large_one_and_pearson_does_not(loss: nn.Module) -> None:
    points = torch.arange(1024.0)

    def peak(place: float) -> Tensor:
        return (100 * torch.exp(-0.5 * ((points - place) / 3) ** 2))[None]

    values = [float(loss(peak(500 + shift), peak(500))) for shift in (0, 4, 8, 16, 32)]
    assert (np.diff(values) > 0.01 * values[-1]).all()
    far = [float(PearsonLoss()(peak(500 + shift), peak(500))) for shift in (24, 32)]
    assert far[1] - far[0] < 1e-3


def test_shapes_of_patterns_alone_matter_to_distribution_losses() -> None:
    predicted, true = (x.double() for x in _batch())
    for loss in (JSDLoss(), WassersteinLoss()):
        assert float(loss(3 * predicted, 0.1 * true)) == pytest.approx(float(loss(predicted, true)), rel=1e-9)


def test_negative_values_cost_half_their_share_and_are_pulled_up_even_if_there_is_nothing_else() -> None:
    _, true = _batch(1)
    half = torch.cat([true, true], dim=-1)
    signed = torch.cat([true, -true], dim=-1)
    assert negative_share(signed).item() == pytest.approx(0.5)
    for loss in (JSDLoss(), WassersteinLoss()):
        added = loss(signed, half) - loss(signed.clamp_min(0), half)
        assert added.item() == pytest.approx(0.25, rel=1e-4)
        all_negative = torch.full((1, 1024), -7.0, requires_grad=True)
        loss(all_negative, true).backward()
        assert (all_negative.grad < 0).all()


def test_a_multiscale_loss_is_the_weighted_mean_over_its_widths() -> None:
    predicted, true = _batch()
    alone = [MultiscaleLoss(sigmas_deg=(sigma,))(predicted, true).item() for sigma in (3.0, 0.0)]
    both = MultiscaleLoss(sigmas_deg=(3.0, 0.0), weights=(3, 1))
    assert both(predicted, true).item() == pytest.approx(0.75 * alone[0] + 0.25 * alone[1], rel=1e-5)
    assert alone[1] == pytest.approx(PearsonLoss()(predicted, true).item(), rel=1e-6)
    assert not both.state_dict(), "what follows from the settings is not stored with the weights"


def test_widths_in_degrees_are_those_of_the_grid() -> None:
    spike = torch.zeros(1, 801)
    spike[0, 400] = 1
    lab = MultiscaleLoss(n_points=801, two_theta_min_deg=10, two_theta_max_deg=90, sigmas_deg=(2.0,))
    blurred = (spike @ lab.kernels[0])[0].double()
    place = torch.linspace(10, 90, 801, dtype=torch.float64)
    mean = (blurred * place).sum()
    assert float(mean) == pytest.approx(50, abs=1e-4)
    assert float((blurred * (place - mean) ** 2).sum().sqrt()) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"sigmas_deg": ()},
        {"sigmas_deg": (1.0, 2.0)},
        {"sigmas_deg": (2.0, -1.0)},
        {"sigmas_deg": (2.0, 1.0), "weights": (1.0,)},
        {"sigmas_deg": (2.0, 1.0), "weights": (0.0, 0.0)},
        {"base": {"_target_": "torch.nn.Linear"}},
    ],
)
def test_a_multiscale_loss_refuses_settings_that_mean_nothing(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MultiscaleLoss(**settings)


def test_a_multiscale_loss_names_the_length_that_it_was_not_made_for() -> None:
    with pytest.raises(ConfigError, match="1024 points, not 1000"):
        MultiscaleLoss()(torch.zeros(2, 1000), torch.zeros(2, 1000))
