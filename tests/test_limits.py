"""What a query, a client, and an answer may take; and what becomes of those that take more."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import httpx
import pyoxigraph as ox
import pytest

from kg.results import CSV, JSON, TSV, XML
from tests.program import children, serving, started

TOKEN = "correct horse"  # noqa: S105
LIMITS = ("--seconds", "1", "--memory", "128", "--rows", "5000", "--size", "2")
SMALL = "SELECT ?drug { ?drug a <https://w3id.org/lenkg/ontology/CD38Antibody> }"
EVERYTHING = "SELECT ?s ?p ?o { ?s ?p ?o }"
COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
KILLERS = {
    "a Cartesian product under an aggregate": (
        "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    ),
    "groups of a Cartesian product": (
        'SELECT ?a (GROUP_CONCAT(?f; SEPARATOR=",") AS ?t) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } '
        "GROUP BY ?a ORDER BY ?t"
    ),
    "a sort of millions": "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f",
    "distinct values of millions": (
        "SELECT (COUNT(DISTINCT CONCAT(STR(?a), STR(?f))) AS ?n) { ?a ?b ?c . ?d ?e ?f }"
    ),
    "a deep path with both ends free": (
        "SELECT (COUNT(*) AS ?n) { ?a (!<x:a>|^!<x:a>)* ?b . ?c (!<x:b>|^!<x:b>)* ?d }"
    ),
    "a regular expression that explodes": (
        'SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f FILTER(REGEX(STR(?c), "(a*)*(b*)*(.*)*$")) '
        "FILTER(REGEX(CONCAT(STR(?c), STR(?f)), "
        '"((a|b|c|.)*){1,40}x$")) }'
    ),
    "huge VALUES": (
        "SELECT (COUNT(*) AS ?n) { "
        + " ".join(f"VALUES ?v{i} {{ {' '.join(map(str, range(3000)))} }}" for i in range(6))
        + " }"
    ),
    "a megabyte of UNION": "SELECT * { " + " UNION ".join(["{ ?s ?p ?o }"] * 60_000) + " }",
    "nesting": "ASK " + "{" * 100_000 + "}" * 100_000,
    "nested brackets of an expression": f"SELECT ({'(' * 100_000}1{')' * 100_000} AS ?x) {{}}",
    "a chain of 1 MB": "SELECT (1" + "+1" * 300_000 + " AS ?x) {}",
}


@pytest.fixture(scope="module")
def server_with_limits(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Address and process number of a server with low limits."""
    with started(environment | {"LENKG_TOKEN": TOKEN}, *LIMITS) as (address, process):
        yield address, process.pid


@pytest.fixture(scope="module")
def limited(server_with_limits: tuple[str, int]) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=server_with_limits[0], timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def pid(server_with_limits: tuple[str, int]) -> int:
    """The process number of that server."""
    return server_with_limits[1]


def ask(client: httpx.Client, query: str, accept: str = JSON, **headers: str) -> httpx.Response:
    return client.post("/sparql", data={"query": query}, headers={"Accept": accept} | headers)


def holder(pid: int) -> int:
    """The process that holds the graph of a server."""
    (found,) = children(pid)
    return found


def workers(pid: int) -> list[int]:
    """The query processes of a server."""
    return children(holder(pid))


def eventually(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("name", KILLERS)
def test_a_killer_is_ended_and_told_why(limited: httpx.Client, name: str) -> None:
    begun = time.monotonic()
    response = ask(limited, KILLERS[name])
    took = time.monotonic() - begun
    assert took < 4
    if response.status_code == 400:
        assert response.json()["detail"].startswith("the query is not SPARQL")
    else:
        assert response.status_code == 503, response.text[:300]
        problem = response.json()
        assert problem["limit"] in ("time", "memory")
        assert 0 <= problem["seconds"] <= took
        assert "the query was ended after" in problem["detail"]
        assert ";" in problem["detail"], "it does not say what to change"
    assert ask(limited, SMALL).status_code == 200


def test_no_process_is_left_behind(limited: httpx.Client, pid: int) -> None:
    with ThreadPoolExecutor(8) as threads:
        killers = [f"{KILLERS['a Cartesian product under an aggregate']} # {n}" for n in range(8)]
        list(threads.map(lambda query: ask(limited, query), killers))
    assert ask(limited, SMALL).status_code == 200
    short = (os.cpu_count() or 2) + 2
    assert eventually(lambda: len(workers(pid)) <= short)


def test_short_queries_find_a_place_while_long_ones_have_all_of_theirs(
    limited: httpx.Client,
) -> None:
    places = 2 * (os.cpu_count() or 2)
    with ThreadPoolExecutor(places + 2) as threads:
        base = KILLERS["a Cartesian product under an aggregate"]
        asked = [threads.submit(ask, limited, f"{base} # {n} of many") for n in range(places + 2)]
        for n in range(20):
            assert ask(limited, f"{SMALL} # {n}").status_code == 200
        problems = [response.result().json() for response in asked]
        refused = [p for p in problems if p["limit"] == "places"]
        assert len(refused) == 2, problems
        assert all("places for long queries are taken" in p["detail"] for p in refused)
        (one,) = {r.result().headers["retry-after"] for r in asked if r.result().json() in refused}
        assert int(one) >= 1


@pytest.mark.parametrize("media_type", [JSON, XML, CSV, TSV, "text/turtle", "application/trig"])
def test_an_answer_is_cut_after_its_rows_and_says_so(
    limited: httpx.Client, media_type: str
) -> None:
    graph = media_type in ("text/turtle", "application/trig")
    query = "CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }" if graph else EVERYTHING
    response = ask(limited, query, media_type)
    assert response.status_code == 200
    why = "the answer is cut after 5000 rows, the most that are given here"
    if media_type == JSON:
        document = response.json()
        assert document["truncated"] is True
        assert document["reason"] == why
        assert len(document["results"]["bindings"]) == 5000
        return
    if media_type == XML:
        assert f"<!-- {why} -->" in response.text
    else:
        assert response.headers["lenkg-truncated"] == why
    if graph:
        assert response.text.startswith(f"# {why}\n")
        rows = len(list(ox.parse(response.content, format=ox.RdfFormat.TRIG)))
    elif media_type == CSV:
        rows = len(list(csv.DictReader(io.StringIO(response.text))))
    else:
        kinds = {XML: ox.QueryResultsFormat.XML, TSV: ox.QueryResultsFormat.TSV}
        solutions = ox.parse_query_results(response.content, format=kinds[media_type])
        assert isinstance(solutions, ox.QuerySolutions)
        rows = len(list(solutions))
    assert rows == 5000


def test_an_answer_within_the_limits_is_whole(limited: httpx.Client) -> None:
    response = ask(limited, f"{EVERYTHING} LIMIT 5000")
    assert len(response.json()["results"]["bindings"]) == 5000
    assert "truncated" not in response.json()
    assert "lenkg-truncated" not in response.headers


def test_a_stream_that_reaches_a_limit_is_closed_and_says_so(limited: httpx.Client) -> None:
    wide = (
        "SELECT ?a ?d (CONCAT(STR(?c), STR(?f), STR(?c), STR(?f)) AS ?x) { ?a ?b ?c . ?d ?e ?f "
        "FILTER(CONTAINS(STR(?c), 'myeloma') && CONTAINS(STR(?f), 'y')) }"
    )
    document = ask(limited, wide).json()
    assert document["truncated"] is True
    assert document["results"]["bindings"]
    assert "2097152 bytes" in document["reason"] or "ended after 1." in document["reason"]


def raw(client: httpx.Client, request: bytes) -> socket.socket:
    url = urlsplit(str(client.base_url))
    connection = socket.create_connection((str(url.hostname), url.port or 80), timeout=20)
    connection.sendall(request)
    return connection


def test_the_query_of_a_client_that_has_gone_is_ended(limited: httpx.Client, pid: int) -> None:
    assert eventually(lambda: len(workers(pid)) <= (os.cpu_count() or 2) + 2)
    token = {"Authorization": f"Bearer {TOKEN}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in token.items())
    query = quote(KILLERS["a Cartesian product under an aggregate"] + " # gone")
    connection = raw(
        limited, f"GET /sparql?query={query} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()
    )

    def busy() -> list[int]:
        """Those that give way to everything else, as long queries do."""
        return [p for p in workers(pid) if os.sched_getscheduler(p) == os.SCHED_IDLE]

    assert eventually(lambda: len(busy()) == 1, 2)
    (worker,) = busy()
    connection.close()
    assert eventually(lambda: worker not in workers(pid), 2), "it would run for six seconds"


def test_a_token_gives_higher_limits(limited: httpx.Client) -> None:
    right = ask(limited, EVERYTHING, Authorization=f"Bearer {TOKEN}").json()
    assert len(right["results"]["bindings"]) > 5000
    for wrong in ("Bearer wrong", "Basic Y29ycmVjdCBob3JzZQ==", "Bearer"):
        response = ask(limited, SMALL, Authorization=wrong)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_client_may_not_ask_too_often(environment: dict[str, str]) -> None:
    with (
        serving(environment, "--rate", "5") as address,
        httpx.Client(base_url=address) as client,
    ):
        answers = [ask(client, f"{SMALL} # {n}") for n in range(30)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 10 < len(refused) < 25
        assert {answer.status_code for answer in answers} == {200, 429}
        assert refused[0].json()["limit"] == "requests"
        assert refused[0].headers["retry-after"] == "1"
        for _ in range(50):  # what is kept ready costs nothing
            assert ask(client, f"{SMALL} # 0").status_code == 200
        time.sleep(1.1)
        assert ask(client, f"{SMALL} # later").status_code == 200


BROKEN = [
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, b"431"),
    (b"GET /" + b"x" * 100_000, b"431"),
    (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(9000)), b"431"),
    (b"\x00\xff\x00\xff\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello", b"400"),
    (b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    (
        b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        b"400",
    ),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX:\x00y\r\n\r\n", b"400"),
]


@pytest.mark.parametrize(("request_", "status"), BROKEN)
def test_what_is_not_well_formed_http_is_refused(
    limited: httpx.Client, request_: bytes, status: bytes
) -> None:
    with raw(limited, request_) as connection:
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == int(status)


SLOW = [
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"",
    b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/sparql-query\r\n"
    b"Content-Length: 100\r\n\r\nASK",
]


def test_who_sends_too_slowly_is_let_go_and_others_do_not_wait(limited: httpx.Client) -> None:
    slow = [raw(limited, part) for part in SLOW for _ in range(50)]
    for n in range(20):
        assert ask(limited, f"{SMALL} # beside {n}").elapsed.total_seconds() < 1
    for connection in slow:
        answer = connection.recv(65536)
        connection.close()
        assert answer.startswith(b"HTTP/1.1 408 "), answer[:100]


def test_who_takes_too_slowly_does_not_hold_up_others(limited: httpx.Client) -> None:
    query = quote(EVERYTHING)
    slow = [
        raw(limited, f"GET /sparql?query={query}%23{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for n in range(30)
    ]
    for n in range(20):
        assert ask(limited, f"{SMALL} # beside the slow {n}").elapsed.total_seconds() < 2
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("victim", ["worker", "holder"])
def test_a_process_that_dies_is_replaced(limited: httpx.Client, pid: int, victim: str) -> None:
    for n in range(5):
        assert ask(limited, f"{SMALL} # before {victim} {n}").status_code == 200
        for one in workers(pid) if victim == "worker" else [holder(pid)]:
            os.kill(one, signal.SIGKILL)
        assert ask(limited, f"{SMALL} # after {victim} {n}").status_code == 200


def test_queries_that_run_while_the_holder_dies_are_begun_again(
    limited: httpx.Client, pid: int
) -> None:
    count = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d a ?e FILTER(CONTAINS(STR(?c), STR(?e))) }"
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask, limited, f"{count} # {n} of the dead") for n in range(4)]
        time.sleep(0.4)
        os.kill(holder(pid), signal.SIGKILL)
        assert {answer.result().status_code for answer in asked} <= {200, 503}
    for n in range(20):
        assert ask(limited, f"{SMALL} # after the dead {n}").status_code == 200


def test_clients_that_go_while_a_process_is_forked_do_no_harm(
    limited: httpx.Client, pid: int
) -> None:
    for n in range(60):
        for worker in workers(pid):
            os.kill(worker, signal.SIGKILL)
        request = f"GET /sparql?query={quote(SMALL)}%23{n}-gone HTTP/1.1\r\nHost: x\r\n\r\n"
        with raw(limited, request.encode()):
            time.sleep(0.0005 * (n % 8))
        answer = ask(limited, f"{SMALL} # beside the gone {n}")
        assert answer.status_code == 200
        assert len(answer.json()["results"]["bindings"]) == 2
    assert eventually(lambda: len(workers(pid)) <= 2 * ((os.cpu_count() or 2) + 2))


def test_identical_queries_that_arrive_together_run_once(limited: httpx.Client) -> None:
    query = f"SELECT (STRUUID() AS ?once) ?n {{ {{ {COUNT} }} }}"
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: ask(limited, query).text, range(16)))
    assert len(set(answers)) < 8
    assert ask(limited, query).text != ask(limited, query).text, "kept, though it changes"
