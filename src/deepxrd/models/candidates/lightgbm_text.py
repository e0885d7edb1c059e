"""Trees out of LightGBM's text: what it has learned, and what older weight folders hold.

The text is read here and not by LightGBM, whose parser trusts it: a changed number can end the process.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deepxrd.models.candidates.trees import MOST_LEAVES, Trees

_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child")
_REALS = ("threshold", "leaf_value")
_NUMERIC_NEVER_MISSING = (0, 2)
"""Decision types: a number is compared, and a missing one counts as zero, whichever way it would go by default."""


def read_trees(text: str) -> Trees:
    """Trees from LightGBM's text.

    Raises:
        ValueError: it is none, or its trees are of a kind that LightGBM does not learn from our data.
    """
    found = [_one_tree(block) for block in _blocks(text)]
    if not found:
        msg = "it holds no trees"
        raise ValueError(msg)
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    feature, threshold, first, past, leaf_value = columns
    n_leaves = np.array([len(leaves) for *_, leaves in found], dtype=np.uint8)
    return Trees(
        n_leaves, feature.astype(np.uint16), threshold, first.astype(np.uint8), past.astype(np.uint8), leaf_value
    )


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """What stands in each tree of the text, by name."""
    head, _, rest = text.partition("\nend of trees")
    if not head.startswith("tree\n") or (not rest and head == text):
        msg = "it is no text of LightGBM's, or cut off"
        raise ValueError(msg)
    for block in head.split("\nTree=")[1:]:
        yield dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)


def _one_tree(values: dict[str, str]) -> tuple[NDArray[np.float64 | np.int64], ...]:
    try:
        n_leaves = int(values["num_leaves"])
        integers = {name: np.array(values.get(name, "").split(), dtype=np.int64) for name in _INTEGERS}
        reals = {name: np.array(values[name].split() if name in values else [], dtype=np.float64) for name in _REALS}
        is_plain = int(values["num_cat"]) == 0 and int(values.get("is_linear", "0")) == 0
    except (KeyError, ValueError, OverflowError) as error:
        msg = f"one of its trees cannot be read ({error})"
        raise ValueError(msg) from error
    lengths = {len(each) for each in (*integers.values(), reals["threshold"])}
    if not 1 <= n_leaves <= MOST_LEAVES or len(reals["leaf_value"]) != n_leaves or lengths != {n_leaves - 1}:
        msg = f"one of its trees has not the nodes of {n_leaves} leaves, or more than {MOST_LEAVES}"
        raise ValueError(msg)
    if not is_plain or not np.isin(integers["decision_type"], _NUMERIC_NEVER_MISSING).all():
        msg = "one of its trees tests categories, or lacks values"
        raise ValueError(msg)
    if ((integers["split_feature"] < 0) | (integers["split_feature"] >= 1 << 16)).any():
        msg = "one of its trees tests a feature that there is not"
        raise ValueError(msg)
    first, past, order = _left_to_right(integers["left_child"].tolist(), integers["right_child"].tolist())
    nodes = integers["split_feature"], reals["threshold"], np.array(first, np.int64), np.array(past, np.int64)
    return (*nodes, reals["leaf_value"][order])


def _left_to_right(left: list[int], right: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Number the leaves from left to right.

    Args:
        left: the left child of each node, m of them; a leaf is −1 − its number.
        right: the right child, likewise.

    Returns:
        Of each node the first leaf on its left, and the first on its right; and the old numbers of the leaves in order.
    """
    first, past, order = [-1] * len(left), [-1] * len(left), list[int]()
    to_do = [0 if left else -1]
    entered, turned = set[int](), set[int]()
    while to_do:
        place = to_do.pop()
        if place < 0:
            order.append(-1 - place)
        elif place not in entered and place < len(left):
            entered.add(place)
            first[place] = len(order)
            to_do += [place, left[place]]
        elif place in entered and place not in turned:
            turned.add(place)
            past[place] = len(order)
            to_do.append(right[place])
        else:
            msg = "one of its trees runs in a circle, or out of its nodes"
            raise ValueError(msg)
    if sorted(order) != list(range(len(left) + 1)) or len(turned) != len(left):
        msg = "one of its trees does not reach each of its leaves once"
        raise ValueError(msg)
    return first, past, order
