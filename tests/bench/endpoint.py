"""The SPARQL endpoint beside its rivals, on the same data and machine, in turns.

Servers and client share the machine's cores. Every figure is the median of three rounds; in each
round every server is asked for a while, one after the other.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.graphs import made
from tests.bench.load import PREFIXES, Load, load
from tests.bench.results import FOLDER, report
from tests.bench.servers import Server, Start, lenkg, oxigraph, servers, virtuoso

ROUNDS, SECONDS = 3, 3
OF_A_STUDY = """SELECT ?arm ?outcome ?value WHERE {
  ?result lenkg:ofStudy <https://w3id.org/lenkg/study/STUDY> ; lenkg:ofArm/rdfs:label ?arm ;
    lenkg:measure/rdfs:label ?outcome ; lenkg:value ?value . FILTER(?value > 0.NUMBER)
}"""
OF_A_POPULATION = """SELECT ?regimenName ?studyName ?value WHERE {
  ?result a lenkg:ArmResult ; lenkg:measure measure:pfs ; lenkg:value ?value ;
    lenkg:regimen/rdfs:label ?regimenName ; lenkg:ofStudy/rdfs:label ?studyName ;
    lenkg:population/lenkg:inPopulation population:ndmm . FILTER(?value > 0.NUMBER)
}"""


@dataclass(frozen=True)
class Measure:
    """A query with the number of connections over which it is asked."""

    name: str
    query: str
    connections: int


ON_THE_REAL_GRAPH = [
    Measure("small, one repeated", OF_A_POPULATION.replace("NUMBER", "5"), 64),
    Measure("small, of a study, all different", OF_A_STUDY, 8),
    Measure("small, of a study, all different", OF_A_STUDY, 64),
    Measure("small, of a population, all different", OF_A_POPULATION, 8),
    Measure("small, of a population, all different", OF_A_POPULATION, 64),
]
ON_A_MILLION = [
    Measure("small, of a study, all different", OF_A_STUDY, 64),
    Measure("join: outcomes of a population", OF_A_POPULATION, 8),
    Measure(
        "join: the best ten of all figures",
        """SELECT ?armName ?studyName ?value WHERE {
          ?result a lenkg:ArmResult ; lenkg:value ?value ; lenkg:ofArm/rdfs:label ?armName ;
            lenkg:ofStudy/rdfs:label ?studyName . FILTER(?value > 0.NUMBER)
        } ORDER BY DESC(?value) ?studyName ?armName LIMIT 10""",
        8,
    ),
    Measure(
        "aggregate: mean by outcome",
        """SELECT ?outcome (AVG(?value) AS ?mean) (COUNT(?value) AS ?figures) WHERE {
          ?result a lenkg:ArmResult ; lenkg:measure ?outcome ; lenkg:value ?value .
          FILTER(?value > 0.NUMBER)
        } GROUP BY ?outcome""",
        8,
    ),
    Measure(
        "aggregate: references by citations",
        """SELECT ?title (COUNT(?statement) AS ?citations) WHERE {
          ?statement lenkg:cites ?reference . ?reference lenkg:title ?title ; lenkg:year ?year .
          FILTER(?year > 0.NUMBER)
        } GROUP BY ?title""",
        8,
    ),
    Measure(
        "aggregate: studies by class",
        """SELECT ?class (COUNT(DISTINCT ?study) AS ?studies) WHERE {
          ?class rdfs:subClassOf* lenkg:Study . ?study a ?class .
          ?study lenkg:hasArm/lenkg:hasResult/lenkg:value ?value .
          FILTER(?value > 0.NUMBER)
        } GROUP BY ?class""",
        8,
    ),
]
COLUMNS = ["graph", "what", "connections", "server", "rows", "answers/s", "p50 ms", "p99 ms",
           "failed", "memory MiB", "LenKG / this"]  # fmt: skip


def studies(quads: Path) -> tuple[Path, str]:
    """A file of the slugs of all studies of a graph, one a line; and the first of them."""
    begin, link = "<https://w3id.org/lenkg/study/", "lenkg/ontology/hasArm>"
    with quads.open(encoding="utf-8") as lines:
        slugs = {
            line.removeprefix(begin).partition(">")[0]
            for line in lines
            if line.startswith(begin) and link in line
        }
    path = FOLDER / "studies.txt"
    path.write_text("".join(f"{slug}\n" for slug in sorted(slugs)), encoding="utf-8")
    return path, min(slugs)


def _measured(
    graph: str, triples: int, starts: Sequence[Start], what: list[Measure]
) -> list[list[object]]:
    rows: list[list[object]] = []
    snapshot = made(triples).snapshot
    slugs, first = studies(snapshot.quads)
    with ExitStack() as stack:
        running = [stack.enter_context(start(snapshot)) for start in starts]
        for measure in what:
            rounds: dict[Server, list[Load]] = {server: [] for server in running}
            example = PREFIXES + measure.query.replace("STUDY", first).replace("NUMBER", "5")
            counts = {server: server.rows(example) for server in running}
            for _ in range(ROUNDS):
                for server, loads in rounds.items():
                    loads.append(load(server, measure.query, slugs, measure.connections, SECONDS))
            middle = {
                server: Load(*map(statistics.median, zip(*loads, strict=True)))
                for server, loads in rounds.items()
            }
            ours = middle[running[0]]
            rows += [
                [graph, measure.name, measure.connections, server.name, counts[server], its.rate,
                 its.p50, its.p99, int(its.errors), round(server.memory()),
                 ours.rate / its.rate if server is not running[0] and its.rate else None]
                for server, its in middle.items()
            ]  # fmt: skip
    return rows


def main() -> None:
    """Measures on the real graph, then on one of a million triples."""
    rows = _measured("real", 0, servers(), ON_THE_REAL_GRAPH)
    able = [start for start in servers() if start in (lenkg, oxigraph, virtuoso)]
    rows += _measured("1 M", 1_000_000, able, ON_A_MILLION)
    report("endpoint", "SPARQL endpoint", COLUMNS, rows)
