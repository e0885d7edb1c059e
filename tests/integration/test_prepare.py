import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_prepare_writes_a_card_with_figures_and_draws_them_once(
    command: Command, small: list[str], tmp_path: Path
) -> None:
    settings = [s for s in small if not s.startswith(("model", "trainer"))]
    first = command("prepare", *settings)
    assert first.returncode == 0, first.stderr
    *_, place = first.stdout.splitlines()
    store = tmp_path / place.removeprefix("data: ")
    folder = store / "card"

    card = json.loads((folder / "data_card.json").read_text())
    assert card["samples"] == 36
    assert card["crystal_systems"] == {"cubic": 36}
    assert card["stoichiometries"] == {"ABC3": 36}
    assert card["elements"]["Ti"] == card["elements"]["O"] == 12
    assert sum(card["split"][part] for part in ("train", "val", "test")) == 36
    assert set(pd.read_parquet(folder / "crystal_systems.parquet")["space_group"]) == {221}
    assert (folder / "data_card.md").read_text().startswith("# abc3: 36 patterns")
    assert "abc3: 36 patterns" in first.stdout

    figures = {path.name: path.stat().st_mtime_ns for path in (folder / "figures").glob("*.png")}
    assert set(figures) == {"peaks_per_pattern.png", "elements.png", "tsne.png"}
    again = command("prepare", *settings, "card.max_tsne=20")
    assert again.stdout == first.stdout
    redrawn = {path.name: path.stat().st_mtime_ns for path in (folder / "figures").glob("*.png")}
    assert {name for name in figures if redrawn[name] != figures[name]} == {"tsne.png"}


def test_a_map_of_too_few_patterns_is_refused_before_anything_is_built(
    command: Command, small: list[str], tmp_path: Path
) -> None:
    settings = [s for s in small if not s.startswith(("model", "trainer"))]
    done = command("prepare", *settings, "card.max_tsne=3")
    assert done.returncode == 2
    assert "card.max_tsne=3" in done.stderr
    assert not (tmp_path / "data").exists()
    assert command("prepare", *settings, "card.figures=perhaps").returncode == 2
