"""The server's application: what each address answers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from deepxrd import __version__
from deepxrd.errors import DeepXRDError
from deepxrd.io.files import locked_or_refused
from deepxrd.library import SHIPPED, Libraries
from deepxrd.serve.errors import ServeError
from deepxrd.serve.guard import Guard
from deepxrd.serve.parts import Parts
from deepxrd.serve.pool import Pool
from deepxrd.serve.reports import Reports
from deepxrd.serve.routes import router
from deepxrd.serve.runner import Runner
from deepxrd.serve.settings import ServeSettings

STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger("deepxrd.serve")


def create_app(settings: ServeSettings) -> FastAPI:
    """The application of a server; its workers start with it, and end with it."""
    app = FastAPI(
        title="deepxrd",
        version=__version__,
        description="Powder X-ray diffraction patterns of formulas, phases of measured patterns, and screenings.",
        docs_url=None,  # the usual page of documentation loads its scripts from elsewhere: ours is static/docs.html
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan(settings),
    )
    app.include_router(router)
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    app.add_exception_handler(DeepXRDError, _in_words)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Guard, settings=settings)
    return app


def _lifespan(settings: ServeSettings) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        from deepxrd.serve.worker import work

        limits = settings.limits
        settings.state.mkdir(parents=True, exist_ok=True)
        busy = f"another server works in {settings.state}: end it, or choose another --state"
        with locked_or_refused(settings.state / "server.lock", busy):
            shutil.rmtree(settings.state / "uploads", ignore_errors=True)  # of a server that was killed
            pool = Pool(
                settings.workers,
                work,
                (os.getpid(), settings.checkpoint, settings.libraries),
                most_waiting=limits.waiting,
            )
            await pool.start()
            runner = Runner(settings.state, pool, limits)
            reports = Reports(settings.state / "matches", most=limits.matches, keep_days=limits.keep_days)
            libraries = Libraries.open([*settings.libraries, SHIPPED])
            app.state.parts = Parts(settings, pool, runner, reports, libraries)
            running = asyncio.create_task(runner.run_forever())
            try:
                yield
            finally:
                running.cancel()
                try:
                    with suppress(asyncio.CancelledError):
                        await running
                finally:
                    await pool.stop()

    return lifespan


async def _in_words(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, ServeError) else 422
    headers = {"Retry-After": "30"} if status == 503 else None  # noqa: PLR2004 - as HTTP numbers it
    return JSONResponse({"error": str(error)}, status, headers)


async def _invalid(_: Request, error: Exception) -> Response:
    """The first thing that is wrong with a request, in a sentence; what was sent is not sent back."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "invalid"}
    where = " ".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"error": f"{where}: {first['msg']}".removeprefix(": ")}, 422)


async def _http(_: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return Response(json.dumps({"error": detail}), status, media_type="application/json")


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "this should not have happened; the server's log says where"}, 500)
