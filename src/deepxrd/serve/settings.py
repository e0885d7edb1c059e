"""What a server is started with, and how much may be asked of it."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from deepxrd.errors import ConfigError

MOST_FORMULAS = 8
"""Formulas of one prediction: more are a table for a screening."""
SHOWN = 6
"""Structures of a formula, known and predicted each, that come with pattern, lines and CIF."""
_LEAST_TOKEN = 16
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened at


@dataclass(frozen=True)
class Limits:
    """How much may be asked for.

    Attributes:
        upload_bytes: of one request.
        prediction_s: seconds that a prediction, or the reading of a file, may take.
        match_s: seconds that a match may take.
        part_s: seconds that a part of a screening may take.
        waiting: requests that may wait for a worker; further ones are refused at once.
        jobs: screenings that may wait or run.
        rows: of a table that is screened.
        keep_days: after which finished jobs and reports are deleted.
        matches: reports of matches that are kept.
    """

    upload_bytes: int = 32 * 2**20
    prediction_s: float = 60.0
    match_s: float = 240.0
    part_s: float = 600.0
    waiting: int = 64
    jobs: int = 20
    rows: int = 100_000
    keep_days: float = 14.0
    matches: int = 200


@dataclass(frozen=True)
class ServeSettings:
    """What a server is started with.

    Attributes:
        state: folder for jobs and reports.
        host: address that it listens at.
        port: of TCP.
        token: that every request must bring; empty for none, which is only for this machine.
        workers: processes that compute, each with the model.
        checkpoint: folder of a candidate model; None for the one that comes with the package.
        libraries: a user's own, beside the one that comes with the package.
        limits: how much may be asked for.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    checkpoint: Path | None = None
    libraries: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:  # noqa: PLR2004 - what TCP has
            msg = f"--port {self.port}: give a number from 1 to 65535"
            raise ConfigError(msg)
        if not 1 <= self.workers <= 256:  # noqa: PLR2004 - more is a slip
            msg = f"--workers {self.workers}: give a number from 1 to 256, at most one per core"
            raise ConfigError(msg)
        if self.token and (len(self.token) < _LEAST_TOKEN or not self.token.isascii() or not self.token.isprintable()):
            msg = (
                f"the token of DEEPXRD_TOKEN has {len(self.token)} characters: give at least {_LEAST_TOKEN} printable "
                "ASCII characters, or leave it out to have one made"
            )
            raise ConfigError(msg)
        if not self.token and not is_loopback(self.host):
            msg = f"--host {self.host} can be reached from other machines: a token is needed"
            raise ConfigError(msg)

    @property
    def address(self) -> str:
        """Of the page, for a browser."""
        host = socket.gethostname() if self.host in _ALL_ADDRESSES else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def default_state() -> Path:
    """Where jobs are kept if no folder is named: the place that the XDG Base Directory Specification gives."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local/state") / "deepxrd"
