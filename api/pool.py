"""Query processes: where they come from, how many answer at once, and how they are ended.

The server itself never evaluates a query, nor does it read one. A query that reaches a limit
costs the process that runs it, and nothing else; a new one takes its place.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

from kg.errors import LenkgError, LimitError, SnapshotError, revived
from kg.results import Limits
from kg.store import WHOLE, Dataset, Snapshot
from kg.worker import ANSWER, COMMAND, FRAME, NO_MEMORY

LONG = 0.1  # seconds after which a query gives up its place to the next
LONG_KNOWN = 10_000  # queries that are remembered to be long
QUEUE = 512  # requests that wait for a place
PATIENCE = 5.0  # seconds that they wait


class Worker:
    """One query process and the server's end of its socket."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.pid = pid
        self.reader = reader
        self.writer = writer
        self.why: LimitError | None = None  # the limit for which it is being ended
        self.ending: asyncio.Future[tuple[int, int]] | None = None

    async def frame(self) -> tuple[bytes, bytes]:
        """The next frame that it gives; IncompleteReadError where it has died."""
        kind, size = FRAME.unpack(await self.reader.readexactly(FRAME.size))
        return kind, await self.reader.readexactly(size)

    def yield_way(self) -> None:
        """Lets everything else on this machine go before it."""
        with suppress(ProcessLookupError):
            if hasattr(os, "SCHED_IDLE"):
                os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, self.pid, 19)


class Holder:
    """The process that holds a snapshot and forks the query processes (kg.worker)."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Starts the process; SnapshotError where the snapshot cannot be loaded."""
        self._commands, theirs = socket.socketpair()
        self._commands.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kg.worker", str(self.snapshot.path)],
                stdin=theirs.fileno(),
                start_new_session=True,  # the terminal's Ctrl-C is for the server alone
            )
        if not await asyncio.get_running_loop().sock_recv(self._commands, 1):
            self.close()
            raise SnapshotError(f"{self.snapshot.path} cannot be loaded")

    async def fork(self) -> Worker:
        """A new query process; where the holder has died, another takes its place.

        Must not be cancelled: the answer to a command would be taken for that to the next.
        """
        async with self._lock:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    pid, _ = await self._command(b"F", 0, theirs)
                except OSError:
                    logging.getLogger("lenkg").error("the process that holds the graph has died")
                    self.close()
                    await self.start()
                    pid, _ = await self._command(b"F", 0, theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        return Worker(pid, reader, writer)

    async def end(self, worker: Worker) -> tuple[int, int]:
        """Ends a query process; once it is dead gives its wait status and the memory it held."""
        if not worker.ending:
            worker.ending = asyncio.ensure_future(self._end(worker))
        return await asyncio.shield(worker.ending)

    async def _end(self, worker: Worker) -> tuple[int, int]:
        worker.writer.close()
        pause = 0.001
        while True:
            async with self._lock:
                try:
                    status, held = await self._command(b"E", worker.pid)
                except OSError:  # it has gone with its holder
                    return 0, 0
            if status >= 0:
                return status, held
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.1)

    async def _command(
        self, kind: bytes, pid: int, passed: socket.socket | None = None
    ) -> tuple[int, int]:
        message = COMMAND.pack(kind, pid)
        socket.send_fds(self._commands, [message], [passed.fileno()] if passed else [])
        answer = b""
        while len(answer) < ANSWER.size:
            part = await asyncio.get_running_loop().sock_recv(self._commands, ANSWER.size)
            if not part:
                raise BrokenPipeError
            answer += part
        first, second = ANSWER.unpack(answer)
        return int(first), int(second)

    def close(self) -> None:
        """Ends the process and, with it, all query processes."""
        if self._process:
            self._commands.close()
            self._process.kill()
            self._process.wait()


class Reply:
    """An answer as it comes: its head, then its pieces, each of whole rows.

    After the last piece `truncated` says why the answer is not whole, or is None.
    """

    def __init__(self, head: dict[str, Any], first: tuple[bytes, bytes], pool: Pool, run: _Run):
        self.media_type = str(head["type"])
        self.form = str(head["form"])
        self.steady = bool(head["steady"])
        self.truncated: str | None = head["truncated"]
        self._next = first
        self._pool = pool
        self._run = run

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces as they come."""
        kind, content = self._next
        while kind == b"D":
            yield content
            kind, content = await self._pool.frame(self._run)
        self.truncated = json.loads(content)["truncated"]


class _Run:
    """One query on its way: its process, its place, and since when."""

    def __init__(self, key: int, limits: Limits) -> None:
        self.key = key
        self.limits = limits
        self.long = False
        self.worker: Worker | None = None
        self.begun = 0.0
        self.ended = False
        self.timers: list[asyncio.TimerHandle] = []


class Pool:
    """Places for queries: some for short ones, and some for those that turn out to be long.

    Every query begins in a short place. One that runs longer than LONG moves to a long place,
    where it gives way to everything else on the machine; where all long places are taken it is
    ended. So short queries never wait for long ones.
    """

    def __init__(self, holder: Holder, short: int, long: int) -> None:
        self.holder = holder
        self._free = short
        self._free_long = long
        self._idle: list[Worker] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._long_known: OrderedDict[int, None] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def ask(
        self,
        text: str,
        types: Mapping[str, str | None],
        limits: Limits,
        dataset: Dataset = WHOLE,
        accept: str | None = None,
    ) -> AsyncIterator[Reply]:
        """The answer to a query, in the media type that `types` gives for its form.

        Where that is None, nothing of what the client has said to `accept` is offered.

        Its process is ended when a limit is reached, or when the block is left before the
        answer has ended. Raises LimitError, QueryError, RefusedError and NotAcceptableError;
        LimitError also from the answer's pieces.
        """
        request = {
            "query": text,
            "types": types,
            "accept": accept,
            "dataset": dataset,
            "limits": limits,
        }
        encoded = json.dumps(request).encode()
        message = FRAME.pack(b"Q", len(encoded)) + encoded
        run = _Run(hash((text, dataset)), limits)
        await self._take_place(run)
        try:
            yield await self._begin(run, message)
        finally:
            self._leave(run)

    async def whole(
        self,
        text: str,
        types: Mapping[str, str | None],
        limits: Limits,
    ) -> tuple[str, bytes]:
        """The whole answer to a query as (media type, bytes); LimitError where it is cut."""
        async with self.ask(text, types, limits) as reply:
            payload = b"".join([piece async for piece in reply])
            if reply.truncated:
                raise LimitError(reply.truncated, "size")
            return reply.media_type, payload

    async def _begin(self, run: _Run, message: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        for attempt in range(2):
            run.worker = worker = (
                self._idle.pop() if self._idle and not attempt else await self._forked()
            )
            run.begun = loop.time()
            run.timers = [loop.call_later(run.limits.seconds, self._too_long, run)]
            if run.long:
                worker.yield_way()
            else:
                run.timers.append(loop.call_later(LONG, self._turns_long, run))
            try:
                worker.writer.write(message)
                kind, content = await self.frame(run)
                break
            except ConnectionError:  # somebody else has ended the process: once more
                if attempt:
                    raise LimitError(
                        "the query process has died twice; try again soon", "places", retry=1
                    ) from None
        if kind == b"H":
            return Reply(json.loads(content), await self.frame(run), self, run)
        raise LenkgError("a query process gave an answer without a head")

    async def _forked(self) -> Worker:
        """A new process; if its query is called off meanwhile, it is there for another."""
        forking = asyncio.ensure_future(self.holder.fork())
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(self._spare)
            raise

    def _spare(self, forking: asyncio.Future[Worker]) -> None:
        if not forking.cancelled() and not forking.exception():
            self._idle.append(forking.result())

    async def frame(self, run: _Run) -> tuple[bytes, bytes]:
        """The next frame of a running query.

        Raises what the query has come to, and ConnectionError where its process was ended by
        nobody here.
        """
        worker = run.worker
        assert worker
        try:
            kind, content = await worker.frame()
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._died(run, worker)
        if kind == b"E":
            end = json.loads(content)
            run.ended = not end.get("worn")
            if "error" in end:
                raise revived(end["error"], end["message"], end["more"])
        return kind, content

    async def _died(self, run: _Run, worker: Worker) -> NoReturn:
        run.worker = None
        for timer in run.timers:
            timer.cancel()
        seconds = asyncio.get_running_loop().time() - run.begun
        status, held = await self.holder.end(worker)
        if worker.why:
            worker.why.seconds = round(seconds, 2)
            raise worker.why
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL or (code == 0 and held == 0):
            raise ConnectionResetError
        if code not in (-signal.SIGABRT, -signal.SIGSEGV, NO_MEMORY):
            raise RuntimeError(f"a query process has ended with code {code}")
        if held < run.limits.memory // 8:
            what = "is nested too deeply for the engine; flatten it"
        else:
            what = (
                f"needed more memory than a query may use here (it held {held >> 20} MiB); "
                "sort or group fewer rows"
            )
        raise LimitError(
            f"the query was ended after {seconds:.1f} s since it {what}", "memory", seconds
        )

    async def _take_place(self, run: _Run) -> None:
        if run.key in self._long_known:
            if not self._free_long:
                raise _long_places_taken(run.limits)
            self._free_long -= 1
            run.long = True
            return
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= QUEUE:
            raise LimitError("too many queries wait here already; try again soon", "queue", retry=2)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), PATIENCE)
        except BaseException as error:
            if turn.done():
                self._give_place()
            turn.cancel()
            if isinstance(error, TimeoutError):
                raise LimitError(
                    f"no place was free for {PATIENCE:g} s; try again soon", "queue", retry=2
                ) from None
            raise

    def _give_place(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _turns_long(self, run: _Run) -> None:
        """The query is long: another may begin in its place."""
        assert run.worker
        self._long_known[run.key] = None
        self._long_known.move_to_end(run.key)
        if len(self._long_known) > LONG_KNOWN:
            self._long_known.popitem(last=False)
        if not self._free_long:
            self._end(run, _long_places_taken(run.limits))
            return
        self._free_long -= 1
        run.long = True
        run.worker.yield_way()
        self._give_place()

    def _too_long(self, run: _Run) -> None:
        assert run.worker
        seconds = asyncio.get_running_loop().time() - run.begun
        why = LimitError(
            f"the query was ended after {seconds:.1f} s, the longest that a query may run here; "
            "join its patterns by common variables, or ask for fewer rows",
            "time",
            seconds,
        )
        self._end(run, why)

    def _end(self, run: _Run, why: LimitError) -> None:
        """Ends the process of a query, whose reader then finds it dead, and why."""
        if run.worker and not run.worker.why:
            run.worker.why = why
            self._later(self.holder.end(run.worker))

    def _leave(self, run: _Run) -> None:
        """Gives the place of a query to the next; its process too, if it is as good as new."""
        for timer in run.timers:
            timer.cancel()
        if run.worker:
            if run.ended and not run.long and not run.worker.why:
                self._idle.append(run.worker)
            else:
                self._later(self.holder.end(run.worker))
        if run.long:
            self._free_long += 1
        else:
            self._give_place()

    def _later(self, what: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _long_places_taken(limits: Limits) -> LimitError:
    return LimitError(
        "all places for long queries are taken; try again soon, or ask for less: a query that "
        f"takes less than {LONG:g} s always finds a place",
        "places",
        LONG,
        retry=round(limits.seconds) or 1,
    )
