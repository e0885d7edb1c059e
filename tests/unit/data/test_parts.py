from collections.abc import Callable
from pathlib import Path

import pytest

from deepxrd.chem import OneHotEncoding
from deepxrd.data import Selection, Split
from deepxrd.data.parts import DataParts
from deepxrd.errors import ConfigError
from deepxrd.sources import FilesSource, PrototypeSource, Source
from deepxrd.sources.materials_project import MaterialsProjectSource
from deepxrd.sources.optimade import OptimadeSource
from deepxrd.xrd import XrdSettings


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (lambda _: PrototypeSource(max_structures=20), "model structures"),
        (lambda path: OptimadeSource("mp", cache_dir=path), "last_modified"),
        (lambda path: MaterialsProjectSource("ABC3", cache_dir=path), "source.dates=true"),
        (None, "a column created_at"),
    ],
)
def test_a_split_by_time_is_refused_before_anything_is_fetched_or_built_where_no_dates_are(
    source: Callable[[Path], Source] | None, told: str, perovskite_source: FilesSource, tmp_path: Path
) -> None:
    data = DataParts(
        source=source(tmp_path) if source else perovskite_source, selection=Selection(), encoding=OneHotEncoding(),
        xrd=XrdSettings(), split=Split(by="time"), stores_dir=tmp_path / "stores",
    )  # fmt: skip
    with pytest.raises(ConfigError, match=f"data.split.by=time needs the day.*{told}"):
        _ = data.store
    assert not list(tmp_path.iterdir())
