"""Answers that are kept ready: strong ETags, 304, encodings, HEAD, and what is not kept."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import httpx
import pytest
import zstandard

from api.kept import Answers, Entry, encoding
from kg.results import JSON

PATHS = [
    "/sparql?query=SELECT*%7B%3Fs+a+%3Fo%7DORDER+BY+%3Fs+%3Fo+LIMIT+200",
    "/sparql.ttl?query=DESCRIBE%3Chttps://w3id.org/lenkg/drug/lenalidomide%3E",
    "/questions/outcome-ranking",
    "/questions/outcome-ranking.csv",
    "/questions/outcome-ranking.html",
    "/drug/lenalidomide.ttl",
    "/ontology/",
    "/ontology.ttl",
    "/context.jsonld",
    "/openapi.json",
    "/sparql",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_an_answer_has_a_strong_tag_for_each_encoding(
    server: httpx.Client, path: str, coding: str
) -> None:
    """RFC 9110, sections 8.8.3 and 13.1.2."""
    headers = {"Accept-Encoding": coding}
    first = server.get(path, headers=headers)
    tag = first.headers["etag"]
    assert first.status_code == 200
    assert tag.startswith('"') and tag.endswith('"')
    assert first.headers.get("content-encoding", "identity") == coding
    assert first.headers["cache-control"] == "no-cache"
    assert "Accept-Encoding" in first.headers["vary"]
    other = server.get(path, headers={"Accept-Encoding": "gzip" if coding != "gzip" else "zstd"})
    assert other.headers["etag"] != tag
    assert other.content == first.content
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.get(path, headers=headers | {"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b""), given
        assert again.headers["etag"] == tag
    assert server.get(path, headers=headers | {"If-None-Match": '"other"'}).status_code == 200
    head = server.head(path, headers=headers)
    assert (head.headers["etag"], head.content) == (tag, b"")
    assert head.headers["content-length"] == first.headers["content-length"]


def test_the_bytes_are_of_the_encoding_they_name(server: httpx.Client) -> None:
    plain = server.get("/ontology.ttl", headers={"Accept-Encoding": "identity"}).content
    readers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "zstd": zstandard.ZstdDecompressor().decompress,
    }
    for coding, read in readers.items():
        with server.stream("GET", "/ontology.ttl", headers={"Accept-Encoding": coding}) as answer:
            assert read(b"".join(answer.iter_raw())) == plain


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_a_large_answer_is_sent_as_it_comes(server: httpx.Client, coding: str) -> None:
    params = {"query": "SELECT ?s ?p ?o { ?s ?p ?o }"}
    answer = server.get("/sparql", params=params, headers={"Accept-Encoding": coding})
    assert "content-length" not in answer.headers
    assert answer.headers.get("content-encoding", "identity") == coding
    assert len(answer.json()["results"]["bindings"]) > 40_000


@pytest.mark.parametrize("function", ["RAND()", "NOW()", "UUID()", "STRUUID()", "rand()"])
def test_what_changes_each_time_is_not_kept(server: httpx.Client, function: str) -> None:
    asked = {"query": f"SELECT ({function} AS ?x) {{}}"}
    answers = {server.get("/sparql", params=asked).text for _ in range(3)}
    assert len(answers) == 3
    assert server.get("/sparql", params=asked).headers["cache-control"] == "no-store"


def test_an_error_is_not_kept(server: httpx.Client) -> None:
    for _ in range(2):
        answer = server.get("/sparql", params={"query": "SELECT"})
        assert answer.status_code == 400
        assert "etag" not in answer.headers


def test_what_differs_by_its_headers_is_kept_apart(server: httpx.Client) -> None:
    for _ in range(2):
        for accept in (JSON, "text/csv", "text/html"):
            answer = server.get(PATHS[0], headers={"Accept": accept})
            assert answer.headers["content-type"].startswith(accept)
        for host in ("one.example", "two.example"):
            described = server.get("/sparql", headers={"Host": host, "Accept": "text/turtle"})
            assert f"http://{host}/sparql" in described.text


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (b"", b""),
        (b"gzip", b"gzip"),
        (b"gzip, deflate, br, zstd", b"zstd"),
        (b"zstd;q=0.5, gzip", b"gzip"),
        (b"zstd;q=0, *", b"gzip"),
        (b"*;q=0", b""),
        (b"br, identity", b""),
        (b"GZIP;Q=1.0", b"gzip"),
        (b"\xff\xfe;q=x", b""),
    ],
)
def test_the_encoding(accepted: bytes, expected: bytes) -> None:
    """RFC 9110, section 12.5.3."""
    assert encoding(accepted) == expected


def test_what_is_kept_is_bounded() -> None:
    answers = Answers(most=100_000)
    for number in range(1000):
        answers.put(number, Entry([], b"x" * 1000))
        assert answers.size <= 100_000
    assert answers.get(999) and not answers.get(0)
    answers.put("large", Entry([], b"x" * 100_000))
    assert not answers.get("large")
    assert len(answers.entries) > 20
