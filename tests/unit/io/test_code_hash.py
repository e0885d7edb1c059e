from pathlib import Path

import pytest

from deepxrd.analysis import data_card_files
from deepxrd.evaluation import baselines
from deepxrd.io.code_hash import code_hash
from deepxrd.sweeps import fingerprint
from deepxrd.training import candidate_data


def _hash_of(folder: Path, text: str) -> str:
    (folder / "losses.py").write_text(text, encoding="utf-8")
    code_hash.cache_clear()
    return code_hash("*.py", package=folder)


def test_comments_and_docstrings_leave_the_hash_and_code_changes_it(tmp_path: Path) -> None:
    base = _hash_of(tmp_path, '"""Losses."""\ndef f(x):\n    """One."""\n    return x + 1\n')
    assert _hash_of(tmp_path, '"""All."""\n\n\ndef f(x):  # why\n    """Two."""\n    return (x + 1)\n') == base
    assert _hash_of(tmp_path, "def f(x):\n    return x + 2\n") != base


def test_each_version_of_python_gives_the_same_hash(tmp_path: Path) -> None:
    """So that a sweep under one takes as done what another has run; this one is of Python 3.11."""
    text = "class Loss(Base):\n    def f(self, x=(), *, y: int = 1) -> str:\n        return f'{x!r:>{y}} of' 'all'\n"
    assert _hash_of(tmp_path, text) == "40b8714df909fc3a"


def test_a_module_that_was_moved_away_is_missed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        code_hash("gone/*.py", package=tmp_path)


def test_all_that_is_kept_is_known_by_code_that_is_there() -> None:
    lists = (baselines._CODE, candidate_data._CODE, fingerprint._CODE, data_card_files._FIGURES_CODE)
    hashes = {code_hash(*each) for each in (*lists, data_card_files._SYMMETRY_CODE)}
    assert len(hashes) == 5
