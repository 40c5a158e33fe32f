"""The server as its clients meet it: real process, real HTTP."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import rdflib

from api.formats import negotiate
from kg.errors import NotAcceptableError
from kg.question import Graph, questions
from kg.store import Snapshot

HEADLINE = "/questions/improved-outcome?outcome=mrd-negativity&population=transplant-eligible-ndmm"
SELECT = "SELECT ?drug WHERE { ?drug a <https://w3id.org/lenkg/ontology/CD38Antibody> }"
CONSTRUCT = "CONSTRUCT WHERE { ?d a <https://w3id.org/lenkg/ontology/CD38Antibody> }"
KILLER = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
ROWS = "application/sparql-results+json"


def assert_served(response: httpx.Response, kind: str) -> None:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/", "*/*", "application/json"),
        ("/", "text/html", "text/html"),
        ("/health", "*/*", "application/json"),
        ("/version", "*/*", "application/json"),
        ("/openapi.json", "*/*", "application/json"),
        ("/context.jsonld", "*/*", "application/ld+json"),
        ("/ontology/", "*/*", "text/html"),
        ("/ontology/", "text/turtle", "text/turtle"),
        ("/ontology.ttl", "*/*", "text/turtle"),
        ("/questions", "*/*", "application/json"),
        ("/questions", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        (HEADLINE, "*/*", "application/json"),
        (HEADLINE, "text/csv", "text/csv"),
        (HEADLINE, "text/html;q=0.2, text/tab-separated-values", "text/tab-separated-values"),
        (HEADLINE, "text/html", "text/html"),
        ("/questions/outcome-ranking.csv", "*/*", "text/csv"),
        ("/questions/outcome-ranking.tsv", "text/html", "text/tab-separated-values"),
        ("/questions/outcome-ranking.json", "text/csv", "application/json"),
        ("/questions/outcome-ranking.rq", "*/*", "application/sparql-query"),
        ("/drug/lenalidomide", "*/*", "application/ld+json"),
        ("/drug/lenalidomide", "text/turtle", "text/turtle"),
        ("/drug/lenalidomide", "application/json", "application/ld+json"),
        ("/drug/lenalidomide", "text/html, application/json;q=0.9", "text/html"),
        ("/drug/lenalidomide", "application/json;q=0.1, text/turtle", "text/turtle"),
        ("/drug/lenalidomide.nt", "*/*", "application/n-triples"),
        ("/drug/lenalidomide.rdf", "*/*", "application/rdf+xml"),
        ("/drug/lenalidomide", "text/html", "text/html"),
        ("/place/zhang-2023-s4.2-p3-s3", "*/*", "application/ld+json"),
        ("/ontology/ArmResult", "*/*", "application/ld+json"),
        ("/measure/mrd-negativity", "*/*", "application/ld+json"),
        ("/sparql", "*/*", "text/turtle"),
        ("/sparql", "application/rdf+xml", "application/rdf+xml"),
        ("/sparql", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
    ],
)
def test_what_is_served(server: httpx.Client, path: str, accept: str, kind: str) -> None:
    response = server.get(path, headers={"Accept": accept})
    assert_served(response, kind)
    assert response.content


PROBLEMS = [
    ("/nothing", "*/*", 404, "there is nothing at /nothing; begin at /"),
    ("/questions/improved", "*/*", 404, "no question 'improved'; did you mean improved-outcome"),
    ("/study/grifin", "*/*", 404, "no study is called 'grifin'; did you mean griffin"),
    ("/regimen/vrdd", "*/*", 404, "no regimen is called 'vrdd'; did you mean vrd"),
    ("/drugs/lenalidomide", "*/*", 404, "there is no kind 'drugs'; did you mean drug?"),
    ("/drug/%22%3E%20SELECT", "*/*", 404, "no drug is called"),
    (HEADLINE + "x", "*/*", 400, "population: no population is called"),
    ("/questions/improved-outcome?color=red", "*/*", 400, "color: is not a parameter of"),
    ("/questions/regimens-by-size?size=four", "*/*", 400, "size: 'four' is not a whole number"),
    (HEADLINE, "image/png", 406, "'image/png' is not offered here; there are application/json"),
    ("/drug/lenalidomide", "image/png", 406, "'image/png' is not offered"),
    ("/sparql?default-graph-uri=x", "*/*", 400, "query: must be given exactly once"),
    ("/sparql?query=ASK%20%7B%7D&query=ASK%20%7B%7D", "*/*", 400, "must be given exactly once"),
    ("/sparql?query=SELECT", "*/*", 400, "the query is not SPARQL"),
    ("/sparql?query=hello", "*/*", 400, "there is no SELECT, ASK, CONSTRUCT or DESCRIBE"),
    ("/sparql?query=ASK%20%7B%7D", "image/png", 406, "'image/png' is not offered"),
    ("/sparql?query=ASK%20%7B%7D&x=1", "*/*", 400, "x: is not a parameter of the SPARQL"),
    (
        "/sparql?query=ASK%20%7B%7D&default-graph-uri=http://x/",
        "*/*",
        403,
        "http://x/ is not one of",
    ),
    ("/sparql?query=LOAD%20%3Cfile:///etc/passwd%3E", "*/*", 403, "LOAD at line 1"),
    ("/sparql?query=SELECT*%7BSERVICE%3Chttp://x/%3E%7B%7D%7D", "*/*", 403, "SERVICE at line 1"),
]


@pytest.mark.parametrize(("path", "accept", "status", "sentence"), PROBLEMS)
def test_every_error_is_one_shape(
    server: httpx.Client, path: str, accept: str, status: int, sentence: str
) -> None:
    response = server.get(path, headers={"Accept": accept})
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (response.status_code, body["status"]) == (status, status)
    assert sentence in body["detail"]
    assert body["title"]
    assert "Traceback" not in response.text


def test_a_syntax_error_has_line_and_column(server: httpx.Client) -> None:
    body = server.get("/sparql", params={"query": "SELECT * WHERE {\n  ?s ?p }"}).json()
    assert (body["status"], body["line"], body["column"]) == (400, 2, 10)


@pytest.mark.parametrize(
    "path", ["/", "/drug/lenalidomide", HEADLINE, "/sparql?query=ASK{}", "/no"]
)
def test_head_is_get_without_the_body(server: httpx.Client, path: str) -> None:
    """RFC 9110, section 9.3.2."""
    head, get = server.head(path), server.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert get.content
    for name in ("content-type", "vary", "content-length", "content-encoding"):
        assert head.headers.get(name) == get.headers.get(name), name


def test_what_is_large_is_sent_compressed(server: httpx.Client) -> None:
    plain = server.get("/ontology.ttl", headers={"Accept-Encoding": "identity"})
    small = server.get("/ontology.ttl", headers={"Accept-Encoding": "gzip"})
    assert plain.content == small.content
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["vary"]
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 3


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(server: httpx.Client, method: str) -> None:
    response = server.request(method, "/drug/lenalidomide")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        (SELECT, "*/*", ROWS),
        (SELECT, "application/json", ROWS),
        (SELECT, "application/sparql-results+xml", "application/sparql-results+xml"),
        (SELECT, "text/csv", "text/csv"),
        (SELECT, "text/tab-separated-values", "text/tab-separated-values"),
        (SELECT, f"text/turtle, {ROWS};q=0.5", ROWS),
        (SELECT, "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        (CONSTRUCT, "text/html,application/xhtml+xml,*/*;q=0.8", "text/turtle"),
        ("ASK { ?s ?p ?o }", "*/*", ROWS),
        ("ASK { ?s ?p ?o }", "text/csv", "text/csv"),
        (CONSTRUCT, "*/*", "text/turtle"),
        (CONSTRUCT, "application/n-triples", "application/n-triples"),
        (CONSTRUCT, "application/ld+json", "application/ld+json"),
        (CONSTRUCT, "application/rdf+xml", "application/rdf+xml"),
        ("DESCRIBE <https://w3id.org/lenkg/drug/lenalidomide>", "text/turtle", "text/turtle"),
    ],
)
@pytest.mark.parametrize("way", ["get", "form", "direct"])
def test_sparql(server: httpx.Client, query: str, accept: str, kind: str, way: str) -> None:
    """SPARQL 1.1 Protocol, section 2.1: three ways to send a query."""
    headers = {"Accept": accept}
    if way == "get":
        response = server.get("/sparql", params={"query": query}, headers=headers)
    elif way == "form":
        response = server.post("/sparql", data={"query": query}, headers=headers)
    else:
        headers["Content-Type"] = "application/sparql-query"
        response = server.post("/sparql", content=query, headers=headers)
    assert_served(response, kind)
    if kind in ("text/turtle", "application/n-triples", "application/rdf+xml"):
        assert len(rdflib.Graph().parse(data=response.text, format=kind)) >= 2


def test_the_endpoint_describes_itself(server: httpx.Client, graph: Graph) -> None:
    """SPARQL 1.1 Service Description: the endpoint, its formats, its graphs with their sizes."""
    address = f"{server.base_url}".rstrip("/") + "/sparql"
    text = server.get("/sparql", headers={"Accept": "text/turtle"}).text
    said = rdflib.Graph().parse(data=text, format="turtle")
    sd = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
    (service,) = said.subjects(rdflib.RDF.type, sd.Service)
    assert said.value(service, sd.endpoint) == rdflib.URIRef(address)
    formats = {str(name).rpartition("/")[2] for name in said.objects(service, sd.resultFormat)}
    assert {"SPARQL_Results_JSON", "SPARQL_Results_CSV", "Turtle", "JSON-LD"} <= formats
    dataset = said.value(service, sd.defaultDataset)
    counts = {
        str(said.value(named, sd.name)): int(
            str(said.value(said.value(named, sd.graph), rdflib.VOID.triples))
        )
        for named in said.objects(dataset, sd.namedGraph)
    }
    rows = graph.rows("SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")
    assert counts == {row["g"]: row["n"] for row in rows}


GRAPH = "https://w3id.org/lenkg/graph/"
PARTS = "SELECT DISTINCT ?in WHERE { { ?s a ?t BIND(0 AS ?in) } UNION { GRAPH ?in { ?s a ?t } } }"
DRUG = "<https://w3id.org/lenkg/drug/lenalidomide>"
OWN = f"SELECT (COUNT(*) > 0 AS ?any) FROM <{GRAPH}dataset> WHERE {{ {DRUG} ?p ?o }}"


@pytest.mark.parametrize(
    ("query", "default", "named", "found"),
    [
        (PARTS, [], ["ontology"], {f"{GRAPH}ontology"}),
        (PARTS, ["ontology"], [], {"0"}),
        (
            PARTS,
            ["dataset"],
            ["ontology", "findings"],
            {"0", f"{GRAPH}ontology", f"{GRAPH}findings"},
        ),
        (OWN, [], [], {"false"}),
        (OWN, ["identifiers"], [], {"true"}),
    ],
)
@pytest.mark.parametrize("way", ["get", "form", "direct"])
def test_a_request_names_its_dataset(
    server: httpx.Client,
    query: str,
    default: list[str],
    named: list[str],
    found: set[str],
    way: str,
) -> None:
    """SPARQL 1.1 Protocol, section 2.1.4: the request's dataset goes before that of the query."""
    graphs = {
        "default-graph-uri": [GRAPH + name for name in default],
        "named-graph-uri": [GRAPH + name for name in named],
    }
    if way == "get":
        response = server.get("/sparql", params={"query": query, **graphs})
    elif way == "form":
        response = server.post("/sparql", data={"query": query, **graphs})
    else:
        headers = {"Content-Type": "application/sparql-query"}
        response = server.post("/sparql", params=graphs, content=query, headers=headers)
    assert_served(response, ROWS)
    rows = response.json()["results"]["bindings"]
    assert {term["value"] for row in rows for term in row.values()} == found


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"update=CLEAR+ALL", "application/x-www-form-urlencoded", 403),
        (b"INSERT DATA {}", "application/sparql-update", 403),
        (b"DROP ALL", "application/sparql-query", 403),
        (b"ASK {}", "text/plain", 415),
        (b"\xff\xfe", "application/sparql-query", 400),
        (b"ASK {}" + b" " * (4 << 20), "application/sparql-query", 413),
    ],
)
def test_what_may_not_be_posted(
    server: httpx.Client, content: bytes, kind: str, status: int
) -> None:
    response = server.post("/sparql", content=content, headers={"Content-Type": kind})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_the_headline_is_the_same_everywhere(server: httpx.Client, graph: Graph) -> None:
    answer = graph.ask(
        "improved-outcome", outcome="mrd-negativity", population="transplant-eligible-ndmm"
    )
    served = server.get(HEADLINE).json()
    assert served == json.loads(json.dumps(answer.document()))
    bound = server.get(HEADLINE.replace("outcome?", "outcome.rq?")).text
    raw = server.get("/sparql", params={"query": bound}).json()
    assert [row["regimenName"]["value"] for row in raw["results"]["bindings"]] == [
        "Isa-VRD",
        "Dara-VRD",
    ]
    page = server.get(HEADLINE, headers={"Accept": "text/html"}).text
    assert all(text in page for text in ("NCT02874742", "20.4", "Table I, row 10, efficacy"))


def test_openapi_tells_the_parameters_of_every_question(server: httpx.Client) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    for question in questions().values():
        told = paths[f"/questions/{question.name}"]["get"]["parameters"]
        assert [p["name"] for p in told] == [p.name for p in question.parameters]
        assert all(p["description"] and p["schema"]["type"] == "array" for p in told)
    size = paths["/questions/regimens-by-size"]["get"]["parameters"][0]
    assert (size["schema"]["items"]["type"], size["examples"]["example"]["value"]) == (
        "integer",
        [4],
    )


def test_a_thing_is_plain_json_and_json_ld(server: httpx.Client) -> None:
    result = server.get("/result/griffin-vrd-mrd-negativity").json()
    assert (result["measure"], result["value"], result["unit"]) == (
        "mrd-negativity",
        "20.4",
        "percent",
    )
    assert result["stated"]["printed"] == "MRD negativity, 20.4%"
    assert (result["stated"]["at"], result["stated"]["cites"]) == ("t1-r11-efficacy", "45")
    context = server.get("/context.jsonld").json()
    triples = rdflib.Graph().parse(data=json.dumps(result | context), format="json-ld")
    nt = server.get("/result/griffin-vrd-mrd-negativity.nt").text
    assert set(triples) == set(rdflib.Graph().parse(data=nt, format="nt"))


def test_every_entity_answers(server: httpx.Client, graph: Graph) -> None:
    rows = graph.rows(
        "SELECT DISTINCT ?s { GRAPH <https://w3id.org/lenkg/graph/zhang-2023> { ?s a ?c } }"
    )
    paths = [row["s"].removeprefix("https://w3id.org/lenkg") for row in rows]
    assert len(paths) > 2000
    for path in paths[::40]:
        assert server.get(path + ".nt").status_code == 200, path


def test_the_version_is_the_snapshot(server: httpx.Client, snapshot: Snapshot) -> None:
    served = server.get("/version").json()
    assert served["snapshot"] == snapshot.version
    assert served["quads"] == snapshot.manifest["quads"]


def test_a_query_that_runs_too_long_is_ended_and_others_do_not_notice(server: httpx.Client) -> None:
    with ThreadPoolExecutor() as threads:
        killers = [
            threads.submit(server.get, "/sparql", params={"query": KILLER}) for _ in range(2)
        ]
        time.sleep(0.3)
        begun = time.monotonic()
        for _ in range(5):
            assert server.get(HEADLINE).status_code == 200
        assert time.monotonic() - begun < 2, "questions waited for the killers"
        for killer in killers:
            response = killer.result()
            assert response.status_code == 503
            assert "the query was ended after 2.0 s" in response.json()["detail"]
            assert response.json()["limit"] == "time"
            assert 2 <= response.json()["seconds"] < 3
    assert server.get("/sparql", params={"query": SELECT}).status_code == 200


def test_a_query_that_needs_too_much_memory_is_ended(server: httpx.Client) -> None:
    greedy = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f"
    assert server.get("/sparql", params={"query": greedy}).status_code == 503
    assert server.get("/sparql", params={"query": SELECT}).status_code == 200


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "a/x"),
        ("", "a/x"),
        ("*/*", "a/x"),
        ("b/y", "b/y"),
        ("a/*;q=0.1, b/*", "b/y"),
        ("b/y;q=0.5, */*;q=0.1", "b/y"),
        ("a/x;q=0, */*", "b/y"),
        ("A/X", "a/x"),
        ("b/y;level=1;q=0.9, a/x;q=nonsense", "b/y"),
    ],
)
def test_negotiation(accept: str | None, expected: str) -> None:
    assert negotiate(accept, ("a/x", "b/y")) == expected


@pytest.mark.parametrize("accept", ["c/z", "a/x;q=0, b/y;q=0", "nonsense"])
def test_nothing_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="there are a/x, b/y"):
        negotiate(accept, ("a/x", "b/y"))
