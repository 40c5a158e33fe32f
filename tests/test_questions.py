"""Every question has an agreed answer, made by hand from the review, and gives it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import ParameterError, QuestionError, UnknownNameError
from kg.names import Names
from kg.question import SLOT, Graph, load, questions
from kg.results import Rows
from tests.agreed import Case, cases

CASES = cases()


def test_every_question_is_agreed_on() -> None:
    assert {case.question for case in CASES} == set(questions())
    assert len(questions()) >= 15
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.question}.{case.name}")
def test_the_answer_is_the_agreed_one(graph: Graph, case: Case) -> None:
    assert case.rows, "an agreed answer has rows"
    assert case.found(graph.ask(case.question, **case.parameters)) == case.rows


@pytest.mark.parametrize("name", questions())
def test_a_file_runs_as_it_stands_in_another_engine_call(graph: Graph, name: str) -> None:
    """The text of the file is SPARQL with its own prefixes; its columns are those of the header."""
    question = questions()[name]
    rows = graph.rows(question.path.read_text(encoding="utf-8"))
    assert rows.columns == [column.name for column in question.columns]
    assert rows.rows


def test_the_headline_file_as_it_stands_is_the_headline(graph: Graph) -> None:
    rows = list(graph.rows(questions()["improved-outcome"].path.read_text(encoding="utf-8")))
    asked = graph.ask(
        "improved-outcome", outcome="mrd-negativity", population="transplant-eligible-ndmm"
    )
    assert rows == list(asked)
    assert len(graph.ask("improved-outcome")) > len(asked), "left out, a parameter is lifted"


@pytest.mark.parametrize("name", questions())
def test_the_examples_of_the_header_are_known(graph: Graph, name: str) -> None:
    for parameter in questions()[name].parameters:
        assert parameter.example, f"{parameter.name} has no example"
        graph.ask(name, **{parameter.name: parameter.example})


def test_the_headline(graph: Graph) -> None:
    answer = graph.ask(
        "improved-outcome", outcome="mrd-negativity", population="transplant-eligible-ndmm"
    )
    isa, dara = list(answer)
    assert (dara["regimenName"], dara["comparatorName"]) == ("Dara-VRD", "VRD")
    assert (dara["studyName"], dara["registration"]) == ("GRIFFIN", "NCT02874742")
    assert (dara["value"], dara["comparatorValue"], dara["unit"]) == (51, 20.4, "percent")
    assert (dara["references"], dara["figurePlaces"]) == ("45", "Table I, row 11, efficacy")
    assert (isa["regimenName"], isa["comparatorName"]) == ("Isa-VRD", "VRD")
    assert (isa["studyName"], isa["registration"]) == ("GMMG-HD7", "NCT03617731")
    assert (isa["value"], isa["comparatorValue"], isa["references"]) == (50, None, "44")
    assert isa["missing"] == (
        "The review prints no rate of negative measurable residual disease for the control arm."
    )


@pytest.mark.parametrize(
    ("kind", "name", "slug"),
    [
        ("regimen", "RVd", "vrd"),
        ("regimen", "vrd", "vrd"),
        ("regimen", "len/dex", "rd"),
        ("drug", "Revlimid", "lenalidomide"),
        ("drug", "dara", "daratumumab"),
        ("drug", "CC-5013", "lenalidomide"),
        ("study", "NCT02874742", "griffin"),
        ("study", "Griffin trial", "griffin"),
        ("measure", "measurable residual disease", "mrd-negativity"),
        ("measure", "MRD", "mrd-negativity"),
        ("measure", "https://w3id.org/lenkg/measure/pfs", "pfs"),
        ("measure", "measure/pfs", "pfs"),
        ("population", "transplant-eligible NDMM", "transplant-eligible-ndmm"),
        ("ontology", "proteasome inhibitor", "ProteasomeInhibitor"),
        ("process|target", "VEGF", "vegf"),
    ],
)
def test_names_that_people_use(graph: Graph, kind: str, name: str, slug: str) -> None:
    assert graph.names.resolve(kind, name).rpartition("/")[2] == slug


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"outcome": "mrd-negativty"},
            "outcome: no measure is called 'mrd-negativty'; did you mean mrd-negativity",
        ),
        ({"outcom": "pfs"}, "outcom: is not a parameter of improved-outcome; it has: outcome"),
        ({"population": ""}, "population: '' is not a name, for example transplant-eligible"),
        ({"outcome": "x" * 5000}, "outcome: is longer than 1000 characters"),
    ],
)
def test_a_wrong_value_is_answered_with_a_remedy(
    graph: Graph, values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ParameterError, match=re.escape(sentence)):
        graph.ask("improved-outcome", **values)


def test_a_number_must_be_one(graph: Graph) -> None:
    with pytest.raises(ParameterError, match="size: 'four' is not a whole number, for example 4"):
        graph.ask("regimens-by-size", size="four")


def test_an_unknown_question_names_the_nearest(graph: Graph) -> None:
    with pytest.raises(UnknownNameError, match="no question 'improved-outcomes'; did you mean imp"):
        graph.ask("improved-outcomes")


def test_where_there_is_nothing_the_answer_says_so(graph: Graph) -> None:
    answer = graph.ask("improved-outcome", outcome="mrd-negativity", population="rrmm")
    assert len(answer) == 0
    assert answer.document()["message"] == (
        "the sources say nothing on this question for outcome mrd-negativity, population rrmm"
    )


def test_several_values_mean_any_of_them(graph: Graph) -> None:
    both = graph.ask("study-results", study=["griffin", "gmmg-hd7"])
    assert len(both) == len(graph.ask("study-results", study="griffin")) + len(
        graph.ask("study-results", study="gmmg-hd7")
    )


TEXT_QUESTION = """\
#+ summary: Which things are called so?
#+ description: For the test of text values.
#+ persona: tester
#+ tags: [test]
#+ params:
#+   name: {type: string, description: A name, example: x}
#+   other: {type: string, description: Another, example: y}
#+ columns:
#+   name: the name
#+   other: the other
SELECT ?name ?other WHERE { VALUES ?name { "a" } VALUES ?other { "b" } }
"""


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=300)
def test_a_hostile_value_is_a_value_and_nothing_else(name: str, other: str) -> None:
    question = _text_question()
    store = ox.Store()
    text = question.bound({"name": name, "other": other}, _no_names())
    solutions: Any = store.query(text)
    assert [[row["name"].value, row["other"].value] for row in solutions] == [[name, other]]


@pytest.mark.parametrize(
    "value",
    [
        '" } SELECT * WHERE { ?s ?p ?o } #',
        'x" || true || "',
        "VALUES ?other { evil }",
        "} UNION { ?s ?p ?o",
        "\\u0022 } #",
        "\\",
        '"""',
        "\n\r\t",
    ],
)
def test_an_attack_stays_inside_its_braces(value: str) -> None:
    text = _text_question().bound({"name": value, "other": value}, _no_names())
    solutions: Any = ox.Store().query(text)
    assert [[row["name"].value, row["other"].value] for row in solutions] == [[value, value]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("#+ summary: Which things are called so?\n", ""), "the header is incomplete"),
        (("VALUES ?other { ", "VALUES ?another { "), "VALUES ?another is not among the params"),
        (("type: string", "type: text"), "param name needs a known type"),
        (("#+ columns:", "#+ columns: ["), "not YAML"),
        (("  name: {type", "  class: {type"), "VALUES ?name is not among the params"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Any, change: tuple[str, str], sentence: str) -> None:
    path = tmp_path / "faulty.rq"
    path.write_text(TEXT_QUESTION.replace(*change, 1), encoding="utf-8")
    with pytest.raises(QuestionError, match=re.escape(sentence)) as error:
        load(path)
    assert str(path) in str(error.value)


def test_each_slot_is_filled_in_one_pass() -> None:
    assert SLOT.findall("VALUES ?a { 1 } VALUES ?b {}") == [("a", " 1 "), ("b", "")]


def _text_question() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.rq"
        path.write_text(TEXT_QUESTION, encoding="utf-8")
        return load(path)


def _no_names() -> Names:
    return Names(Rows(["thing", "property", "name"], []))


# What shows no statement of a source: findings themselves, the names in use, what is not said.
WITHOUT_FLAGS = {"findings", "names", "not-reported"}


def test_every_answer_carries_flags_and_can_leave_flagged_rows_out() -> None:
    for name, question in questions().items():
        flagged = "flags" in {column.name for column in question.columns}
        assert flagged == (name not in WITHOUT_FLAGS), name
        assert flagged == ("flagged" in {parameter.name for parameter in question.parameters}), name


def test_flagged_rows_can_be_left_out(graph: Graph) -> None:
    both = len(graph.ask("study-results", study="griffin"))
    only = len(graph.ask("study-results", study="griffin", flagged="true"))
    rest = graph.ask("study-results", study="griffin", flagged="false")
    assert only and only + len(rest) == both
    assert all(row["flags"] is None for row in rest)
