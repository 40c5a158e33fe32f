"""Load on a server by `wrk`, of which every request may be another query."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from tests.bench.servers import JSON, Server

SCRIPT = Path(__file__).with_name("load.lua")
PREFIXES = """\
PREFIX lenkg: <https://w3id.org/lenkg/ontology/>
PREFIX measure: <https://w3id.org/lenkg/measure/>
PREFIX population: <https://w3id.org/lenkg/population/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""
_NUMBERS: Iterator[int] = count(1_000_000, 1_000_000)


class Load(NamedTuple):
    """What a server did under load: answers a second, latencies in ms, and failed requests."""

    rate: float
    p50: float
    p99: float
    errors: float


def load(server: Server, query: str, studies: Path, connections: int, seconds: int) -> Load:
    """Asks a query over so many connections.

    Where it has STUDY or NUMBER, each request puts another one in place: the file `studies` has
    a slug on each line, and no number comes twice in a run. The client uses one thread.
    """
    if not shutil.which("wrk"):
        raise SystemExit("this part needs wrk; install the Debian package wrk")
    target = f"{urlsplit(server.address).path}?query={quote(PREFIXES + query)}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    command += ["-H", f"Accept: {JSON['Accept']}", "-s", str(SCRIPT), server.address]
    done = subprocess.run(
        [*command, "--", target, str(next(_NUMBERS)), str(studies)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return Load(told["requests"] / told["seconds"], told["p50"], told["p99"], told["errors"])
