"""What the help of the commands says."""

from __future__ import annotations

from deepxrd.cli.options import EPILOG


def test_the_help_names_the_exit_codes_of_commands_that_were_stopped() -> None:
    assert "130 stopped by Ctrl-C; 143 stopped by SIGTERM" in EPILOG
    assert all(len(line) <= 120 for line in EPILOG.splitlines())
