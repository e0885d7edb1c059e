"""Make the paths of one machine in kept results relative, so that commands in them can be typed anywhere.

    python benchmarks/relative_paths.py results --prefix FOLDER=outputs

Paths in this checkout become relative to it, and those beside it (``../shared``) too. Other folders are named by
``--prefix``, the longest first. Numbers, hashes and all else stay as they are.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (".csv", ".json", ".md", ".tex", ".txt", ".yaml")
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:work|tmp|root|home|mnt|scratch|Users)/[\w./-]*")
"""An absolute path to where people keep their own files."""
HERE = {str(REPOSITORY): "", str(REPOSITORY.parent): ".."}
"""This checkout, and what is beside it."""


def relative(text: str, prefixes: dict[str, str]) -> str:
    """The text with each prefix of a path replaced, the longest prefix first."""
    for old in sorted(prefixes, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.~/-]){re.escape(old)}(?=/)/?", f"{prefixes[old]}/" if prefixes[old] else "", text)
        text = re.sub(rf"(?<![\w.~/-]){re.escape(old)}(?![\w/-])", prefixes[old] or ".", text)
    return text


def main() -> None:
    """Rewrite what is given, and list the paths that are left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--prefix", action="append", default=[], metavar="OLD=NEW")
    options = parser.parse_args()
    prefixes = HERE | dict(p.split("=", 1) for p in options.prefix)
    for path in sorted(p for folder in options.folders for p in folder.rglob("*") if p.suffix in TEXT):
        old = path.read_bytes().decode("utf-8")
        new = relative(old, prefixes)
        if new != old:
            path.write_bytes(new.encode("utf-8"))
            print(f"rewritten: {path}")
        for left in sorted(set(MACHINE_PATH.findall(new))):
            print(f"left: {path}: {left}")


if __name__ == "__main__":
    main()
