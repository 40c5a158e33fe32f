"""The endpoint against the W3C's tests of the SPARQL 1.1 Protocol and Service Description.

Each request of their manifests is sent, byte by byte, to a server on the graphs that the tests
give. The endpoint is read-only: what it cannot do is listed with its reason in
cases/w3c-misses.tsv, and nothing else.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import pyoxigraph as ox
import pytest
import rdflib
from rdflib.query import Result

from kg.build import pack
from kg.rq import canonical
from tests.program import serving
from tests.w3c import (
    DATA,
    MF,
    MISSES,
    PROTOCOL,
    SERVICE,
    Entry,
    Graph,
    Term,
    entries,
    passing_or_listed,
    place,
)

CNT = "http://www.w3.org/2011/content#"
HT = "http://www.w3.org/2011/http#"
HTS = "http://www.w3.org/2011/http-statusCodes#StatusCode"
UT = "http://www.w3.org/2009/sparql/tests/test-update#"
SD = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
FORMATS = {  # what may come (by the names of the tests), and what reads it
    "boolean": {"application/sparql-results+xml": "xml", "application/sparql-results+json": "json"},
    "tabular": {
        "application/sparql-results+xml": "xml",
        "application/sparql-results+json": "json",
        "text/csv": "csv",
        "text/tab-separated-values": "tsv",
    },
    "RDF": {
        "application/rdf+xml": "xml",
        "text/turtle": "turtle",
        "application/n-triples": "nt",
    },
}


class Step(NamedTuple):
    """A request of a test and what is to come: classes of status, a boolean, a kind of format."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    statuses: set[str]
    boolean: str | None
    format: str | None


class Case(NamedTuple):
    name: str
    steps: list[Step]

    @property
    def updates(self) -> bool:
        """Whether its first request is an update; those that follow ask for what it did."""
        return "update" in self.name


def one(graph: Graph, subject: Term, predicate: str) -> str | None:
    texts = graph.texts(subject, predicate)
    assert len(texts) <= 1
    return texts[0] if texts else None


def step(graph: Graph, request: Term) -> Step:
    (response,) = graph.all(request, f"{HT}resp")
    content = b""
    for body in graph.all(request, f"{HT}body"):
        (text,) = graph.texts(body, f"{CNT}chars")
        (encoding,) = graph.texts(body, f"{CNT}characterEncoding")
        content = text.encode(encoding)
    headers = [
        (graph.texts(header, f"{HT}fieldName")[0], graph.texts(header, f"{HT}fieldValue")[0])
        for header in graph.items(request, f"{HT}headers")
    ]
    return Step(
        graph.texts(request, f"{HT}methodName")[0],
        graph.texts(request, f"{HT}absolutePath")[0],
        headers,
        content,
        {status.removeprefix(HTS) for status in graph.texts(response, f"{MF}expectedStatus")},
        one(graph, response, f"{MF}expectedBoolean"),
        one(graph, response, f"{MF}expectedFormat"),
    )


def case(entry: Entry) -> Case:
    (action,) = entry.graph.all(entry.node, f"{MF}action")
    requests = entry.graph.items(action, f"{HT}requests")
    return Case(entry.name, [step(entry.graph, request) for request in requests])


ENTRIES = list(entries(DATA / PROTOCOL))
CASES = [case(entry) for entry in ENTRIES]
UPDATES = [case for case in CASES if case.updates]
FOREIGN, OURS = "sparql%2Fdata%2Fdata0.rdf", "sparql%2Fdata%2Fdata1.rdf"


def quads() -> list[ox.Quad]:
    """All the graphs that the protocol's tests give, under the names that they give them."""
    graphs = {
        entry.graph.texts(data, "http://www.w3.org/2000/01/rdf-schema#label")[0]: place(
            entry.graph.texts(data, f"{UT}graph")[0]
        )
        for entry in ENTRIES
        for data in entry.graph.all(entry.node, f"{UT}graphData")
    }
    return [
        ox.Quad(quad.subject, quad.predicate, quad.object, ox.NamedNode(name))
        for name, path in graphs.items()
        for quad in ox.parse(path=path)
    ]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that holds the tests' graphs."""
    build = tmp_path_factory.mktemp("protocol")
    pack(build, canonical(quads()), {}, {})
    with (
        serving(os.environ | {"LENKG_BUILD": str(build)}) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def send(endpoint: httpx.Client, step: Step) -> httpx.Response:
    """The answer to a request that has the manifest's headers and bytes, and no others."""
    url = endpoint.base_url.copy_with(raw_path=step.path.encode())
    request = httpx.Request(step.method, url, headers=step.headers, content=step.body)
    assert request.url.raw_path == step.path.encode()
    return endpoint.send(request)


def kind(response: httpx.Response) -> str:
    return response.headers["content-type"].partition(";")[0].strip()


def assert_as_expected(response: httpx.Response, step: Step) -> None:
    """Status, boolean and format are as the comment of the manifest says."""
    assert f"{response.status_code // 100}xx" in step.statuses, response.text
    if step.format:
        readers = FORMATS[step.format]
        assert kind(response) in readers
        reader = readers[kind(response)]
        if step.format == "RDF":
            rdflib.Graph().parse(data=response.content, format=reader)
        else:
            result = Result.parse(io.BytesIO(response.content), format=reader)
            assert result.type == ("ASK" if step.format == "boolean" else "SELECT")
            if step.boolean:
                assert result.askAnswer == (step.boolean == "true")


def check(endpoint: httpx.Client, case: Case) -> None:
    for step in case.steps:
        assert_as_expected(send(endpoint, step), step)


def everything(endpoint: httpx.Client) -> list[dict[str, object]]:
    query = "SELECT ?g ?s ?p ?o WHERE { GRAPH ?g { ?s ?p ?o } } ORDER BY ?g ?s ?p ?o"
    response = endpoint.get("/sparql", params={"query": query})
    rows: list[dict[str, object]] = response.json()["results"]["bindings"]
    return rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_endpoint_keeps_the_protocol_or_as_listed(endpoint: httpx.Client, case: Case) -> None:
    with passing_or_listed(case.name):
        check(endpoint, case)


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case.name)
def test_an_update_is_refused_by_design_and_changes_nothing(
    endpoint: httpx.Client, case: Case
) -> None:
    before = everything(endpoint)
    update, *questions = case.steps
    response = send(endpoint, update)
    assert 400 <= response.status_code < 500
    assert kind(response) == "application/problem+json"
    assert response.json()["status"] == response.status_code
    assert response.json()["detail"]
    for question in questions:
        assert_as_expected(send(endpoint, question), question._replace(boolean="false"))
    assert everything(endpoint) == before
    assert len(before) == 3


MISSED = [case for case in CASES if case.name in MISSES and not case.updates]


@pytest.mark.parametrize("case", MISSED, ids=lambda case: case.name)
def test_a_query_is_missed_for_its_foreign_graph_alone(endpoint: httpx.Client, case: Case) -> None:
    """The same request on a graph that is there passes; on the foreign one it is refused."""
    assert all(FOREIGN in step.path for step in case.steps)
    for step in case.steps:
        response = send(endpoint, step)
        assert response.status_code == 403
        assert kind(response) == "application/problem+json"
    check(
        endpoint,
        case._replace(
            steps=[step._replace(path=step.path.replace(FOREIGN, OURS)) for step in case.steps]
        ),
    )


def test_the_whole_manifest_is_walked() -> None:
    assert len(CASES) == len({case.name for case in CASES}) == 34
    assert sum(len(case.steps) for case in CASES) == 39
    assert len(UPDATES) == 14
    assert len([case for case in UPDATES if case.name in MISSES]) == 7
    assert len(MISSED) == 6
    assert len(quads()) == 3


# https://www.w3.org/ns/sparql-service-description: property -> (domain, range), where there is one
SCHEMA = {
    "endpoint": ("Service", None),
    "feature": ("Service", "Feature"),
    "defaultEntailmentRegime": ("Service", "EntailmentRegime"),
    "defaultSupportedEntailmentProfile": ("Service", "EntailmentProfile"),
    "entailmentRegime": ("NamedGraph", "EntailmentRegime"),
    "supportedEntailmentProfile": ("NamedGraph", "EntailmentProfile"),
    "extensionFunction": ("Service", "Function"),
    "extensionAggregate": ("Service", "Aggregate"),
    "languageExtension": ("Service", "Feature"),
    "supportedLanguage": ("Service", "Language"),
    "propertyFeature": ("Service", "Feature"),
    "defaultDataset": ("Service", "Dataset"),
    "availableGraphs": ("Service", "GraphCollection"),
    "resultFormat": ("Service", None),
    "inputFormat": ("Service", None),
    "defaultGraph": ("Dataset", "Graph"),
    "namedGraph": ("GraphCollection", "NamedGraph"),
    "name": ("NamedGraph", None),
    "graph": ("NamedGraph", "Graph"),
}
INSTANCES = {  # those that the schema itself names
    "SPARQLQuery": "Language",
    "SPARQL10Query": "Language",
    "SPARQL11Query": "Language",
    "SPARQLUpdate": "Language",
    "SPARQL11Update": "Language",
    "DereferencesURIs": "Feature",
    "UnionDefaultGraph": "Feature",
    "RequiresDataset": "Feature",
    "EmptyGraphs": "Feature",
    "BasicFederatedQuery": "Feature",
}
WIDER = {"Dataset": "GraphCollection", "Language": "Feature"}
ELSEWHERE = {  # what the schema leaves to other lists of the W3C
    "EntailmentRegime": "http://www.w3.org/ns/entailment/",
    "EntailmentProfile": "http://www.w3.org/ns/owl-profile/",
}
ACCEPTS = ("text/turtle", "application/rdf+xml", "application/n-triples")


def described(endpoint: httpx.Client, accept: str | None = None) -> rdflib.Graph:
    """What a GET of the endpoint without a query returns."""
    url = endpoint.base_url.join("/sparql")
    response = endpoint.send(
        httpx.Request("GET", url, headers={"Accept": accept} if accept else {})
    )
    assert response.status_code == 200, response.text
    if accept:
        assert kind(response) == accept
    return rdflib.Graph().parse(data=response.content, format=FORMATS["RDF"][kind(response)])


def returns_rdf(endpoint: httpx.Client) -> None:
    said = described(endpoint)
    assert len(said) > 0
    for accept in ACCEPTS:
        assert set(described(endpoint, accept)) == set(said)


def has_endpoint_triple(endpoint: httpx.Client) -> None:
    address = rdflib.URIRef(str(endpoint.base_url.join("/sparql")))
    said = described(endpoint)
    (service,) = said.subjects(SD.endpoint, address)
    assert (service, rdflib.RDF.type, SD.Service) in said


def conforms_to_schema(endpoint: httpx.Client) -> None:
    said = described(endpoint)

    def belongs(node: rdflib.term.Node, wanted: str) -> bool:
        name = str(node).removeprefix(SD)
        kinds = {str(kind).removeprefix(SD) for kind in said.objects(node, rdflib.RDF.type)}
        kinds |= {INSTANCES[name]} if name in INSTANCES else set()
        kinds |= {WIDER[kind] for kind in kinds if kind in WIDER}
        return wanted in kinds or str(node).startswith(ELSEWHERE.get(wanted, "\0"))

    used = [(s, str(p).removeprefix(SD), o) for s, p, o in said if str(p).startswith(SD)]
    assert {name for _, name, _ in used} <= SCHEMA.keys()
    for subject, name, value in used:
        domain, range_ = SCHEMA[name]
        assert isinstance(value, rdflib.URIRef | rdflib.BNode), (name, value)
        assert belongs(subject, domain), (subject, name)
        assert not range_ or belongs(value, range_), (name, value)
        if name in ("resultFormat", "inputFormat"):
            assert value.startswith("http://www.w3.org/ns/formats/")
    for graph in said.objects(None, SD.namedGraph):
        (address,) = said.objects(graph, SD.name)
        assert isinstance(address, rdflib.URIRef)
    (service,) = said.subjects(rdflib.RDF.type, SD.Service)
    assert len(list(said.objects(service, SD.endpoint))) == 1
    assert len(list(said.objects(service, SD.defaultDataset))) == 1


CHECKS: dict[str, Callable[[httpx.Client], None]] = {
    "returns-rdf": returns_rdf,
    "has-endpoint-triple": has_endpoint_triple,
    "conforms-to-schema": conforms_to_schema,
}
DESCRIPTIONS = [entry.name for entry in entries(DATA / SERVICE)]


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_the_endpoint_describes_itself_or_as_listed(endpoint: httpx.Client, name: str) -> None:
    with passing_or_listed(name):
        CHECKS[name.rpartition("/")[2]](endpoint)


def test_the_whole_manifest_of_descriptions_is_walked() -> None:
    assert len(DESCRIPTIONS) == len(CHECKS) == 3
