"""A wrapper around a real server that breaks chosen answers, and the thread that serves it on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Fault:
    """One way to break an answer.

    Attributes:
        kind: status, drop, truncate, cut_json, html, slow, or the name of an edit of the answer's JSON.
        at: the offset of the page that it hits, 0 for the first and for counts; None for every request.
        times: how many requests it hits.
        path: only paths that begin so are hit.
        options: parameters of the kind, such as ``status``.
    """

    kind: str
    at: int | None = None
    times: int = 1
    path: str = "/"
    options: dict[str, Any] = field(default_factory=dict)


class FaultyApp:
    """An ASGI application whose answers break as its ``faults`` say; it notes every request in ``log``."""

    def __init__(self, app: App, edits: dict[str, Callable[[Any, dict[str, Any]], None]]) -> None:
        self.app = app
        self.edits = edits
        self.faults: list[Fault] = []
        self.log: list[tuple[str, dict[str, str]]] = []

    def requests(self, name: str) -> int:
        """How many requests had the query parameter ``name``."""
        return sum(name in query for _, query in self.log)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self.log.append((scope["path"], query))
        fault = self._match(scope["path"], offset_of(query))
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._break(fault, scope, receive, send)

    def _match(self, path: str, offset: int) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.at in (None, offset) and path.startswith(fault.path):
                fault.times -= 1
                return fault
        return None

    async def _break(self, fault: Fault, scope: Message, receive: Receive, send: Send) -> None:
        options = fault.options
        if fault.kind == "status":
            wait = str(options.get("retry_after", ""))
            headers = [(b"retry-after", wait.encode())] if wait else []
            body = options.get("body", '{"message":"injected"}').encode()
            await answer(send, options["status"], body, headers)
        elif fault.kind == "html":
            await answer(send, 200, b"<html>down for maintenance</html>")
        elif fault.kind == "slow":
            await asyncio.sleep(options["seconds"])
            await self.app(scope, receive, send)
        else:
            headers, body = await self._collect(scope, receive)
            if fault.kind in self.edits:
                content = json.loads(body)
                self.edits[fault.kind](content, options)
                await answer(send, 200, json.dumps(content).encode())
            else:
                await _cut(fault.kind, send, headers, body)

    async def _collect(self, scope: Message, receive: Receive) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The real answer, uncompressed."""
        headers: list[tuple[bytes, bytes]] = []
        body = bytearray()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers.extend(header for header in message["headers"] if header[0] != b"content-length")
            else:
                body.extend(message.get("body", b""))

        plain = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, note)
        return headers, bytes(body)


def offset_of(query: dict[str, str]) -> int:
    """How many documents the request skips, in the words of either server."""
    if "_page" in query:
        return (int(query["_page"]) - 1) * int(query["_per_page"])
    return int(query.get("_skip", query.get("page_offset", "0")))


async def answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """Send a whole answer of JSON."""
    length = (b"content-length", str(len(body)).encode())
    head = [(b"content-type", b"application/json"), length, *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _cut(kind: str, send: Send, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    half = body[: len(body) // 2]
    if kind == "cut_json":  # as by a proxy: half the body, with a length that fits it
        await answer(send, 200, half)
        return
    if kind == "truncate":  # the full length is announced
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    elif kind != "drop":  # chunked, and cut in the middle
        msg = f"unknown kind of fault {kind!r}"
        raise ValueError(msg)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await asyncio.sleep(0.02)
    msg = "injected: the connection drops"
    raise ConnectionAbortedError(msg)


@contextmanager
def serving(app: App) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; yields the address. A server that does not start is an error, never a skip."""
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_keep_alive=5, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            msg = "the local server did not start"
            raise RuntimeError(msg)
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
