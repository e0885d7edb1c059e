"""The server's application: what each address answers."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match

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

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
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
    app.add_route("/api/{rest:path}", _not_there, METHODS, include_in_schema=False)
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
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"error": _sentence(found[0]) if found else "the request cannot be used"}, 422)


def _sentence(wrong: Mapping[str, Any]) -> str:
    kind, said = wrong["type"], str(wrong["msg"])
    place = " ".join(str(part) for part in wrong["loc"][1:])  # after where it is: body, query or path
    if kind == "json_invalid":
        return f"the body is no JSON: {wrong['ctx']['error']} at character {place}"
    if not place:
        return f"the body {'is missing' if kind == 'missing' else 'cannot be used'}: send a JSON object; see /docs.html"
    if kind == "missing":
        return f"the field {place!r} is missing: give it; see /docs.html"
    if kind == "extra_forbidden":
        return f"there is no field {place[:60]!r}: leave it out; see /docs.html"
    return f"the field {place!r} cannot be used: {said[0].lower()}{said[1:]}"


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return JSONResponse({"error": ""}, 500)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _not_there(request: Request) -> Response:
    """An address below ``/api`` that no route takes: it may take another method."""
    path, scope = request.url.path, request.scope
    routes = [each for each in router.routes if isinstance(each, APIRoute) and each.matches(scope)[0] is Match.PARTIAL]
    methods = sorted({method for each in routes for method in each.methods or ()})
    if methods:
        allowed = ", ".join(methods)
        raise HTTPException(405, f"{request.method} is not for {path}: send {allowed}", {"Allow": allowed})
    raise HTTPException(404, f"there is no {path[:80]}: see /docs.html")


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "this should not have happened; the server's log says where"}, 500)
