"""Make the weights that come with the package from a trained candidate model.

    python benchmarks/ship_weights.py --weights RUN/model [--out src/deepxrd/weights/ternary]

The model is what ``python -m deepxrd.train model=candidates`` leaves in its folder. Prints what is left of it, and
the hash that the model card gives.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deepxrd.io.files import file_hash
from deepxrd.models.candidates.geometry import Geometries
from deepxrd.models.candidates.saved import FACTS, SHIPPED, load, save

_LARGEST = 20e6  # bytes, of all files


def main() -> None:
    """Load, compact, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--as-is", action="store_true", help="weights that are compact already: only write them anew")
    arguments = parser.parse_args()
    model = load(arguments.weights)
    small = model if arguments.as_is else model.compact()
    card = arguments.out / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else None
    save(small, arguments.out)
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    if text is not None:  # written by hand; what it says of hash and scores must be brought up to date
        card.write_text(text, encoding="utf-8")
    sites = Geometries.of(small.library.crystals)
    print(
        f"{len(small.library.formulas)} of {len(model.library.formulas)} templates, "
        f"{len({kind.label for kind in small.library.kinds})} kinds, {len(sites.n_sites)} arrangements of "
        f"{sites.n_sites.sum()} sites, {len(small.nets)} networks"
    )
    print(f"{size / 1e6:.1f} MB; SHA-256 of {FACTS}: {file_hash(arguments.out / FACTS)}")
    print(f"results: {arguments.out}")
    if size > _LARGEST:
        msg = f"more than {_LARGEST / 1e6:g} MB: too large to ship"
        raise SystemExit(msg)


if __name__ == "__main__":
    main()
