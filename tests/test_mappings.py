"""Links to public vocabularies: SSSOM in form, valid by bioregistry, told apart by strength."""

from __future__ import annotations

from pathlib import Path

import bioregistry
import pyoxigraph as ox
import pytest

from kg.errors import Fault
from kg.mappings import STRENGTHS, read_mappings, read_table
from kg.question import Graph
from kg.terms import FACTS, ONTOLOGY
from kg.terms import graph as named

# name of the graph -> table, the least number of its rows, and the strengths that occur
TABLES = {
    "identifiers": (FACTS / "identifiers.sssom.tsv", 400, {"exact", "close", "broad"}),
    "mappings": (ONTOLOGY / "mappings.sssom.tsv", 100, {"exact", "close", "broad", "narrow"}),
}
READ = {name: read_table(path) for name, (path, _, _) in TABLES.items()}
PREFIXES = sorted(
    {(name, r["object_id"].partition(":")[0]) for name in READ for _, r in READ[name][1]}
)


@pytest.mark.parametrize("table", TABLES)
def test_the_table_is_large_and_sorted(table: str) -> None:
    rows = READ[table][1]
    assert len(rows) > TABLES[table][1]
    keys = [(row["subject_id"], row["subject_label"], row["predicate_id"]) for _, row in rows]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("table", "prefix"), PREFIXES)
def test_every_identifier_is_valid(table: str, prefix: str) -> None:
    head, rows = READ[table]
    assert bioregistry.normalize_prefix(prefix) == prefix
    identifiers = [r["object_id"] for _, r in rows if r["object_id"].startswith(prefix + ":")]
    wrong = [i for i in identifiers if not bioregistry.is_valid_curie(i)]
    assert wrong == []
    assert head["curie_map"][prefix].startswith("http")


def test_the_terms_are_mapped_to_the_vocabularies_of_the_field() -> None:
    mapped = {row["object_id"].partition(":")[0] for _, row in READ["mappings"][1]}
    assert {"biolink", "ncit", "sio", "stato", "prov"} <= mapped


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_its_justification(table: str) -> None:
    for line, row in READ[table][1]:
        assert row["predicate_id"] in STRENGTHS, line
        assert row["mapping_justification"].startswith("semapv:"), line
        assert row["comment"], f"line {line} does not say where the identifier was seen"


@pytest.mark.parametrize("table", TABLES)
def test_the_links_are_in_a_graph_of_their_own(graph: Graph, table: str) -> None:
    rows = graph.rows(
        "SELECT ?p (COUNT(*) AS ?n) "
        f"{{ GRAPH <https://w3id.org/lenkg/graph/{table}> {{ ?s ?p ?o }} }} GROUP BY ?p"
    )
    counts = {row["p"].rpartition("#")[2].removesuffix("Match"): row["n"] for row in rows}
    assert set(counts) == TABLES[table][2]
    assert sum(counts.values()) == len(READ[table][1])
    assert not list(graph.rows("SELECT * { ?s <http://www.w3.org/2002/07/owl#sameAs> ?o }"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "drug:x\tskos:exactMatch\tnope:1\tsemapv:M",
            "the prefix of 'nope:1' is not in the curie_map",
        ),
        (
            "drug:x\towl:sameAs\tmesh:D1\tsemapv:M",
            "the predicate 'owl:sameAs' is not one of skos:exact",
        ),
        ("drug:x\tskos:exactMatch\t\tsemapv:M", "a row needs subject_id, predicate_id, object_id"),
        ("drug:x\tskos:exactMatch\tmesh:D1", "a row needs subject_id, predicate_id, object_id"),
        ("drug:y\tskos:exactMatch\tmesh:D1\tsemapv:M", "the same mapping stands in line 4"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "x.sssom.tsv"
    columns = "subject_id\tpredicate_id\tobject_id\tmapping_justification"
    good = "drug:y\tskos:exactMatch\tmesh:D1\tsemapv:M"
    path.write_text(f"#curie_map:\n#  mesh: http://x/\n{columns}\n{good}\n{row}\n", "utf-8")
    items = [item for _, item in read_mappings(path, "x.sssom.tsv", ox.NamedNode("http://g/"))]
    assert isinstance(items[0], ox.Quad)
    assert isinstance(items[1], Fault)
    assert items[1].place == "x.sssom.tsv:5"
    assert message in items[1].message


def test_a_faulty_head_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.sssom.tsv"
    path.write_text("#curie_map:\n#  mesh: [\nsubject_id\n", encoding="utf-8")
    ((_, item),) = read_mappings(path, "x.sssom.tsv", named("x"))
    assert isinstance(item, Fault)
    assert "the head is not YAML" in item.message
