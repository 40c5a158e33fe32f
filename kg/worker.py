"""Processes that answer queries and can be killed at any moment.

`python -m kg.worker SNAPSHOT` is the holder: it loads a snapshot once and then does nothing but
fork query processes, which share the loaded graph. A query process gives up the right to open
any file or socket, so that no query can reach the disk or the network, and takes requests over
a socket that the server has passed in. When the server goes, all of them go.

The holder takes commands of five bytes on standard input, a socket, and answers with two numbers:

    F 0     with a socket: fork a query process on it; the answer is its process number, and 0
    E pid   kill a query process; the answer is its wait status (-1: not dead yet), and the most
            memory that it held beyond what it shares, in bytes

A query process takes and gives frames, a letter and a length before their content:

    Q       the request: {"query": …, "types": {form: media type or null}, "accept": …,
            "dataset": [default, named], "limits": […]}
    H       the head of the answer: {"type": …, "form": …, "steady": …, "truncated": …}
    D       a piece of it, which ends after a whole row
    E       the end: {"truncated": sentence or null, "worn": whether this process should be
            replaced}, or {"error": class, "message": …, "more": what it carries}
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from kg.errors import LenkgError, NotAcceptableError
from kg.results import Limits, formats_for, write
from kg.store import Dataset, Engine, Snapshot, Store, faults
from kg.terms import prefixes

LINUX = sys.platform == "linux"
COMMAND = struct.Struct(">cI")
ANSWER = struct.Struct(">qq")
FRAME = struct.Struct(">cI")
PR_SET_PDEATHSIG = 1  # prctl(2)
NO_MEMORY = 3  # the exit code of a query process that was refused memory


def hold(engine: Engine, commands: socket.socket) -> None:
    """Forks and kills query processes as told, until the server goes; all of them go then."""
    prefixes()  # read while files may still be opened
    gc.collect()
    gc.freeze()  # so that the collector does not write to what is shared
    shared, workers = _most_held(resource.RUSAGE_SELF), set[int]()
    commands.sendall(b"!")
    while True:
        message, passed, _, _ = socket.recv_fds(commands, COMMAND.size, 1)
        if len(message) < COMMAND.size:
            break
        kind, pid = COMMAND.unpack(message)
        if kind == b"F":
            pid = _fork(engine, commands, passed[0])
            os.close(passed[0])
            workers.add(pid)
            commands.sendall(ANSWER.pack(pid, 0))
        elif pid in workers:
            os.kill(pid, signal.SIGKILL)
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                workers.remove(pid)
            held = (usage.ru_maxrss << (10 if LINUX else 0)) - shared
            commands.sendall(ANSWER.pack(status if ended else -1, held))
        else:  # of a holder before this one, with which it has gone
            commands.sendall(ANSWER.pack(0, 0))
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


def _fork(engine: Engine, commands: socket.socket, descriptor: int) -> int:
    holder, pid = os.getpid(), os.fork()
    if pid:
        return pid
    code = 0
    try:
        if LINUX:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == holder:
            commands.close()
            _Worker(engine, socket.socket(fileno=descriptor)).run()
    except MemoryError:
        code = NO_MEMORY
    except ConnectionError:  # nobody waits for the answer any more
        pass
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)  # nothing of the holder's is to be tidied up here


class _Worker:
    """One query process: answers requests on a socket until it is closed."""

    def __init__(self, engine: Engine, connection: socket.socket) -> None:
        self.engine = engine.opened()
        self.requests = connection.makefile("rb")
        self.answers = connection.makefile("wb", 256 << 10)
        self.space = _address_space()
        self.held = _most_held(resource.RUSAGE_SELF)
        if engine.embedded:
            free = os.dup(connection.fileno())  # the lowest number that is free
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))

    def run(self) -> None:
        """Answers until the other end is closed."""
        while start := self.requests.read(FRAME.size):
            request = json.loads(self.requests.read(FRAME.unpack(start)[1]))
            limits = Limits(*request["limits"])
            self._limit(limits)
            try:
                with faults():
                    end = self._answer(request, limits)
            except LenkgError as error:
                end = {"error": type(error).__name__, "message": str(error), "more": vars(error)}
            self._frame(b"E", end)
            self.answers.flush()

    def _answer(self, request: dict[str, Any], limits: Limits) -> dict[str, Any]:
        text, dataset = request["query"], Dataset(*map(tuple, request["dataset"]))
        wanted = self.engine.asked(text, dataset)
        media_type = request["types"][wanted.form]
        if media_type is None:
            raise NotAcceptableError(request["accept"], formats_for(wanted.form))
        head = {"type": media_type, "form": wanted.form, "steady": wanted.steady}
        pieces = 0

        def begin(truncated: str | None) -> None:
            head["truncated"] = truncated

        def send(piece: bytes) -> None:
            nonlocal pieces
            if not pieces:
                self._frame(b"H", head)
            pieces += 1
            self.answers.write(FRAME.pack(b"D", len(piece)))
            self.answers.write(piece)

        truncated = write(
            self.engine.evaluate(text, dataset, wanted, {}), media_type, send, limits, begin
        )
        worn = _most_held(resource.RUSAGE_SELF) - self.held > limits.memory // 4
        return {"truncated": truncated, "worn": worn}

    def _frame(self, kind: bytes, content: dict[str, Any]) -> None:
        encoded = json.dumps(content).encode()
        self.answers.write(FRAME.pack(kind, len(encoded)) + encoded)

    def _limit(self, limits: Limits) -> None:
        """Bounds memory and, should nobody be left to end this process, its seconds."""
        if LINUX:  # elsewhere the kernel does not bound the address space
            resource.setrlimit(
                resource.RLIMIT_AS, (self.space + limits.memory, resource.RLIM_INFINITY)
            )
        seconds = int(time.process_time() + limits.seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _address_space() -> int:
    if not LINUX:
        return 0
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _most_held(whose: int) -> int:
    """The most memory that a process has held so far, in bytes."""
    return resource.getrusage(whose).ru_maxrss << (10 if LINUX else 0)


if __name__ == "__main__":
    hold(Store(Snapshot(Path(sys.argv[1]))), socket.socket(fileno=0))
