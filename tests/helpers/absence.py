"""What a test needs and does not find: elsewhere it is skipped, but in CI it fails, so that nothing is missed there."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """End the test: as a failure in CI, else as skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
