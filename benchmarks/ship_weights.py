"""Make the weights that come with the package from a trained candidate model.

    python benchmarks/ship_weights.py --weights RUN/model [--out src/deepxrd/weights/candidates]

The model is what ``python -m deepxrd.train model=candidates`` leaves, learned from structures of the library
that comes with the package, to which the weights refer. Prints what is in them, and the hash that the model card gives.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from deepxrd.io.files import file_hash
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load, save

_LARGEST = 20e6  # bytes, of all files


def main() -> None:
    """Load, round, save without the structures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    model = load(arguments.weights).rounded()
    card = arguments.out / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else None
    save(model, arguments.out, with_library=False)
    load(arguments.out)  # which fails where the library that comes with the package is another
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    if text is not None:  # written by hand; what it says of hash and scores must be brought up to date
        card.write_text(text, encoding="utf-8")
    templates = model.maker.templates
    print(
        f"{len(templates)} structures of {len(np.unique(templates.composition))} compositions, "
        f"{len(np.unique(templates.prototype))} prototypes, {len(model.nets)} networks"
    )
    print(f"{size / 1e6:.1f} MB; SHA-256 of {FACTS}: {file_hash(arguments.out / FACTS)}")
    print(f"results: {arguments.out}")
    if size > _LARGEST:
        msg = f"more than {_LARGEST / 1e6:g} MB: too large to ship"
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
