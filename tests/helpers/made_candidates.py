"""Made-up structures and models of them, for the tests of the candidate model."""

from collections.abc import Sequence

import numpy as np
import torch

from deepxrd.chem import ATOMIC_NUMBERS, Crystal
from deepxrd.models.baselines import Reference
from deepxrd.models.candidates import CandidateModel, CandidateNet
from deepxrd.models.candidates.candidates import N_FEATURES
from deepxrd.xrd import XrdSettings, simulate

XRD = XrdSettings()


def perovskite(a: str, b: str, x: str, edge: float, *, stretch: float = 1.0) -> Crystal:
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in (a, b, x, x, x)])
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(edge * np.diag([1.0, 1.0, stretch]), numbers, coords, np.ones(5))


def two(a: str, b: str, edge: float) -> Crystal:
    """Like caesium chloride, where either element may be at the origin."""
    numbers = np.array([ATOMIC_NUMBERS[a], ATOMIC_NUMBERS[b]])
    return Crystal(edge * np.eye(3), numbers, np.array([[0.0] * 3, [0.5] * 3]), np.ones(2))


def crystals() -> list[Crystal]:
    """60 perovskites, every third of them stretched: two structure types; and five like caesium chloride."""
    made = []
    for i, a in enumerate(("Mg", "Ca", "Sr", "Ba", "Ra")):
        for j, b in enumerate(("Ti", "Zr", "Hf", "Ge")):
            for k, x in enumerate(("O", "S", "F")):
                edge = 3.8 + 0.07 * i + 0.11 * j + 0.53 * k
                made.append(perovskite(a, b, x, edge, stretch=1.1 if (i + j + k) % 3 == 0 else 1.0))
    return made + [two("Cs", x, 4.0 + 0.1 * i) for i, x in enumerate(("Cl", "Br", "I"))] + [
        two("Rb", x, 3.9 + 0.1 * i) for i, x in enumerate(("Cl", "Br"))
    ]  # fmt: skip


def reference_of(made: Sequence[Crystal]) -> Reference:
    return Reference([each.formula for each in made], made, simulate(made, XRD)[0], XRD)


def untrained(reference: Reference, *, seeds: Sequence[int] = (1,)) -> CandidateModel:
    """A model whose networks have learned nothing, but whose answers depend on everything that they see."""
    prepared, nets = CandidateModel.prepare(reference, seed=1), []
    for seed in seeds:
        torch.manual_seed(seed)
        net = CandidateNet(N_FEATURES, XRD.two_theta_deg)
        torch.nn.init.normal_(net.unet.out[2].weight, std=0.1)
        net.spread.fill_(3.0)
        nets.append(net)
    return prepared.with_networks(nets).rounded()  # as files hold them
