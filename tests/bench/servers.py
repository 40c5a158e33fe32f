"""LenKG and its rivals as servers of the same graph, each started and ended here.

Rivals: `oxigraph serve` in memory and rdflib-endpoint, both from PyPI (extra `bench`), and
Virtuoso where the Debian package virtuoso-opensource-7 is installed. All answer from the union of
the named graphs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kg.store import Snapshot
from tests.program import started

BIN = Path(sys.executable).parent
JSON = {"Accept": "application/sparql-results+json"}
PAGE, TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
VIRTUOSO = """\
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
[TempDatabase]
DatabaseFile = {folder}/virtuoso-temp.db
TransactionFile = {folder}/virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql}
DisableUnixSocket = 1
DirsAllowed = {folder}, {data}
NumberOfBuffers = 170000
MaxDirtyBuffers = 130000
MaxQueryMem = 2G
ThreadsPerQuery = 2
MaxClientConnections = 100
[HTTPServer]
ServerPort = 127.0.0.1:{http}
ServerRoot = {folder}
ServerThreads = 100
MaxClientConnections = 100
MaxKeepAlives = 100
KeepAliveTimeout = 60
[SPARQL]
ResultSetMaxRows = 1000000
MaxQueryCostEstimationTime = 400
MaxQueryExecutionTime = 10
"""


@dataclass(frozen=True)
class Server:
    """A running server: its name, the address that takes `?query=`, and its first process."""

    name: str
    address: str
    process: int

    def rows(self, query: str, seconds: float = 60) -> int:
        """The number of rows of an answer; httpx.HTTPError where there is none."""
        answer = httpx.get(self.address, params={"query": query}, headers=JSON, timeout=seconds)
        answer.raise_for_status()
        return len(answer.json()["results"]["bindings"])

    def _stat(self) -> Iterator[list[str]]:
        """/proc/<pid>/stat of its processes, from the state on."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                found[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
        ours, todo = set[int](), [self.process]
        while todo:
            ours.add(parent := todo.pop())
            todo += [pid for pid, fields in found.items() if int(fields[1]) == parent]
        return (found[pid] for pid in ours if pid in found)

    def memory(self) -> float:
        """The resident memory of all its processes, in MiB; shared pages count in each."""
        return sum(int(fields[21]) for fields in self._stat()) * PAGE / 2**20

    def cpu(self) -> float:
        """The seconds of processor time that its processes have used, and those that have ended."""
        return sum(sum(map(int, fields[11:15])) for fields in self._stat()) / TICK


Start = Callable[[Snapshot], AbstractContextManager[Server]]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(name: str, command: list[str], address: str, seconds: float) -> Iterator[Server]:
    """A server that answers within so many seconds, and is ended with its block."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            server = Server(name, address, process.pid)
            _wait(server, process, seconds)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(server: Server, process: subprocess.Popen[Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{server.name} ended with code {process.returncode}")
        try:
            server.rows("SELECT ?s WHERE { ?s ?p ?o } LIMIT 1", 5)
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"{server.name} gave no answer in {seconds:g} s")


@contextmanager
def lenkg(snapshot: Snapshot) -> Iterator[Server]:
    """`lenkg serve`, as it is without options."""
    environment = os.environ | {"LENKG_BUILD": str(snapshot.path.parents[1])}
    with started(environment) as (address, process):
        server = Server("LenKG", f"{address}/sparql", process.pid)
        _wait(server, process, 60)
        yield server


@contextmanager
def oxigraph(snapshot: Snapshot, *options: str) -> Iterator[Server]:
    """`oxigraph serve` in memory, as it is unless options are given.

    With `--timeout-s` it keeps a thread for each query until that time is over, and ends where
    the machine allows no more of them; so it cannot be put under load with it.
    """
    place = f"127.0.0.1:{_free_port()}"
    command = [str(BIN / "oxigraph"), "serve", "--bind", place, "--union-default-graph", *options]
    name = " ".join(["oxigraph serve", *options])
    with _running(name, command, f"http://{place}/query", 20) as server:
        with snapshot.quads.open("rb") as file:
            httpx.post(
                f"http://{place}/store?no_transaction",
                content=file,
                headers={"Content-Type": "application/n-quads"},
                timeout=600,
            ).raise_for_status()
        yield server


@contextmanager
def rdflib_endpoint(snapshot: Snapshot) -> Iterator[Server]:
    """rdflib-endpoint with rdflib's own store."""
    port = _free_port()
    command = [str(BIN / "rdflib-endpoint"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}/"
    with _running("rdflib-endpoint", [*command, str(snapshot.quads)], address, 120) as server:
        yield server


@contextmanager
def virtuoso(snapshot: Snapshot) -> Iterator[Server]:
    """Virtuoso, loaded by its bulk loader."""
    with tempfile.TemporaryDirectory() as folder:
        sql, http = _free_port(), _free_port()
        configuration = Path(folder) / "virtuoso.ini"
        configuration.write_text(
            VIRTUOSO.format(folder=folder, data=snapshot.path, sql=sql, http=http), encoding="utf-8"
        )
        command = ["virtuoso-t", "+foreground", "+configfile", str(configuration)]
        with _running("Virtuoso", command, f"http://127.0.0.1:{http}/sparql", 60) as server:
            load = f"ld_dir('{snapshot.path}', 'lenkg.nq', 'urn:x'); rdf_loader_run(); checkpoint;"
            subprocess.run(
                ["isql-vt", f"127.0.0.1:{sql}", "dba", "dba", f"exec={load}"],
                check=True,
                capture_output=True,
                timeout=600,
            )
            yield server


def servers() -> list[Start]:
    """LenKG and the rivals that are installed here."""
    return [lenkg, oxigraph, rdflib_endpoint, *([virtuoso] if shutil.which("virtuoso-t") else [])]
