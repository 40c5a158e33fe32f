"""A process that answers queries over a pipe and can be killed at any moment.

It loads a snapshot into memory, then gives up the right to open any file or socket,
so no query can reach the network or the disk. Requests and answers are frames: a
length of four or eight bytes, then a JSON head or the payload.

    request   head {"query": …, "type": media type or null, "dataset": [default, named]}
    answer    head {"type": media type} or {"error": class, "message": …, …}, then the payload
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from kg.errors import LenkgError, QueryError
from kg.store import Dataset, Snapshot, Store
from kg.terms import prefixes

MEMORY = 2 << 30  # bytes of address space that a query may use beyond the loaded graph


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        sys.exit(0)  # the parent has gone
    return data


def _reply(out: BinaryIO, head: dict[str, object], payload: bytes = b"") -> None:
    encoded = json.dumps(head).encode()
    out.write(struct.pack(">I", len(encoded)) + encoded + struct.pack(">Q", len(payload)))
    out.write(payload)
    out.flush()


def _limit() -> None:
    if sys.platform == "linux":  # elsewhere the kernel does not bound the address space
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def main() -> None:
    """Serve the snapshot whose folder is the first argument until standard input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    store = Store(Snapshot(Path(sys.argv[1])))
    prefixes()  # read while files may still be opened
    _limit()
    _reply(answers, {"type": "ready"})
    while True:
        (size,) = struct.unpack(">I", _read(requests, 4))
        request = json.loads(_read(requests, size))
        try:
            dataset = Dataset(*map(tuple, request["dataset"]))
            media_type, payload = store.query(request["query"], request["type"], dataset)
            _reply(answers, {"type": media_type}, payload)
        except LenkgError as error:
            place = vars(error) if isinstance(error, QueryError) else {}
            _reply(answers, {"error": type(error).__name__, "message": str(error)} | place)


if __name__ == "__main__":
    main()
