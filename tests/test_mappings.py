"""Links to public vocabularies: SSSOM in form, valid by bioregistry, told apart by strength."""

from __future__ import annotations

from pathlib import Path

import bioregistry
import pyoxigraph as ox
import pytest

from kg.errors import Fault
from kg.mappings import STRENGTHS, read_mappings, read_table
from kg.question import Graph
from kg.terms import FACTS
from kg.terms import graph as named

TABLE = FACTS / "identifiers.sssom.tsv"
HEAD, ROWS = read_table(TABLE)


def test_the_table_is_large_and_sorted() -> None:
    assert len(ROWS) > 400
    keys = [(row["subject_id"], row["subject_label"], row["predicate_id"]) for _, row in ROWS]
    assert keys == sorted(keys)


@pytest.mark.parametrize("prefix", sorted({row["object_id"].partition(":")[0] for _, row in ROWS}))
def test_every_identifier_is_valid(prefix: str) -> None:
    assert bioregistry.normalize_prefix(prefix) == prefix
    identifiers = [r["object_id"] for _, r in ROWS if r["object_id"].startswith(prefix + ":")]
    wrong = [i for i in identifiers if not bioregistry.is_valid_curie(i)]
    assert wrong == []
    assert HEAD["curie_map"][prefix].startswith("http")


def test_every_row_has_its_justification() -> None:
    for line, row in ROWS:
        assert row["predicate_id"] in STRENGTHS, line
        assert row["mapping_justification"].startswith("semapv:"), line
        assert row["comment"], f"line {line} does not say where the identifier was seen"


def test_the_links_are_in_a_graph_of_their_own(graph: Graph) -> None:
    rows = graph.rows(
        "SELECT ?p (COUNT(*) AS ?n) "
        "{ GRAPH <https://w3id.org/lenkg/graph/identifiers> { ?s ?p ?o } } GROUP BY ?p"
    )
    counts = {row["p"].rpartition("#")[2]: row["n"] for row in rows}
    assert set(counts) == {"exactMatch", "closeMatch", "broadMatch"}
    assert sum(counts.values()) == len(ROWS)
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
