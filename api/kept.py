"""Answers kept ready: one layer before all routes.

A snapshot never changes, so what is served from it is a function of the request. Whole answers
are kept, bounded by bytes, with a strong ETag (RFC 9110, section 8.8.3) for each encoding;
identical requests that arrive together are answered once; an answer that nobody waits for any
more is not made. HEAD is answered as GET without the body.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Protocol

import zstandard
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.formats import quality
from api.guard import Guard
from api.problems import PayloadError, answered
from kg.results import Limits

MOST = 256 << 20  # bytes of all answers that are kept ready
AHEAD = 8 << 20  # bytes that an answer may be ahead of a client that takes it
SMALL = 1024  # bytes below which nothing is compressed
BODY = 4 << 20  # bytes of a request: a query text of 1 MiB, as a form has it
PATIENCE = 10.0  # seconds for a client to send its request, or to take a part of an answer

Headers = list[tuple[bytes, bytes]]
ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    b"gzip": lambda data: gzip.compress(data, 6, mtime=0),
}


class Compressor(Protocol):
    """What compresses a stream piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """The next bytes of the compressed stream."""
        ...

    def flush(self, mode: int = ..., /) -> bytes:
        """What is still held, or the end of the stream."""
        ...


# What compresses a stream, and how it is told of the end of a piece and of the whole.
STREAMS: dict[bytes, tuple[Callable[[], Compressor], int, int]] = {
    b"zstd": (
        lambda: zstandard.ZstdCompressor(level=3).compressobj(),
        zstandard.COMPRESSOBJ_FLUSH_BLOCK,
        zstandard.COMPRESSOBJ_FLUSH_FINISH,
    ),
    b"gzip": (
        lambda: zlib.compressobj(6, zlib.DEFLATED, 31),
        zlib.Z_SYNC_FLUSH,
        zlib.Z_FINISH,
    ),
}


class Entry:
    """A whole answer that is kept, with its encodings as they are first asked for."""

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.bodies = {b"": body}
        self.tag = hashlib.blake2b(body, digest_size=16).hexdigest().encode()
        self.cost = 2 * len(body) + 1024  # bytes; the encodings together are hardly larger again

    async def body(self, encoding: bytes) -> bytes:
        """The body in an encoding; compressed once."""
        if encoding not in self.bodies:
            plain = self.bodies[b""]
            self.bodies[encoding] = await asyncio.to_thread(ENCODERS[encoding], plain)
        return self.bodies[encoding]


class Served(Protocol):
    """What is served: the answers of one snapshot, and how many are on their way."""

    answers: Answers
    users: int


class Answers:
    """The answers of one snapshot that are kept ready, and those on their way."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.size = 0
        self.entries: OrderedDict[Any, Entry] = OrderedDict()
        self.running: dict[Any, Running] = {}

    def get(self, key: Any) -> Entry | None:
        """The answer to a request, if it is kept."""
        if entry := self.entries.get(key):
            self.entries.move_to_end(key)
        return entry

    def put(self, key: Any, entry: Entry) -> None:
        """Keeps an answer; what was not asked for the longest time goes."""
        if entry.cost > self.most // 8:
            return
        self.entries[key] = entry
        self.size += entry.cost
        while self.size > self.most:
            self.size -= self.entries.popitem(last=False)[1].cost


class Running:
    """An answer on its way, which any number of clients take part in."""

    def __init__(self) -> None:
        self.start: Message | None = None
        self.parts: deque[bytes] = deque()
        self.first = 0  # the number of the part that stands first
        self.ended = False
        self.open = True  # whether the parts are all there still, so that others may join
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None
        self.readers: dict[object, int] = {}  # the part that each waits for
        self._held = 0
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Something has happened that a reader or the answer itself waits for."""
        turn, self._turn = self._turn, asyncio.get_running_loop().create_future()
        turn.set_result(None)

    async def turn(self) -> None:
        """Waits until something happens."""
        await asyncio.shield(self._turn)

    async def send(self, message: Message) -> None:
        """Takes what the application sends; waits where that is far ahead of all clients."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            body = message.get("body", b"")
            if body:
                self.parts.append(body)
                self._held += len(body)
            self.ended = not message.get("more_body", False)
        self.wake()
        while not self.ended and self._held > AHEAD:
            self.open = False
            self.drop()
            if self._held > AHEAD:
                await self.turn()

    def drop(self) -> None:
        """Lets go of the parts that every reader has taken."""
        slowest = min(self.readers.values(), default=self.first)
        while self.first < slowest:
            self._held -= len(self.parts.popleft())
            self.first += 1

    @property
    def whole(self) -> bool:
        """Whether the length of the answer is known, so that it can be kept."""
        assert self.start
        return any(name == b"content-length" for name, _ in self.start["headers"])


class Kept:
    """The layer; `now` gives what is served at the moment, `guard` who may ask."""

    def __init__(self, app: ASGIApp, now: Callable[[], Served], guard: Guard) -> None:
        self.app = app
        self.now = now
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request from what is kept, or from the application."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD", "POST"):
            await self.app(scope, receive, send)  # refused by all, without asking anything
            return
        begun = False

        async def tell(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            limits = self.guard.limits(scope)
            body = await _body(receive) if scope["method"] == "POST" else b""
            # only now, so that what is served does not change before the answer is begun
            request = _Request(scope, body, self.now(), limits)
            await self._answer(request, receive, tell)
        except ClientDisconnect:
            pass
        except Exception as error:
            if begun:  # what is cut off here the client must not take for the whole
                raise
            await answered(error)(scope, receive, send)

    async def _answer(self, request: _Request, receive: Receive, send: Send) -> None:
        answers = request.served.answers
        entry = answers.get(request.key)
        if not entry:
            running = answers.running.get(request.key)
            if not running or not running.open:
                self.guard.admit(request.scope)
                running = self._run(request, answers)
            entry = await _Follow(running, request, receive, send).entry()
        if entry:
            await _give(entry, request, send)

    def _run(self, request: _Request, answers: Answers) -> Running:
        running = answers.running[request.key] = Running()
        served = request.served
        served.users += 1

        given = iter([{"type": "http.request", "body": request.body, "more_body": False}])

        async def receive() -> Message:
            for message in given:
                return message
            await asyncio.Event().wait()  # clients are watched where they are answered
            raise ClientDisconnect

        async def run() -> None:
            try:
                await self.app(request.scope, receive, running.send)
            except Exception as error:
                running.error = error
            finally:
                running.ended = True
                if answers.running.get(request.key) is running:
                    del answers.running[request.key]
                served.users -= 1
                running.wake()

        running.task = asyncio.create_task(run())
        return running


class _Request:
    """What an answer depends on, and how this client wants it."""

    def __init__(self, scope: Scope, body: bytes, served: Served, limits: Limits) -> None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = headers[name] + b"," + value if name in headers else value
        self.head = scope["method"] == "HEAD"
        self.body = body
        self.served = served
        self.encoding = encoding(headers.get(b"accept-encoding", b""))
        self.tags = headers.get(b"if-none-match", b"")
        state = scope.get("state", {}) | {"served": served, "limits": limits}
        method = "GET" if self.head else scope["method"]
        self.scope = {**scope, "method": method, "state": state}
        asked = (b"host", b"accept", b"content-type")
        self.key = (
            method,
            scope["scheme"],
            scope["raw_path"],
            scope["query_string"],
            limits,
            *(headers.get(name) for name in asked),
            body,
        )


async def _body(receive: Receive) -> bytes:
    """The body of a request; PayloadError where it is too large or comes too slowly."""
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(PATIENCE):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY:
                    raise PayloadError(413, f"a request may have {BODY >> 10} KiB")
    except TimeoutError:
        raise PayloadError(408, f"the request was not there after {PATIENCE:g} s") from None
    return bytes(body)


def encoding(accepted: bytes) -> bytes:
    """The encoding that an Accept-Encoding header prefers of those offered, or none at all."""
    best, most = b"", 0.0
    ranges = dict(quality(part) for part in accepted.decode("latin-1").split(",") if part.strip())
    for name in ENCODERS:
        wanted = ranges.get(name.decode(), ranges.get("*", 0.0))
        if wanted > most:
            best, most = name, wanted
    return best


async def _give(entry: Entry, request: _Request, send: Send) -> None:
    """Sends a kept answer, or 304 where the client has it already."""
    plain = entry.bodies[b""]
    encoding = request.encoding if len(plain) >= SMALL else b""
    tag = b'"%s-%s"' % (entry.tag, encoding) if encoding else b'"%s"' % entry.tag
    headers = [*entry.headers, (b"etag", tag)]
    if encoding:
        headers.append((b"content-encoding", encoding))
    if request.tags and _matches(request.tags, tag):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    body = await entry.body(encoding)
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.head else body})


def _matches(tags: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names this tag (RFC 9110, section 13.1.2)."""
    given = [part.strip().removeprefix(b"W/") for part in tags.split(b",")]
    return tag in given or given == [b"*"]


def _revised(headers: Headers) -> Headers:
    """The headers of an answer, with what is true of all of them; its length is told elsewhere."""
    kept = [(name, value) for name, value in headers if name not in (b"content-length", b"vary")]
    vary = [v.strip() for name, value in headers if name == b"vary" for v in value.split(b",")]
    kept.append((b"vary", b", ".join([*vary, b"Accept-Encoding"])))
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-cache"))  # kept anywhere, asked for each time
    return kept


class _Follow:
    """One client that takes part in an answer on its way."""

    def __init__(self, running: Running, request: _Request, receive: Receive, send: Send) -> None:
        self.running = running
        self.request = request
        self.send = send
        self.receive = receive

    async def entry(self) -> Entry | None:
        """The answer, if it is one to be kept; else it has been sent, or its client has gone."""
        running = self.running
        running.readers[self] = 0
        watch = asyncio.create_task(self._until_gone())
        watch.add_done_callback(lambda _: running.wake())
        try:
            while not (running.ended or watch.done() or (running.start and not running.whole)):
                await running.turn()
            if watch.done():
                return None
            if running.error and not running.start:
                raise running.error
            if running.ended and running.whole:
                return await self._whole()
            await self._stream(watch)
            return None
        finally:
            watch.cancel()
            del running.readers[self]
            if running.readers:
                running.wake()
            elif running.task:
                running.task.cancel()

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _whole(self) -> Entry | None:
        """An entry made of the whole answer, where it may be kept; else it is sent."""
        start = self.running.start
        assert start
        headers = _revised(start["headers"])
        entry = Entry(headers, b"".join(self.running.parts))
        if start["status"] != 200:
            body = await entry.body(b"")
            length = [(b"content-length", b"%d" % len(body))]
            await self.send({**start, "headers": headers + length})
            await self.send(
                {"type": "http.response.body", "body": b"" if self.request.head else body}
            )
            return None
        answers = self.request.served.answers
        if not any(value == b"no-store" for name, value in headers if name == b"cache-control"):
            if kept := answers.get(self.request.key):
                return kept
            answers.put(self.request.key, entry)
        return entry

    async def _stream(self, watch: asyncio.Task[None]) -> None:
        """Sends the answer as it comes."""
        running, encoding = self.running, self.request.encoding
        assert running.start
        headers = _revised(running.start["headers"])
        if encoding:
            headers.append((b"content-encoding", encoding))
        await self.send({**running.start, "headers": headers})
        made, piece_end, stream_end = STREAMS.get(encoding, (_Plain, 0, 0))
        compressor = made()
        while not watch.done() and not self.request.head:
            at = running.readers[self]
            if at < running.first + len(running.parts):
                part = running.parts[at - running.first]
                running.readers[self] = at + 1
                running.wake()
                body = await asyncio.to_thread(_squeezed, compressor, part, piece_end)
                async with asyncio.timeout(PATIENCE):
                    await self.send({"type": "http.response.body", "body": body, "more_body": True})
            elif running.error:
                raise running.error
            elif running.ended:
                break
            else:
                await running.turn()
        last = compressor.flush(stream_end)
        await self.send({"type": "http.response.body", "body": b"" if self.request.head else last})


def _squeezed(compressor: Compressor, part: bytes, end: int) -> bytes:
    return compressor.compress(part) + compressor.flush(end)


class _Plain:
    """What leaves a stream as it is."""

    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self, _: int = 0) -> bytes:
        return b""
