"""The card beside a library: what is in it, from where, under which licence, and how well it was kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepxrd.errors import LibraryError
from deepxrd.io.files import file_hash, write_text

_WHAT = "A library of crystal structures for deepxrd, kept as asymmetric units by space group."
_HEAD_BYTES = 4096


def check_card_path(path: Path) -> None:
    """Make sure that the card of a library replaces nothing but a card.

    Raises:
        LibraryError: there is another file at its place.
    """
    card = card_path(path)
    if not card.exists():
        return
    if card.is_file():
        with card.open("rb") as stream:
            if _WHAT.encode() in stream.read(_HEAD_BYTES):
                return
    msg = f"{card} is no card of a library, and that of {path.name} would replace it: give the library another name"
    raise LibraryError(msg)


def card_path(path: Path) -> Path:
    """Where the card of a library file is: named as the library, or ``README.md`` of one called ``library``."""
    return path.with_name("README.md" if path.stem == "library" else f"{path.stem}.md")


def write_library_card(path: Path, header: Mapping[str, Any]) -> Path:
    """Write the card beside a library file.

    Args:
        path: the library.
        header: what it says of itself.

    Returns:
        The card's path.
    """
    card = card_path(path)
    write_text(card, card_text(path, header))
    return card


def card_text(path: Path, header: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    counts = header["counts"]
    held_out = sum(each["entries"] for each in header["sources"] if each["held_out"])
    lines = [
        f"# {header['name']}",
        "",
        _WHAT,
        "",
        "| | |",
        "|---|---|",
        f"| file | `{path.name}`, {path.stat().st_size / 1e6:.1f} MB, format {header['format']} |",
        f"| SHA-256 | `{file_hash(path)}` |",
        f"| structures | {counts['entries']:,} |",
        f"| compositions | {counts['compositions']:,} |",
        f"| prototypes | {counts['prototypes']:,} |",
        f"| sites in asymmetric units | {counts['asymmetric_sites']:,} |",
        f"| held out: shown to users, used for nothing else | {held_out:,} |",
        f"| could not be kept | {counts['failed']:,} |",
        "",
        "## Sources",
        "",
    ]
    for each in header["sources"]:
        mark = ", held out" if each["held_out"] else ""
        lines.append(f"- {each['name']}: {each['entries']:,} structures{mark}.")
        lines.append(f"  Licence: {each['licence'] or 'not given'}. Cite: {each['citation'] or 'not given'}.")
    lines += [
        "",
        "## How the structures are kept",
        "",
        *_how_kept(header),
        "",
    ]
    return "\n".join(lines)


def _how_kept(header: Mapping[str, Any]) -> list[str]:
    counts, symmetry, least = header["counts"], header["symmetry"], header["least_cosine"]
    bar, steps = header["round_trip"]["cosine_at_least"], symmetry["coordinate_steps"]
    share = 100 * counts["kept_otherwise"] / counts["entries"]
    return [
        f"Symmetry was found by {symmetry['program']} with a tolerance of {symmetry['symprec_angstrom']} Å; cells and",
        "sites are in the standard setting of the International Tables for Crystallography A.",
        f"Coordinates are kept in 1/{steps:,} of the cell's edge, cells in 1e-6 Å and 1e-6 degrees.",
        "",
        "Of each structure the powder pattern (Cu Kα, 5–90° 2θ, Gaussian lines of σ = 0.1°) was simulated",
        f"before and after. The cosine of the two is to be at least {bar}; the least of all is {least:.6f}.",
        f"{counts['kept_otherwise']:,} entries ({share:.2f} %) do not reach it with the symmetry found. They are kept",
        f"by that found at {symmetry['narrower_symprec_angstrom']} Å or without any, and marked in the file, with the",
        "space group found and the cosine that it would have given.",
    ]
