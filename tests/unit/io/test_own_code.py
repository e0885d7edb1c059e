import importlib
import sys
from pathlib import Path

import pytest

from deepxrd.io.own_code import own_code_hash


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A researcher's package ``ownnets``: its class is handed on, and built from a module beside it."""
    folder = tmp_path / "ownnets"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .net import Net\n")
    (folder / "net.py").write_text('"""Nets."""\nimport torch\nfrom . import blocks\nclass Net:\n    width = 3\n')
    (folder / "blocks.py").write_text("import helper_beside\nDEPTH = 2\n")
    (tmp_path / "helper_beside.py").write_text("GAIN = 1\n")
    (tmp_path / "not_imported.py").write_text("OTHER = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [each for each in sys.modules if each.startswith("ownnets")]:  # of the test before
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.parametrize("file", ["ownnets/__init__.py", "ownnets/net.py", "ownnets/blocks.py", "helper_beside.py"])
@pytest.mark.parametrize("name", ["ownnets.Net", "ownnets.net.Net"])
def test_an_edit_of_the_class_or_of_what_it_imports_is_seen(package: Path, file: str, name: str) -> None:
    before = own_code_hash([name])
    path = package / file
    path.write_text(path.read_text() + "NEW = 1\n")
    assert own_code_hash([name]) != before


@pytest.mark.parametrize(("file", "added"), [("ownnets/net.py", "# why\n"), ("not_imported.py", "NEW = 1\n")])
def test_a_comment_or_another_module_is_not(package: Path, file: str, added: str) -> None:
    before = own_code_hash(["ownnets.Net"])
    path = package / file
    path.write_text(path.read_text() + added)
    assert own_code_hash(["ownnets.Net"]) == before


def test_classes_that_nobody_edits_are_passed_over() -> None:
    assert own_code_hash(["deepxrd.losses.MSELoss", "torch.optim.Adam"]) is None


@pytest.mark.parametrize("name", ["no_such_package.Net", "builtins.list"])
def test_a_class_without_a_file_is_named(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        own_code_hash([name])
