"""HTTP as it comes in: bounded in size and time before a request is known."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.guard import SECURITY
from api.problems import problem

HEAD = 64 << 10  # bytes of a request line with its headers
# An offer to speak another protocol, which is not taken (RFC 9110, section 7.8); the parser would
# stop behind it, before the request's body.
OFFER = re.compile(rb"\r\nupgrade:[^\r\n]*(?=\r\n|\Z)", re.IGNORECASE)
PATIENCE = 10.0  # seconds for these to come


class Bounded(HttpToolsProtocol):
    """A connection that is closed where a request's head is too large or comes too slowly."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._size = 0
        self._due: asyncio.TimerHandle | None = self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        if b"pgrade" in data and (self._due or not self.cycle or self.cycle.response_complete):
            head, gap, rest = data.partition(b"\r\n\r\n")
            data = OFFER.sub(b"", head) + gap + rest
        self._size = len(data) + (self._size if self._due else 0)
        super().data_received(data)
        if self._due and self._size > HEAD and not self.transport.is_closing():
            self._refuse(431, f"the address and the headers may have {HEAD >> 10} KiB; use POST")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_is_there()
        self._due = self._wait()

    def on_headers_complete(self) -> None:
        """The head of a request is there."""
        self._head_is_there()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP."""
        self._refuse(400, f"{msg.rstrip('.')}: it is not HTTP/1.1")

    def _wait(self) -> asyncio.TimerHandle:
        message = f"the request's head was not there after {PATIENCE:g} s"
        return self.loop.call_later(PATIENCE, self._refuse, 408, message)

    def _head_is_there(self) -> None:
        if self._due:
            self._due.cancel()
        self._due = None

    def _refuse(self, status: int, message: str) -> None:
        answer = problem(status, message, {**SECURITY, "Connection": "close"})
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name.decode()}: {value.decode()}" for name, value in answer.raw_headers]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + bytes(answer.body))
        self.transport.close()
