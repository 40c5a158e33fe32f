"""The clients that people use, against a real server: the same query gives each the same answer.

Every client asks each query that it can, and reads the answer as its users do. What is to come
is taken from the graph in this process.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import pandas
import pyoxigraph as ox
import pytest
import rdflib
import SPARQLWrapper
from rdflib.plugins.stores.sparqlstore import SPARQLStore, SPARQLUpdateStore
from rdflib.query import Result
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed

from kg.files import put
from kg.owl import java
from kg.question import Graph
from kg.rq import canonical
from kg.terms import BASE

PREFIXES = f"""\
PREFIX lenkg: <{BASE}ontology/>
PREFIX drug: <{BASE}drug/>
PREFIX measure: <{BASE}measure/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
ROWS = {
    "join": """SELECT ?study ?label ?value WHERE {
        ?result a lenkg:ArmResult ; lenkg:ofStudy ?study ; lenkg:measure measure:mrd-negativity ;
            lenkg:value ?value .
        ?study rdfs:label ?label .
        FILTER (?value > 20.4) }""",
    "unbound": """SELECT ?drug ?brand WHERE { ?drug a lenkg:CD38Antibody
        OPTIONAL { ?drug skos:altLabel ?brand FILTER (?brand = "Sarclisa") } }""",
    "order": """SELECT ?graph (COUNT(*) AS ?n) WHERE { GRAPH ?graph { ?s ?p ?o } }
        GROUP BY ?graph ORDER BY DESC(?n) ?graph""",
    "long": "SELECT ?finding ?said WHERE { ?finding lenkg:explanation ?said }",
    "terms": r"""SELECT ?term WHERE { VALUES ?term {
        "\"quoted\", with a comma" "two\nlines" "a\ttab" "≥ 5 mg/m² of β₂" "Münze"@de
        1.5 true "2020-05-01"^^xsd:date <http://example.org/%C3%A9?a=1&b=2#c> } }""",
    "none": "SELECT ?s WHERE { ?s a lenkg:NothingIsThis }",
}
BOOLEANS = {
    "yes": "ASK { drug:isatuximab a lenkg:CD38Antibody }",
    "no": "ASK { drug:lenalidomide a lenkg:CD38Antibody }",
}
GRAPHS = {
    "construct": """CONSTRUCT { ?drug rdfs:label ?label } WHERE {
        ?drug a lenkg:Drug ; rdfs:label ?label }""",
    "describe": "DESCRIBE drug:isatuximab",
}
QUERIES = {**ROWS, **BOOLEANS, **GRAPHS}
ORDERED = {"order"}

JSON = "application/sparql-results+json"
RESULTS = {  # media type -> rdflib's name of the format
    JSON: "json",
    "application/sparql-results+xml": "xml",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
}
RDF = {
    "text/turtle": "turtle",
    "application/n-triples": "nt",
    "application/ld+json": "json-ld",
    "application/rdf+xml": "xml",
}
QUADS = {
    "application/trig": ox.RdfFormat.TRIG,
    "application/n-quads": ox.RdfFormat.N_QUADS,
}
SUFFIXES = {
    "json": JSON,
    "srj": JSON,
    "xml": "application/sparql-results+xml",
    "srx": "application/sparql-results+xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "ttl": "text/turtle",
    "nt": "application/n-triples",
    "jsonld": "application/ld+json",
    "rdf": "application/rdf+xml",
    "trig": "application/trig",
    "nq": "application/n-quads",
}

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple


class Table(NamedTuple):
    """The rows of a SELECT; None where a variable is unbound."""

    columns: list[str]
    rows: list[list[Term | None]]


Answer = Table | bool | list[ox.Triple]


def term(node: Any) -> Any:
    """A term of rdflib as one of the engine."""
    if isinstance(node, rdflib.URIRef):
        return ox.NamedNode(node)
    if isinstance(node, rdflib.BNode):
        return ox.BlankNode(node)
    if isinstance(node, rdflib.Literal) and node.language:
        return ox.Literal(str(node), language=node.language)
    if isinstance(node, rdflib.Literal) and node.datatype:
        return ox.Literal(str(node), datatype=ox.NamedNode(node.datatype))
    return None if node is None else ox.Literal(str(node))


def triples(graph: Iterable[tuple[Any, Any, Any]]) -> list[ox.Triple]:
    return [ox.Triple(*map(term, triple)) for triple in graph]


def result(found: Result) -> Answer:
    """An answer as rdflib gives it."""
    if found.type == "ASK":
        return bool(found.askAnswer)
    if found.type == "SELECT":
        columns = [str(name) for name in found.vars or ()]
        bindings = [{str(k): term(v) for k, v in row.items()} for row in found.bindings]
        return Table(columns, [[row.get(name) for name in columns] for row in bindings])
    return triples(found.graph or ())


def read(payload: bytes, media_type: str) -> Answer:
    """An answer as it was sent, in one of RESULTS, RDF or QUADS."""
    media_type = media_type.partition(";")[0]
    if media_type in RESULTS:
        return result(Result.parse(io.BytesIO(payload), format=RESULTS[media_type]))
    if media_type in QUADS:
        quads = list(ox.parse(payload, format=QUADS[media_type]))
        assert {quad.graph_name for quad in quads} <= {ox.DefaultGraph()}
        return [quad.triple for quad in quads]
    return triples(rdflib.Graph().parse(data=payload, format=RDF[media_type]))


def expected(graph: Graph, name: str) -> Answer:
    payload = graph.store.query(PREFIXES + QUERIES[name])[1]
    if name in GRAPHS:
        return [quad.triple for quad in ox.parse(payload, format=ox.RdfFormat.TURTLE)]
    found = ox.parse_query_results(payload, format=ox.QueryResultsFormat.JSON)
    if isinstance(found, ox.QueryBoolean):
        return bool(found)
    return Table([v.value for v in found.variables], [list(row) for row in found])


def lines(answer: Answer, ordered: bool, values: bool) -> list[str]:
    """An answer in its one form; by `values`, terms are bare texts, and '' is unbound (CSV)."""
    if isinstance(answer, bool):
        return [str(answer)]
    if isinstance(answer, Table):
        rows = [
            " | ".join(str((getattr(t, "value", t) or "") if values else t) for t in row)
            for row in answer.rows
        ]
        return [" ".join(answer.columns), *(rows if ordered else sorted(rows))]
    return canonical(ox.Quad(*triple) for triple in answer)


class Client(NamedTuple):
    """How a client asks the endpoint at an address; `values` where it keeps no types of terms."""

    name: str
    ask: Callable[[str, str], Answer]
    queries: Iterable[str] = QUERIES
    values: bool = False


# rdflib


def ask_rdflib(endpoint: str, query: str, **options: Any) -> Answer:
    return result(rdflib.Graph(SPARQLStore(endpoint, **options)).query(query))


# SPARQLWrapper

WAYS = (
    (SPARQLWrapper.GET, SPARQLWrapper.URLENCODED),
    (SPARQLWrapper.POST, SPARQLWrapper.URLENCODED),
    (SPARQLWrapper.POST, SPARQLWrapper.POSTDIRECTLY),
)


def wrapped(
    endpoint: str, query: str, kind: str, method: str, way: str
) -> SPARQLWrapper.SPARQLWrapper:
    asking = SPARQLWrapper.SPARQLWrapper(endpoint)
    asking.setQuery(query)
    asking.setReturnFormat(kind)
    asking.setMethod(method)
    asking.setRequestMethod(way)
    return asking


def ask_wrapper(endpoint: str, query: str, kind: str, method: str, way: str) -> Answer:
    answer = wrapped(endpoint, query, kind, method, way).query()
    found: Any = answer.convert()
    sent = answer.info()["content-type"].partition(";")[0]
    if isinstance(found, rdflib.Graph):
        return triples(found)
    if isinstance(found, dict):
        return read(json.dumps(found).encode(), sent)
    return read(found if isinstance(found, bytes) else found.toxml().encode(), sent)


# What sends bytes and receives bytes


def said(command: Sequence[str], code: int = 0) -> bytes:
    """What a command writes; it must end with this exit code."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout


def curl(*arguments: str, code: int = 0) -> bytes:
    program = shutil.which("curl")
    if not program:
        pytest.skip("the Debian package curl is not installed")
    return said([program, "--silent", "--show-error", *arguments], code)


CURL = {
    "get": ["--get", "--data-urlencode", "query={}"],
    "form": ["--data-urlencode", "query={}"],
    "direct": ["--header", "Content-Type: application/sparql-query", "--data-binary", "{}"],
    "compressed": ["--compressed", "--get", "--data-urlencode", "query={}"],
}


def sending(way: str, query: str) -> list[str]:
    return [part.replace("{}", query) for part in CURL[way]]


def ask_curl(endpoint: str, query: str, way: str, accept: str = "*/*") -> Answer:
    kind = ["--write-out", "\n%{content_type}", "--header", f"Accept: {accept}"]
    payload, _, sent = curl(*sending(way, query), *kind, endpoint).rpartition(b"\n")
    return read(payload, sent.decode())


def ask_urllib(endpoint: str, query: str) -> Answer:
    address = f"{endpoint}?{urlencode({'query': query})}"
    with urllib.request.urlopen(address) as response:  # noqa: S310 (the server's own)
        return read(response.read(), response.headers["Content-Type"])


def ask_httpx(endpoint: str, query: str) -> Answer:
    response = httpx.get(endpoint, params={"query": query})
    assert response.status_code == 200, response.text
    return read(response.content, response.headers["content-type"])


def ask_java(endpoint: str, query: str) -> Answer:
    """As Java's own HttpClient sends it, which offers HTTP/2 (RFC 7540, section 3.2)."""
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
        "Content-Type": "application/sparql-query;charset=utf-8",
    }
    response = httpx.post(endpoint, content=query, headers=headers)
    assert response.status_code == 200, response.text
    return read(response.content, response.headers["content-type"])


# YASQE 4.2 (@triply/yasqe, src/defaults.ts and src/sparql.ts), the editor of YASGUI: a form by
# POST unless it is told to use GET, and these Accept headers; the browser adds Origin.

ORIGIN = {"Origin": "https://yasgui.example"}
YASQE = {
    "SELECT": "application/sparql-results+json,*/*;q=0.9",
    "CONSTRUCT": "application/n-triples,*/*;q=0.9",
}


def ask_yasqe(endpoint: str, query: str, method: str) -> Answer:
    graph = "CONSTRUCT" in query or "DESCRIBE" in query
    headers = ORIGIN | {"Accept": YASQE["CONSTRUCT" if graph else "SELECT"]}
    given = {"data" if method == "POST" else "params": {"query": query}}
    response = httpx.request(method, endpoint, headers=headers, **given)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert response.headers["access-control-allow-origin"] in ("*", ORIGIN["Origin"])
    assert response.headers["content-type"].partition(";")[0] == headers["Accept"].partition(",")[0]
    return read(response.content, response.headers["content-type"])


# pandas


def frame(table: pandas.DataFrame) -> Table:
    rows = table.itertuples(index=False)
    return Table(list(table.columns), [[ox.Literal(text) for text in row] for row in rows])


def ask_pandas_csv(endpoint: str, query: str, **headers: str) -> Answer:
    return frame(
        pandas.read_csv(
            f"{endpoint}?{urlencode({'query': query})}",
            dtype=str,
            keep_default_na=False,
            storage_options=headers or None,
        )
    )


def ask_pandas_json(endpoint: str, query: str) -> Answer:
    found = pandas.read_json(f"{endpoint}?{urlencode({'query': query})}", typ="series")
    columns = found["head"]["vars"]
    table = pandas.json_normalize(found["results"]["bindings"])
    table = table.reindex(columns=[f"{name}.value" for name in columns]).astype(object).fillna("")
    return frame(table.set_axis(columns, axis="columns"))


CLIENTS = [
    *(
        Client(
            f"rdflib {method} {kind}",
            partial(ask_rdflib, method=method, returnFormat=kind),
            queries,
        )
        for method in ("GET", "POST", "POST_FORM")
        for kind, queries in (("xml", QUERIES), ("json", [*ROWS, *BOOLEANS]))
    ),
    Client("rdflib GET tsv", partial(ask_rdflib, returnFormat="tsv"), ROWS),
    Client("rdflib GET csv", partial(ask_rdflib, returnFormat="csv"), ROWS, values=True),
    *(
        Client(f"SPARQLWrapper {method} {way} {kind}", asking, queries, kind == SPARQLWrapper.CSV)
        for method, way in WAYS
        for kind, queries in (
            (SPARQLWrapper.JSON, [*ROWS, *BOOLEANS]),
            (SPARQLWrapper.XML, QUERIES),
            (SPARQLWrapper.CSV, ROWS),
            (SPARQLWrapper.TSV, ROWS),
            (SPARQLWrapper.TURTLE, GRAPHS),
            (SPARQLWrapper.N3, GRAPHS),
            (SPARQLWrapper.RDFXML, GRAPHS),
            (SPARQLWrapper.JSONLD, GRAPHS),
        )
        for asking in [partial(ask_wrapper, kind=kind, method=method, way=way)]
    ),
    *(Client(f"curl {way}", partial(ask_curl, way=way)) for way in CURL),
    Client("curl by Accept", partial(ask_curl, way="get", accept="text/csv"), ROWS, values=True),
    Client("urllib", ask_urllib),
    Client("httpx", ask_httpx),
    Client("Java", ask_java),
    *(Client(f"YASQE {method}", partial(ask_yasqe, method=method)) for method in ("POST", "GET")),
    Client("pandas CSV", partial(ask_pandas_csv, Accept="text/csv"), ROWS, values=True),
    Client("pandas JSON", ask_pandas_json, ROWS, values=True),
]


def assert_same(answer: Answer, graph: Graph, name: str, values: bool = False) -> None:
    ordered = name in ORDERED
    assert lines(answer, ordered, values) == lines(expected(graph, name), ordered, values)


def endpoint(server: httpx.Client, path: str = "/sparql") -> str:
    return str(server.base_url.join(path))


@pytest.mark.parametrize(
    ("client", "name"),
    [
        pytest.param(client, name, id=f"{client.name}: {name}")
        for client in CLIENTS
        for name in client.queries
    ],
)
def test_every_client_gets_the_same_answer(
    server: httpx.Client, graph: Graph, client: Client, name: str
) -> None:
    answer = client.ask(endpoint(server), PREFIXES + QUERIES[name])
    assert_same(answer, graph, name, client.values)


def test_the_answers_tell_something(graph: Graph) -> None:
    """What the clients agree on is not nothing: rows, unbound variables, both booleans, triples."""
    answers = {name: expected(graph, name) for name in QUERIES}
    sizes = {name: len(found.rows) for name, found in answers.items() if isinstance(found, Table)}
    assert sizes == {"join": 2, "unbound": 2, "order": 8, "long": 247, "terms": 9, "none": 0}
    assert any(None in row for row in answers["unbound"].rows)  # type: ignore[union-attr]
    assert (answers["yes"], answers["no"]) == (True, False)
    assert all(len(answers[name]) > 10 for name in GRAPHS)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [*RESULTS, *RDF, *QUADS])
def test_every_format_is_there_by_accept(server: httpx.Client, graph: Graph, kind: str) -> None:
    name = "terms" if kind in RESULTS else "describe"
    asking = {"params": {"query": PREFIXES + QUERIES[name]}, "headers": {"Accept": kind}}
    response = server.get("/sparql", **asking)  # type: ignore[arg-type]
    assert response.headers["content-type"].partition(";")[0] == kind
    assert_same(read(response.content, kind), graph, name, kind == "text/csv")


@pytest.mark.parametrize(("suffix", "kind"), SUFFIXES.items())
def test_every_format_is_there_by_suffix(
    server: httpx.Client, graph: Graph, suffix: str, kind: str
) -> None:
    """A suffix goes before what the browser that follows a link accepts."""
    name = "terms" if kind in RESULTS else "describe"
    asking = {"params": {"query": PREFIXES + QUERIES[name]}, "headers": {"Accept": "text/html"}}
    response = server.get(f"/sparql.{suffix}", **asking)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == kind
    assert_same(read(response.content, kind), graph, name, kind == "text/csv")


@pytest.mark.parametrize("way", CURL)
def test_the_address_may_end_in_a_slash(server: httpx.Client, graph: Graph, way: str) -> None:
    assert_same(ask_curl(endpoint(server, "/sparql/"), PREFIXES + ROWS["join"], way), graph, "join")


def test_pandas_reads_an_address_that_ends_in_csv(server: httpx.Client, graph: Graph) -> None:
    address = endpoint(server, "/sparql.csv")
    for name, query in ROWS.items():
        assert_same(ask_pandas_csv(address, PREFIXES + query), graph, name, values=True)


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
def test_an_rdflib_graph_stands_for_the_endpoint(
    server: httpx.Client, graph: Graph, method: str
) -> None:
    remote = rdflib.Graph(SPARQLStore(endpoint(server), method=method))
    drug, label = rdflib.URIRef(f"{BASE}drug/isatuximab"), rdflib.RDFS.label
    assert_same(triples(remote.triples((drug, None, None))), graph, "describe")
    assert remote.value(drug, label) == rdflib.Literal("isatuximab", lang="en")
    assert (drug, label, rdflib.Literal("isatuximab", lang="en")) in remote
    assert (drug, label, rdflib.Literal("lenalidomide", lang="en")) not in remote
    everything = graph.rows("SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }")
    assert [[len(remote)]] == everything.rows


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
def test_an_rdflib_graph_stands_for_a_named_graph(
    server: httpx.Client, graph: Graph, method: str
) -> None:
    name = rdflib.URIRef(f"{BASE}graph/identifiers")
    one = rdflib.Graph(SPARQLStore(endpoint(server), method=method), identifier=name)
    assert len(one) == graph.store.snapshot.manifest["graphs"][str(name)]
    assert set(one.query("SELECT ?p WHERE { ?s ?p ?o }")) == {(p,) for p in set(one.predicates())}


@pytest.mark.parametrize(("method", "way"), WAYS)
def test_sparqlwrapper_names_a_default_graph(
    server: httpx.Client, graph: Graph, method: str, way: str
) -> None:
    query, name = "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }", f"{BASE}graph/identifiers"
    asking = wrapped(endpoint(server), query, SPARQLWrapper.JSON, method, way)
    asking.addParameter("default-graph-uri", name)
    found: Any = asking.query().convert()
    size = int(found["results"]["bindings"][0]["n"]["value"])
    assert size == graph.store.snapshot.manifest["graphs"][name]


def test_what_is_wrong_is_told_as_each_client_tells_it(server: httpx.Client) -> None:
    address, wrong = endpoint(server), "SELECT * WHERE { ?s ?p }"
    for method, way in WAYS:
        with pytest.raises(QueryBadFormed, match="not SPARQL"):
            wrapped(address, wrong, SPARQLWrapper.JSON, method, way).query()
    with pytest.raises(ValueError, match="your SPARQL query"):
        rdflib.Graph(SPARQLStore(address)).query(wrong)
    for way in CURL:
        assert b"not SPARQL" in curl(*sending(way, wrong), "--fail-with-body", address, code=22)


def test_an_update_is_refused_as_each_client_tells_it(server: httpx.Client) -> None:
    address, update = endpoint(server), "INSERT DATA { <a:a> <a:b> <a:c> }"
    for way in (SPARQLWrapper.URLENCODED, SPARQLWrapper.POSTDIRECTLY):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            wrapped(address, update, SPARQLWrapper.JSON, SPARQLWrapper.POST, way).query()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        SPARQLUpdateStore(address, address).update(update)


def test_curl_asks_for_the_head_alone(server: httpx.Client) -> None:
    asking = sending("get", PREFIXES + ROWS["long"])
    status, *fields = curl("--head", *asking, endpoint(server)).decode().splitlines()
    assert status.split()[1] == "200"
    assert f"content-type: {JSON}" in map(str.lower, fields)


def test_curl_gets_a_long_answer_compressed(server: httpx.Client) -> None:
    asking = sending("compressed", PREFIXES + ROWS["long"])
    sizes = "\n%{size_download} %header{content-encoding}"
    payload, _, told = curl(*asking, "--write-out", sizes, endpoint(server)).rpartition(b"\n")
    size, encoding = told.decode().split()
    assert int(size) < len(payload) / 2
    assert encoding in ("br", "gzip", "zstd")


def test_a_connection_is_kept(server: httpx.Client) -> None:
    """Answers of every kind leave it open (RFC 9112, section 9.3)."""
    address, query = endpoint(server), {"query": PREFIXES + ROWS["join"]}
    ports = set()
    with httpx.Client() as client:
        for response, status in (
            (client.get(address, params=query), 200),
            (client.post(address, data=query), 200),
            (client.head(address, params=query), 200),
            (client.get(address, params={"query": "SELECT"}), 400),
            (client.post(address, data={"update": "CLEAR ALL"}), 403),
            (client.get(address, params={"query": PREFIXES + ROWS["long"]}), 200),
        ):
            assert response.status_code == status
            assert response.http_version == "HTTP/1.1"
            stream = response.extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr"))
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("POST", {"content-type"}),  # to send a query directly
        ("POST", {"content-type", "x-requested-with"}),
        ("GET", {"x-requested-with"}),
    ],
)
def test_a_browser_may_ask_from_another_site(
    server: httpx.Client, method: str, fields: set[str]
) -> None:
    """The browser asks first (Fetch Standard, CORS-preflight request)."""
    request = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ",".join(sorted(fields)),
    }
    response = server.options("/sparql", headers=ORIGIN | request)
    assert response.is_success
    assert response.headers["access-control-allow-origin"] in ("*", ORIGIN["Origin"])
    allowed = response.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
    assert "*" in allowed or fields <= set(allowed)


@pytest.mark.parametrize(
    ("query", "status"), [("SELECT * WHERE { ?s ?p }", 400), ("CLEAR ALL", 403), ("ASK {}", 406)]
)
def test_a_browser_may_read_what_is_wrong(server: httpx.Client, query: str, status: int) -> None:
    headers = ORIGIN | {"Accept": "image/png" if status == 406 else YASQE["SELECT"]}
    response = server.post("/sparql", data={"query": query}, headers=headers)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] in ("*", ORIGIN["Origin"])
    assert response.json()["detail"]


# Apache Jena's rsparql, of Debian's package

JARS = Path("/usr/share/java")
JENA = (
    "jena-arq jena-base jena-cmds jena-core jena-iri jena-rdfconnection jena-shacl jena-shex "
    "jena-tdb jena-tdb2 jena-dboe-base jena-dboe-index jena-dboe-storage jena-dboe-trans-data "
    "jena-dboe-transaction commons-cli commons-codec commons-compress commons-csv commons-io "
    "commons-lang3 dexx.collection gson guava httpclient httpcore jackson-annotations "
    "jackson-core jackson-databind jcl-over-slf4j jsonld-java protobuf slf4j-api slf4j-nop "
    "thrift titanium-json-ld"
).split()


@pytest.fixture(scope="session")
def jena(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of rsparql.

    The package has the messages of its XML parser where that does not look for them; a copy
    goes where it does.
    """
    if not (JARS / "jena-cmds.jar").is_file():
        pytest.skip("the Debian package libapache-jena-java is not installed")
    folder, inside = tmp_path_factory.mktemp("jena"), "org/apache/jena/ext/"
    with zipfile.ZipFile(JARS / "jena-core.jar") as jar:
        for name in jar.namelist():
            if name.startswith(f"{inside}xerces/") and name.endswith(".properties"):
                put(folder / name.removeprefix(inside), jar.read(name))
    path = os.pathsep.join([str(folder), *(str(JARS / f"{name}.jar") for name in JENA)])
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return [java(), *quick, "-cp", path, "arq.rsparql"]


@pytest.mark.parametrize(
    ("name", "format", "options"),
    [
        *((name, "application/n-triples" if name in GRAPHS else JSON, []) for name in QUERIES),
        ("terms", "application/sparql-results+xml", []),
        ("long", "text/tab-separated-values", ["--post"]),
        ("yes", JSON, ["--post"]),
        ("construct", "text/turtle", ["--post"]),
    ],
)
def test_jena_gets_the_same_answer(
    server: httpx.Client,
    graph: Graph,
    jena: list[str],
    name: str,
    format: str,  # noqa: A002
    options: list[str],
) -> None:
    kind = f"--results={(RESULTS | RDF)[format]}"
    query = PREFIXES + QUERIES[name]
    payload = said([*jena, "--service", endpoint(server), kind, *options, query])
    assert_same(read(payload, format), graph, name)


@pytest.fixture(scope="session")
def comunica() -> str:
    """Comunica's command."""
    folder = os.environ.get("LENKG_COMUNICA")
    path = f"{folder}/node_modules/.bin" if folder else None
    found = shutil.which("comunica-sparql", path=path)
    if not found:
        pytest.skip(
            "comunica-sparql of the npm package @comunica/query-sparql is not on the PATH, nor "
            "installed in the folder that LENKG_COMUNICA names"
        )
    return found


@pytest.mark.parametrize(
    ("source", "name"),
    [
        *(("sparql@", name) for name in QUERIES),
        *(("", name) for name in ("join", "yes", "construct")),
    ],
)
def test_comunica_gets_the_same_answer(
    server: httpx.Client, graph: Graph, comunica: str, source: str, name: str
) -> None:
    """It is told that the address is an endpoint, or finds out by its service description."""
    kind = "application/n-triples" if name in GRAPHS else JSON
    query = PREFIXES + QUERIES[name]
    payload = said([comunica, source + endpoint(server), query, "-t", kind])
    assert_same(read(payload, kind), graph, name)
