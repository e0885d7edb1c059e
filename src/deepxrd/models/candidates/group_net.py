"""Small networks that say space groups from the composition alone; what candidates say is weighed against them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepxrd.chem import ATOMIC_NUMBERS, SYMBOLS, Formula
from deepxrd.models.candidates.cells import descriptors
from deepxrd.models.candidates.templates import WIDTH

Floats = NDArray[np.float32]
Index = NDArray[np.int64]

N_GROUPS = 230
N_NETS = 3
"""Each is learned without a third of the compositions, so that what is said of these is honest."""
_STOICHIOMETRIES = 300
_SLOTS, _PROPERTIES = 7, 6
_N_INPUTS = 1 + len(SYMBOLS) + _SLOTS * (_PROPERTIES + 2) + 4 * _PROPERTIES + _STOICHIOMETRIES + 6
_HIDDEN, _DROPPED = 384, 0.25
_LAYERS = (0, 3, 6)  # places of what has weights
_LARGEST = 1e4  # far beyond what is learned, and far from what overflows


def net_of(formulas: Sequence[Formula]) -> Index:
    """The network that is learned without each composition, ``(n,)``; it depends on the composition alone."""
    return np.array([zlib.crc32(each.reduced.encode()) // 7 % N_NETS for each in formulas], dtype=np.int64)


class GroupNet(nn.Module):
    """Logits of the 230 space groups from a composition.

    Args:
        stoichiometries: those that have an input of their own: ascending numbers of atoms, ``(300, WIDTH)``; zeros
            stand for none.
    """

    stoichiometries: Tensor

    def __init__(self, stoichiometries: Floats) -> None:
        super().__init__()
        self.register_buffer("stoichiometries", torch.from_numpy(stoichiometries.astype(np.float32)))
        self.layers = nn.Sequential(
            nn.Linear(_N_INPUTS, _HIDDEN), nn.SiLU(), nn.Dropout(_DROPPED),
            nn.Linear(_HIDDEN, _HIDDEN), nn.SiLU(), nn.Dropout(_DROPPED),
            nn.Linear(_HIDDEN, N_GROUPS),
        )  # fmt: skip

    @classmethod
    def for_compositions(cls, formulas: Sequence[Formula]) -> Self:
        """A network that has not learned yet, with inputs for the commonest stoichiometries of some compositions."""
        counted = Counter(tuple(sorted(n for _, n in each.counts)[:WIDTH]) for each in formulas)
        table = np.zeros((_STOICHIOMETRIES, WIDTH), dtype=np.float32)
        for row, (counts, _) in enumerate(counted.most_common(_STOICHIOMETRIES)):
            table[row, : len(counts)] = counts
        return cls(table)

    def inputs(self, formulas: Sequence[Formula]) -> Tensor:
        """What the network sees of compositions, ``(n, n_inputs)``."""
        return torch.from_numpy(_inputs(formulas, self.stoichiometries.numpy()))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of space groups 1 to 230, ``(n, 230)``."""
        out: Tensor = self.layers(inputs)
        return out

    @classmethod
    def with_weights(cls, weights: Mapping[str, NDArray[Any]]) -> Self:
        """A network with the arrays of its `state_dict`, which may be a stranger's.

        Raises:
            ValueError: they do not fit, or are no numbers that keep the answers finite.
        """
        sizes: dict[str, tuple[int, ...]] = {"stoichiometries": (_STOICHIOMETRIES, WIDTH)}
        for place, n_in, n_out in zip(
            _LAYERS, (_N_INPUTS, _HIDDEN, _HIDDEN), (_HIDDEN, _HIDDEN, N_GROUPS), strict=True
        ):
            sizes |= {f"layers.{place}.weight": (n_out, n_in), f"layers.{place}.bias": (n_out,)}
        found = {}
        for name, shape in sizes.items():
            values = weights[name]
            if values.dtype.kind != "f" or values.shape != shape or not (np.abs(values) <= _LARGEST).all():
                msg = f"{name} of its networks for space groups must be {shape} finite numbers up to {_LARGEST:g}"
                raise ValueError(msg)
            found[name] = torch.from_numpy(values.astype(np.float32))
        made = cls(found["stoichiometries"].numpy())
        made.load_state_dict(found)
        return made.eval()


def group_shares(nets: Sequence[GroupNet], formulas: Sequence[Formula], learned: NDArray[np.bool_]) -> Floats:
    """Probabilities of space groups as the networks give them, ``(n, 230)``.

    Args:
        nets: `N_NETS` of them.
        formulas: n compositions.
        learned: whether the networks have learned from each, ``(n,)``; then the one that has not is asked alone.
    """
    own, out = net_of(formulas), np.zeros((len(formulas), N_GROUPS), dtype=np.float32)
    with torch.no_grad():
        for place, net in enumerate(nets):
            said = torch.softmax(net.eval()(net.inputs(formulas)), dim=1).numpy()
            part = np.where(learned, own == place, 1 / len(nets))
            out += part[:, None].astype(np.float32) * said
    return out


def _inputs(formulas: Sequence[Formula], stoichiometries: Floats) -> Floats:
    """Shares of the elements; properties of each in order of its count; their mean, scatter, ends; stoichiometry."""
    elements, counts = _slots(formulas)
    there = elements > 0
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    table = descriptors()
    scaled = (table - table[1:100].mean(axis=0)) / (table[1:100].std(axis=0) + 1e-6)
    each = scaled[elements] * there[..., None]
    mean = (share[..., None] * each).sum(axis=1)
    scatter = np.sqrt((share[..., None] * (each - mean[:, None]) ** 2).sum(axis=1))
    ends = [np.where(there[..., None], each, sign * np.inf) for sign in (1, -1)]
    of_slots = np.concatenate([each, share[..., None], np.log(counts + 0.1)[..., None] * there[..., None]], axis=2)
    shares = np.zeros((len(formulas), 1 + len(SYMBOLS)))
    np.add.at(shares, (np.arange(len(formulas))[:, None], elements), share)
    place = {tuple(row[row > 0].astype(int).tolist()): n for n, row in enumerate(stoichiometries) if row.any()}
    kind = np.array([place.get(tuple(row[row > 0].tolist()), -1) for row in counts], dtype=np.int64)
    one_hot = np.eye(_STOICHIOMETRIES)[np.maximum(kind, 0)] * (kind >= 0)[:, None]
    numbers = np.stack(
        [
            there.sum(axis=1) / 4,
            np.log(np.maximum(counts.sum(axis=1), 1)),
            kind < 0,
            (counts % 2).sum(axis=1) / 4,
            (elements * counts).sum(axis=1) % 2,  # an odd number of electrons
            share.max(axis=1),
        ],
        axis=1,
    )
    columns = [
        shares, of_slots[:, :_SLOTS].reshape(len(formulas), _SLOTS * (_PROPERTIES + 2)), mean, scatter,
        ends[0].min(axis=1), ends[1].max(axis=1), one_hot, numbers,
    ]  # fmt: skip
    return np.concatenate(columns, axis=1).astype(np.float32)


def _slots(formulas: Sequence[Formula]) -> tuple[Index, Index]:
    """Atomic numbers and numbers of atoms in order of these, ``(n, WIDTH)`` each; 0 is padding."""
    elements, counts = (np.zeros((len(formulas), WIDTH), dtype=np.int64) for _ in range(2))
    for row, formula in enumerate(formulas):
        for place, (symbol, count) in enumerate(sorted(formula.counts, key=lambda pair: pair[1])[:WIDTH]):
            elements[row, place], counts[row, place] = ATOMIC_NUMBERS[symbol], count
    return elements, counts
