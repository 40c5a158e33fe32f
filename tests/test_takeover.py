"""A new snapshot takes over while requests go on, and a killed process leaves nothing broken."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from kg.build import pack
from kg.rq import canonical
from kg.store import Snapshot, Store, current
from tests.program import children, serving, started
from tests.test_limits import eventually

COUNT = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
KILLS = 50


@pytest.fixture
def folder(snapshot: Snapshot, tmp_path: Path) -> Path:
    """A folder of snapshots of its own, with the one of this session."""
    out = tmp_path / "build"
    shutil.copytree(snapshot.path.parents[1], out, symlinks=True)
    return out


@pytest.fixture
def own(environment: dict[str, str], folder: Path) -> dict[str, str]:
    return environment | {"LENKG_BUILD": str(folder)}


def grown(folder: Path, number: int) -> Snapshot:
    """The next snapshot: one statement more."""
    last = current(folder)
    quads = list(ox.parse(path=last.quads, format=ox.RdfFormat.N_QUADS))
    name = ox.NamedNode(f"https://example.org/{number}")
    quads.append(ox.Quad(name, name, name, ox.NamedNode(min(last.graphs))))
    return pack(folder, canonical(quads), last.beside, last.manifest["inputs"])


def is_served(client: httpx.Client, version: str) -> bool:
    return bool(client.get("/version").json()["snapshot"] == version)


def are_gone(pids: list[int]) -> bool:
    """Whether these processes have ended; one that waits to be collected has no command line."""
    lines = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    return not any(line.exists() and line.read_bytes() for line in lines)


def test_a_new_snapshot_is_taken_over_without_dropping_or_mixing(
    own: dict[str, str], folder: Path
) -> None:
    first = current(folder)
    counts = {first.version: first.manifest["quads"]}
    seen: list[tuple[int, str]] = []
    stop = threading.Event()

    with started(own) as (address, process):

        def ask(thread: int) -> None:
            with httpx.Client(base_url=address, timeout=30) as client:
                number = 0
                while not stop.is_set():
                    number += 1
                    query = f"{COUNT} # {thread} {number if number % 2 else 0}"
                    answer = client.get("/sparql", params={"query": query})
                    assert answer.status_code == 200, answer.text
                    described = client.get("/version")
                    assert described.status_code == 200, described.text
                    (row,) = answer.json()["results"]["bindings"]
                    seen.append((int(row["n"]["value"]), described.json()["snapshot"]))

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        with httpx.Client(base_url=address, timeout=30) as client:
            for number in range(3):
                time.sleep(0.5)
                newer = grown(folder, number)
                counts[newer.version] = newer.manifest["quads"]
                assert eventually(partial(is_served, client, newer.version))
            assert eventually(lambda: len(children(process.pid)) == 1), "an old holder is left"
        stop.set()
        for thread in threads:
            thread.join()
    assert {n for n, _ in seen} == set(counts.values())
    assert {version for _, version in seen} == set(counts)
    for n, version in seen:  # the version was asked after the count: it is as new, or newer
        assert n <= counts[version]


def test_a_request_that_comes_slowly_is_answered_by_what_is_served_then(
    own: dict[str, str], folder: Path
) -> None:
    with (
        started(own) as (address, process),
        httpx.Client(base_url=address) as client,
        ThreadPoolExecutor() as threads,
    ):
        whole = threading.Event()

        def body() -> Iterator[bytes]:
            yield COUNT.encode()
            whole.wait(20)
            yield b" # and its end"

        headers = {"Content-Type": "application/sparql-query"}
        asked = threads.submit(client.post, "/sparql", content=body(), headers=headers)
        time.sleep(0.3)
        newer = grown(folder, 1)
        with httpx.Client(base_url=address) as other:
            assert eventually(partial(is_served, other, newer.version))
        assert eventually(lambda: len(children(process.pid)) == 1)
        whole.set()
        (row,) = asked.result().json()["results"]["bindings"]
        assert int(row["n"]["value"]) == newer.manifest["quads"]
        assert len(children(process.pid)) == 1, "the old snapshot is held again"


def test_a_damaged_snapshot_is_not_taken_over(own: dict[str, str], folder: Path) -> None:
    good = current(folder).version
    with serving(own) as address, httpx.Client(base_url=address) as client:
        newer = grown(folder, 1)
        newer.quads.write_text("this is not N-Quads\n", encoding="utf-8")
        time.sleep(2.5)
        assert client.get("/version").json()["snapshot"] == good
        assert client.get("/sparql", params={"query": COUNT}).status_code == 200
        grown_again = good
        shutil.rmtree(newer.path)
        (folder / "current").unlink()
        (folder / "current").symlink_to(Path("snapshots") / grown_again)
        assert client.get("/health").status_code == 200


def consistent(folder: Path) -> None:
    """What stands in the folder is a whole snapshot."""
    snapshot = current(folder)
    lines = snapshot.quads.read_bytes().count(b"\n")
    assert lines == snapshot.manifest["quads"]
    Store(snapshot)


@pytest.fixture
def build_command(folder: Path) -> list[str]:
    """A build of a snapshot that is new each time, as `lenkg build` puts it into place."""
    script = folder.parent / "grow.py"
    script.write_text(
        "import sys; from pathlib import Path; from tests.test_takeover import grown\n"
        "grown(Path(sys.argv[1]), int(sys.argv[2]))\n",
        encoding="utf-8",
    )
    return [sys.executable, str(script), str(folder)]


def test_fifty_kills_at_any_moment_leave_a_consistent_state(
    own: dict[str, str], folder: Path, build_command: list[str]
) -> None:
    """Server, holder, worker or build: kill -9 at random moments, fifty times."""
    dice = random.Random(1)
    own = own | {"PYTHONPATH": str(Path(__file__).parents[1])}
    killed: dict[str, int] = {}
    kills = 0
    while kills < KILLS:
        with (
            started(own) as (address, server),
            httpx.Client(base_url=address, timeout=30) as client,
        ):
            while kills < KILLS:
                victim = dice.choice(["server", "holder", "worker", "worker", "build", "build"])
                killed[victim] = killed.get(victim, 0) + 1
                kills += 1
                answer = client.get("/sparql", params={"query": f"{COUNT} # {kills}"})
                assert answer.status_code == 200, answer.text
                if victim == "build":
                    process = subprocess.Popen([*build_command, str(kills)], env=own)
                    time.sleep(dice.uniform(0.1, 1.6))
                    process.kill()
                    process.wait()
                    consistent(folder)
                    continue
                holders = children(server.pid)
                if victim == "server":
                    server.kill()
                    server.wait()
                    gone = [server.pid, *holders]
                    assert eventually(partial(are_gone, gone)), "processes are left behind"
                    break
                pids = holders if victim == "holder" else children(holders[0])
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                answer = client.get("/sparql", params={"query": f"{COUNT} # after {kills}"})
                assert answer.status_code == 200, answer.text
    consistent(folder)
    assert set(killed) == {"server", "holder", "worker", "build"}
    grown(folder, 1000)
    assert not list(folder.glob(".new-*")), "what killed builds have left is tidied up"
