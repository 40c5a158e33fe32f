"""What becomes of ordinary queries while killer queries run, and of the killers.

Each server is started anew with the real graph. One client asks small different queries, one
after the other: first alone, then while four others send killers, each the six kinds in turn. Then
the four leave, and the processor time that the server goes on using is measured.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event

import httpx

from kg.build import build
from tests.bench.load import PREFIXES
from tests.bench.results import percentile, report
from tests.bench.servers import JSON, Server, Start, oxigraph, servers

ALONE, TOGETHER, AFTERWARDS = 5, 26, 3  # seconds
PATIENCE = 10  # seconds that a client waits; an ordinary query that takes longer has failed
PAUSE = 0.1  # seconds after a failure, or after a killer has ended
CLIENTS = 4
KILLERS = {
    "Cartesian product under COUNT": """SELECT (COUNT(*) AS ?n) WHERE {
        ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }""",
    "sort of millions": """SELECT ?c ?f WHERE { ?a lenkg:statedIn ?c . ?d lenkg:printed ?f }
        ORDER BY DESC(?f) ?c LIMIT 10""",
    "deep path": """SELECT (COUNT(*) AS ?n) WHERE {
        ?a (lenkg:hasStatement|lenkg:statedIn|lenkg:within
            |^lenkg:hasStatement|^lenkg:statedIn|^lenkg:within)* ?b }""",
    "catastrophic regular expression": """SELECT (COUNT(*) AS ?n) WHERE {
        ?a lenkg:printed ?c . ?d lenkg:printed ?f
        FILTER(REGEX(CONCAT(?c, ?f), "^(([A-Za-z0-9]+ ?)+,? ?)+#$")) }""",
    "huge VALUES": "SELECT (COUNT(*) AS ?n) WHERE { VALUES ?x { "
    + " ".join(map(str, range(60_000)))
    + " } VALUES ?y { "
    + " ".join(map(str, range(60_000)))
    + " } FILTER(?x * ?y = 7) }",
    "1 MB text": "SELECT (COUNT(*) AS ?n) WHERE { ?a lenkg:value ?v FILTER(?v > 1"
    + "-1" * 500_000
    + ") }",
}
ORDINARY = """SELECT ?arm ?outcome ?value WHERE {
  ?result lenkg:ofStudy <https://w3id.org/lenkg/study/griffin> ; lenkg:ofArm/rdfs:label ?arm ;
    lenkg:measure/rdfs:label ?outcome ; lenkg:value ?value . FILTER(?value > 0.NUMBER)
}"""


@dataclass
class Asked:
    """How long ordinary queries took, in ms, and how many failed."""

    times: list[float] = field(default_factory=list)
    failed: int = 0


def ordinary(server: Server, seconds: float, first: int) -> Asked:
    """Asks different small queries for so long; one that fails counts as long as PATIENCE."""
    asked, until = Asked(), time.monotonic() + seconds
    with httpx.Client(timeout=PATIENCE, headers=JSON) as client:
        while (begun := time.monotonic()) < until:
            text = PREFIXES + ORDINARY.replace("NUMBER", str(first + len(asked.times)))
            try:
                answer = client.get(server.address, params={"query": text})
                good = answer.status_code == 200 and answer.json()["results"]["bindings"]
            except (httpx.HTTPError, ValueError):
                good = False
            if good:
                asked.times.append((time.monotonic() - begun) * 1000)
            else:
                asked.times.append(PATIENCE * 1000)
                asked.failed += 1
                time.sleep(PAUSE)
    return asked


def killer(
    address: str, number: int, over: Event, fates: SimpleQueue[tuple[str, str, float]]
) -> None:
    """Sends killers until `over`, and tells of each kind its end and after how many seconds."""
    kinds = list(KILLERS)
    while not over.is_set():
        kind = kinds[number % len(kinds)]
        number += 1
        begun = time.monotonic()
        try:
            form = {"query": PREFIXES + KILLERS[kind]}
            answer = httpx.post(address, data=form, headers=JSON, timeout=PATIENCE + 2)
            end = str(answer.status_code)
            if answer.status_code == 200:
                answer.json()
        except httpx.TimeoutException:
            end = "no answer"
        except ValueError:
            end = "200, cut off"
        except httpx.HTTPError as error:
            end = type(error).__name__
        fates.put((kind, end, time.monotonic() - begun))
        time.sleep(PAUSE)


def watch(server: Server, over: threading.Event, peak: list[float]) -> None:
    """Keeps the largest memory of a server in `peak` until `over`."""
    while not over.wait(0.2):
        peak[0] = max(peak[0], server.memory())


def attacked(server: Server) -> tuple[list[object], list[list[object]]]:
    """One server's row of the table, and the rows of the killers sent to it."""
    alone = ordinary(server, ALONE, 1_000_000)
    peak, over = [server.memory()], multiprocessing.Event()
    watched = threading.Event()
    watcher = threading.Thread(target=watch, args=(server, watched, peak))
    watcher.start()
    fates: SimpleQueue[tuple[str, str, float]] = multiprocessing.SimpleQueue()
    clients = [
        multiprocessing.Process(target=killer, args=(server.address, number, over, fates))
        for number in range(0, 2 * CLIENTS, 2)
    ]
    for client in clients:
        client.start()
    together = ordinary(server, TOGETHER, 5_000_000)
    over.set()
    for client in clients:
        client.kill()
        client.join()
    time.sleep(1)
    before, begun = server.cpu(), time.monotonic()
    time.sleep(AFTERWARDS)
    busy = (server.cpu() - before) / (time.monotonic() - begun)
    watched.set()
    watcher.join()
    last = ordinary(server, PAUSE, 9_000_000)
    ends: dict[str, list[tuple[str, float]]] = defaultdict(list)
    while not fates.empty():
        kind, end, seconds = fates.get()
        ends[kind].append((end, seconds))
    p99, with_killers = percentile(alone.times, 99), percentile(together.times, 99)
    row: list[object] = [server.name, percentile(alone.times, 50), p99]
    row += [percentile(together.times, 50), with_killers, with_killers / p99]
    row += [f"{together.failed} of {len(together.times)}", round(peak[0]), round(busy, 2)]
    row += ["no" if last.failed else "yes"]
    fate: list[list[object]] = []
    for kind, text in KILLERS.items():
        found = ends[kind]
        how = ", ".join(sorted({end for end, _ in found})) or None
        longest = max((seconds for _, seconds in found), default=None)
        fate.append([server.name, kind, len(text), len(found), how, longest])
    return row, fate


def main() -> None:
    """Attacks LenKG and every rival, one after the other."""
    snapshot = build()
    rows: list[list[object]] = []
    fates: list[list[object]] = []
    starts: list[Start] = [*servers(), lambda it: oxigraph(it, "--timeout-s", str(PATIENCE))]
    for start in starts:
        with start(snapshot) as server:
            row, fate = attacked(server)
        rows.append(row)
        fates += fate
    report(
        "killers",
        "Ordinary queries beside four killers",
        ["server", "p50 ms alone", "p99 ms alone", "p50 ms beside", "p99 ms beside", "p99 ratio",
         "failed beside", "peak memory MiB", "cores busy after", "answers after"],
        rows,
    )  # fmt: skip
    report(
        "killers-ends",
        "What became of the killers",
        ["server", "killer", "characters", "ended", "with", "longest s"],
        fates,
    )
