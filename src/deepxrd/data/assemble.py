"""From a composed configuration to its data, without what only a training needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepxrd.chem import OneHotEncoding
from deepxrd.chem.encodings import make_encoding
from deepxrd.config.instantiate import build
from deepxrd.data.parts import DataParts
from deepxrd.data.selection import Selection
from deepxrd.data.split import Split
from deepxrd.data.workers import BuildOptions
from deepxrd.sources import Source
from deepxrd.xrd import XrdSettings


def make_data(cfg: dict[str, Any]) -> DataParts:
    """The data that a configuration asks for; nothing is built yet.

    Raises:
        ConfigError: a setting cannot be used.
    """
    data, encoding = cfg["data"], make_encoding(cfg["data"]["encoding"])
    chosen = dict(data["selection"])
    # data sets are the same for another encoding, so that networks can be compared
    box = encoding if isinstance(encoding, OneHotEncoding) else OneHotEncoding()
    fits = chosen.pop("fits_one_hot", True)  # a run made before there was the setting took nothing else
    return DataParts(
        source=make_source(cfg["source"]),
        selection=Selection(**chosen, box=box if fits else None),
        encoding=encoding,
        xrd=XrdSettings(**cfg["xrd"]),
        split=Split(**data["split"]),
        stores_dir=Path(cfg["paths"]["data_dir"]) / "stores",
        build=BuildOptions(**cfg["build"]),
    )


def make_source(node: dict[str, Any]) -> Source:
    """The source of structures of a configuration.

    Raises:
        ConfigError: the class it names is no source.
    """
    return build(node, Source)  # type: ignore[type-abstract]
