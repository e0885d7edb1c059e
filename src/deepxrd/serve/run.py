"""Run a server until it is ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from deepxrd.errors import ConfigError
from deepxrd.io.stopping import if_stopped
from deepxrd.serve.app import create_app
from deepxrd.serve.settings import ServeSettings

_MOST_CONNECTIONS = 256
_END_S = 3


def serve(settings: ServeSettings, *, ready: Callable[[], object]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        settings: see `ServeSettings`.
        ready: called once the page can be opened.

    Raises:
        ConfigError: the port is taken, or may not be listened at.
        DeepXRDError: the model cannot be loaded, or another server works in the same folder.
    """
    with _listening(settings) as listener, if_stopped("the same command starts the server again, and its jobs go on"):
        asyncio.run(_serve(settings, listener, ready))


async def _serve(settings: ServeSettings, listener: socket.socket, ready: Callable[[], object]) -> None:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",  # entered here, so that what goes wrong is told like any other error
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_END_S,
        server_header=False,
    )
    async with app.router.lifespan_context(app):
        ready()
        await uvicorn.Server(config).serve(sockets=[listener])


def _listening(settings: ServeSettings) -> socket.socket:
    """A socket at the address; taken before anything is loaded, so that a taken port is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_MOST_CONNECTIONS)
    except OSError as error:
        msg = (
            f"cannot listen at {settings.host} port {settings.port}: {error.strerror}; choose another --port or --host"
        )
        raise ConfigError(msg) from error
    return listener
