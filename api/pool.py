"""Processes that answer queries and are killed when they reach a limit.

The server itself never evaluates a query. A query that runs too long costs the process
that runs it, and nothing else; a new one takes its place.
"""

from __future__ import annotations

import json
import os
import queue
import select
import struct
import subprocess
import sys
import time
from typing import Any

from kg import errors
from kg.errors import LimitError
from kg.store import WHOLE, Dataset, Snapshot

MOST_BYTES = 64 << 20  # of one answer


class _Worker:
    """One process of kg.worker and the two ends of its pipes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kg.worker", str(snapshot.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.ready = False

    def ask(self, request: dict[str, Any], until: float) -> tuple[dict[str, Any], bytes]:
        """Head and payload of the answer; TimeoutError at `until`, EOFError if the process dies."""
        if not self.ready:
            self._receive(until)
            self.ready = True
        encoded = json.dumps(request).encode()
        self._send(struct.pack(">I", len(encoded)) + encoded, until)
        return self._receive(until)

    def _send(self, data: bytes, until: float) -> None:
        assert self.process.stdin
        descriptor = self.process.stdin.fileno()
        os.set_blocking(descriptor, False)
        while data:
            self._wait(descriptor, select.POLLOUT, until)
            try:
                data = data[os.write(descriptor, data) :]
            except BrokenPipeError as error:
                raise EOFError from error

    def _receive(self, until: float) -> tuple[dict[str, Any], bytes]:
        (size,) = struct.unpack(">I", self._read(4, until))
        head: dict[str, Any] = json.loads(self._read(size, until))
        (size,) = struct.unpack(">Q", self._read(8, until))
        if size > MOST_BYTES:
            raise OverflowError
        return head, self._read(size, until)

    def _read(self, size: int, until: float) -> bytes:
        assert self.process.stdout
        descriptor = self.process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            self._wait(descriptor, select.POLLIN, until)
            part = os.read(descriptor, size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    @staticmethod
    def _wait(descriptor: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


class Pool:
    """A fixed number of processes that hold one snapshot, each answering one query at a time."""

    def __init__(self, snapshot: Snapshot, size: int = 2, seconds: float = 10.0) -> None:
        self.snapshot = snapshot
        self.seconds = seconds
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(_Worker(snapshot))
        self._size = size

    def query(
        self, text: str, media_type: str | None = None, dataset: Dataset = WHOLE
    ) -> tuple[str, bytes]:
        """The answer as (media type, bytes); see kg.store.Store.query for formats and errors.

        Raises LimitError where the query runs longer than `seconds`, needs too much memory or
        gives too large an answer, and where no process is free for as long.
        """
        try:
            worker = self._idle.get(timeout=self.seconds)
        except queue.Empty:
            raise LimitError(
                f"all {self._size} query processes were busy for {self.seconds:g} s; try again soon"
            ) from None
        begun = time.monotonic()
        try:
            request = {"query": text, "type": media_type, "dataset": dataset}
            head, payload = worker.ask(request, begun + self.seconds)
        except (TimeoutError, EOFError, OverflowError) as error:
            worker.kill()
            worker = _Worker(self.snapshot)
            raise LimitError(_limit(error, time.monotonic() - begun)) from None
        finally:
            self._idle.put(worker)
        if "error" in head:
            kind = getattr(errors, head.pop("error"))
            raise kind(head.pop("message"), **head)
        return str(head["type"]), payload

    def close(self) -> None:
        """Ends all processes; waits for those that are answering."""
        for _ in range(self._size):
            self._idle.get().kill()


def _limit(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return (
            f"the query was ended after {seconds:.1f} s, the longest a query may run here; "
            "join its patterns by common variables, or ask for fewer rows"
        )
    if isinstance(error, OverflowError):
        return f"the answer is larger than {MOST_BYTES >> 20} MiB; ask for fewer rows"
    return (
        f"the query was ended after {seconds:.1f} s since it needed more memory than a query may "
        "use here, or is nested too deeply; sort or group fewer rows, or flatten it"
    )
