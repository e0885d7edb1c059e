"""Packages of one's own in the current folder, which ``python -m`` finds by itself and a console script does not."""

from __future__ import annotations

import os
import sys


def look_in_this_folder() -> None:
    """Let what a user has typed the name of be imported from the current folder, after all that is installed.

    After, so that a file there, which may be a stranger's, does not take the place of a package.
    """
    here = os.getcwd()  # noqa: PTH109 - as it stands in sys.path
    if not {"", here} & set(sys.path):
        sys.path.append(here)
