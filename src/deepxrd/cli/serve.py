"""``deepxrd serve``: a page in the browser for prediction, matching and screening."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deepxrd.cli.options import EPILOG, add_library_option
from deepxrd.errors import ConfigError
from deepxrd.io.words import counted

if TYPE_CHECKING:
    from deepxrd.serve.settings import ServeSettings

_TOKEN = "DEEPXRD_TOKEN"  # noqa: S105 - the name of a variable


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    serve = commands.add_parser(
        "serve",
        help="a page in the browser: predict, match and screen; with a REST API",
        description="Serve a page for prediction, matching and screening, and a REST API (its documentation is at "
        f"/docs.html). It needs no internet. Other machines reach it only with --host, and then only with a token: of "
        f"the variable {_TOKEN}, or one that is made and printed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine alone)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen at (8000)")
    serve.add_argument(
        "--state", type=Path, metavar="FOLDER", help="where jobs and reports are kept (default: ~/.local/state/deepxrd)"
    )
    serve.add_argument(
        "--workers", type=int, metavar="N", help="processes that compute, each with a gigabyte of memory (one per core)"
    )
    serve.add_argument("--checkpoint", type=Path, help="a folder of model=candidates (default: the model that comes)")
    serve.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    add_library_option(serve)
    serve.set_defaults(work=_serve)


def _serve(options: argparse.Namespace) -> None:
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        msg = f"the page needs {error.name}: pip install 'deepxrd[serve]'"
        raise ConfigError(msg) from error
    settings = _settings(options)
    from deepxrd.serve.run import serve

    query = f"?token={settings.token}" if settings.token else ""
    address = f"{settings.address}{query}"
    print(f"starting {counted(settings.workers, 'worker')} …", flush=True)  # noqa: T201 - it takes some seconds
    serve(settings, ready=lambda: _ready(address, open_page=not options.no_browser))


def _settings(options: argparse.Namespace) -> ServeSettings:
    from joblib import cpu_count

    from deepxrd.serve.settings import ServeSettings, default_state, is_loopback

    token = os.environ.get(_TOKEN, "")
    if not token and not is_loopback(options.host):
        token = secrets.token_urlsafe(24)
    return ServeSettings(
        state=(options.state or default_state()).absolute(),
        host=options.host,
        port=options.port,
        token=token,
        workers=cpu_count() if options.workers is None else options.workers,
        checkpoint=options.checkpoint,
        libraries=tuple(options.library),
    )


def _ready(address: str, *, open_page: bool) -> None:
    print(f"open {address} in a browser; Ctrl-C ends the server", flush=True)  # noqa: T201 - what the user asks for
    has_screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if open_page and has_screen and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(address)
