"""Who may ask, and how much: in front of everything else of the server."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepxrd.serve.settings import ServeSettings, is_loopback

COOKIE = "deepxrd-token"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; font-src 'self'; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Scripts come from the package alone, so that no text of a file or a formula can ever be one. Plotly and Swagger UI
write styles into the page."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """Middleware that lets in who may come in.

    - Without a token the address must be one of this machine: a page elsewhere cannot reach the server under a name of
      its own (DNS rebinding).
    - With one, it must be in the header ``Authorization: Bearer …``, in a cookie, or once in the address of the page.
    - What changes something must not come from another site's page.
    - A body beyond the limit is refused before, or while, it comes in.

    Args:
        app: what is guarded.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on with headers that keep the answer in its place."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if (refused := self._refused(scope, headers)) is not None:
            await refused(scope, receive, send_with_headers)
            return
        await self._app(scope, _bounded(receive, self._settings.limits.upload_bytes), send_with_headers)

    def _refused(self, scope: Scope, headers: Headers) -> JSONResponse | RedirectResponse | None:
        host = headers.get("host", "")
        token = self._settings.token
        if not token and not is_loopback(_name(host)):
            return _refuse(403, f"this server answers at {self._settings.address} alone")
        if token and not self._has_token(headers):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if scope["path"] == "/" and _same(given, token):
                response = RedirectResponse("/", status_code=303)  # so that the token leaves the address bar
                response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
                return response
            return _refuse(
                401, "a token is needed: open the address that the server printed, or send it as Authorization: Bearer"
            )
        if scope["method"] not in _SAFE_METHODS and _is_from_elsewhere(headers, host):
            return _refuse(403, "this came from the page of another site")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._settings.limits.upload_bytes:
            return _refuse(413, too_large(self._settings.limits.upload_bytes))
        return None

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self._settings.token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._settings.token)


def too_large(most_bytes: int) -> str:
    """What is said of an upload beyond the limit."""
    return f"the upload is larger than {most_bytes / 2**20:.0f} MB, which is the most that this server takes"


def _bounded(receive: Receive, most_bytes: int) -> Receive:
    n_bytes = 0

    async def counted() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > most_bytes:
            raise HTTPException(413, too_large(most_bytes))  # FastAPI hands on this kind of error alone
        return message

    return counted


def _refuse(status: int, error: str) -> JSONResponse:
    return JSONResponse({"error": error}, status)


def _same(given: str, wanted: str) -> bool:
    """Compared in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _name(host: str) -> str:
    """A host without its port."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


def _is_from_elsewhere(headers: Headers, host: str) -> bool:
    """Whether a browser says that a page of another site sent it; what is no browser says nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host
