"""The facts against the review's own text: nothing wrong, nothing missing, both ways."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.errors import SourceError
from kg.places import Passage, as_yaml, passages, read_review
from kg.read import Facts, read
from kg.terms import BASE, FACTS, VOCABULARY
from kg.verify import numbers, plain, read_exceptions, spans, verify

SOURCE = "zhang-2023"


@pytest.fixture(scope="module")
def text(review: Path) -> list[Passage]:
    return read_review(review)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return read()


def test_the_places_file_is_that_of_this_review(text: list[Passage]) -> None:
    written = (FACTS / SOURCE / "places.yaml").read_text(encoding="utf-8")
    assert as_yaml(text, SOURCE) == written


def test_nothing_is_wrong_and_nothing_is_missing(text: list[Passage], facts: Facts) -> None:
    report = verify(text, facts, SOURCE)
    assert [str(fault) for fault in report.faults] == []
    assert all(count.whole for count in report.sections.values())
    total = [sum(vars(c)[name] for c in report.sections.values()) for name in ("places", "numbers")]
    assert total == [561, 1045]
    assert report.statements > 1500


def test_exceptions_are_few_and_have_reasons() -> None:
    exceptions = read_exceptions(FACTS / SOURCE / "exceptions.tsv")
    assert len(exceptions) < 25
    assert all(len(reason) > 10 for reason in exceptions.values())


def changed(facts: Facts, subject: str, name: str, value: str | None) -> Facts:
    """The facts with the value of one property replaced, or removed."""
    property_ = ox.NamedNode(VOCABULARY + name)
    node = ox.NamedNode(BASE + subject)
    kept, found = [], 0
    for quad in facts.quads:
        if quad.subject == node and quad.predicate == property_:
            found += 1
            if value is None:
                continue
            term = ox.NamedNode(value) if value.startswith("http") else ox.Literal(value)
            quad = ox.Quad(node, property_, term, quad.graph_name)  # noqa: PLW2901
        kept.append(quad)
    assert found, (subject, name)
    return Facts(kept, facts.lines)


RESULT = "result/griffin-vrd-mrd-negativity"
STATEMENT = "statement/result-griffin-vrd-mrd-negativity-t1-r11-efficacy"
REFERENCE, PLACE = f"{BASE}reference/zhang-2023-", f"{BASE}place/zhang-2023-"


@pytest.mark.parametrize(
    ("slip", "sentence"),
    [
        ((STATEMENT, "printed", "20.5%"), "'20.5%' is not printed at t1-r11-efficacy: 'scr"),
        ((STATEMENT, "printed", "sCR, 62.6%"), "no statement there has 20.4 as printed"),
        ((STATEMENT, "cites", f"{REFERENCE}46"), "reference 46 is not cited at t1-r11-efficacy"),
        ((STATEMENT, "statedIn", f"{PLACE}t1-r12-efficacy"), "20.4 stands at no place"),
        (("study/griffin", "registration", "NCT02874743"), "NCT02874743 stands at no place"),
        ((RESULT, "value", "20.5"), "value 20.5 stands at no place of this record"),
    ],
)
def test_a_slip_is_found(
    text: list[Passage], facts: Facts, slip: tuple[str, str, str], sentence: str
) -> None:
    report = verify(text, changed(facts, *slip), SOURCE)
    found = [str(fault) for fault in report.faults if sentence in fault.message]
    assert found
    if "no statement" not in sentence:
        assert re.match(r"kg/facts/zhang-2023/studies/griffin\.yaml:\d+: ", found[0])


def test_an_uncarried_sentence_is_found(text: list[Passage], facts: Facts) -> None:
    place = f"{BASE}place/zhang-2023-s4.4-p4-s4"
    there = {q.subject for q in facts.quads if q.object == ox.NamedNode(place)}
    kept = [q for q in facts.quads if q.subject not in there and q.object not in there]
    report = verify(text, Facts(kept, facts.lines), SOURCE)
    assert [f.message for f in report.faults if f.message.startswith("s4.4-p4-s4")] == [
        "s4.4-p4-s4: no statement carries it"
    ]
    assert not report.sections["4.4"].whole


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:20000], "no abstract or no reference list: not this review, or cut"),
        (lambda text: "An essay.\n\n" + "word " * 100, "not this review, or cut"),
        (lambda text: text.replace("Hepatotoxicity. Liver", "Liver"), "s5.11 were not found"),
        (lambda text: text.replace("\n41. ", "\n42. "), "reference 42 stands where 41 is expected"),
        (lambda text: text.replace("NDMM\tPhase 3 study", "Phase 3 study"), "5 cells, not 6"),
        (
            lambda text: text.replace("51.0%", "52.0%"),
            "682 of 685 places are the same; t1-r11",
        ),
    ],
)
def test_another_text_is_recognised(
    review: Path, facts: Facts, change: Callable[[str], str], sentence: str
) -> None:
    with pytest.raises(SourceError, match=re.escape(sentence)):
        verify(passages(change(review.read_text(encoding="utf-8"))), facts, SOURCE)


def test_a_faulty_list_of_exceptions_is_named(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.tsv"
    path.write_text("place\tnumber\treason\ns1-p1-s1\t10\t\n", encoding="utf-8")
    with pytest.raises(
        SourceError, match=r"exceptions\.tsv:2: a line has place, number or \*, and"
    ):
        read_exceptions(path)
    shutil.rmtree(tmp_path)
    assert read_exceptions(path) == {}


@pytest.mark.parametrize(
    ("printed", "there", "expected"),
    [
        ("CR, 16%", "Median OS, 75 months CR, 16% ≥PR, 82%", True),
        ("63 … months", "were 63 and 123.4 months, respectively", True),
        ("months … 63", "were 63 and 123.4 months", False),
        ("γ-interferon", "IL-2 and γ -interferon", False),
        ("cytochrome c", "by cytochrome *c* release", True),
        ("20–50%", "decreased by 20-50%", True),
        ("et al", "Lund <i>et al</i>", True),
    ],
)
def test_what_counts_as_printed(printed: str, there: str, expected: bool) -> None:
    assert (spans(printed, plain(there)) is not None) == expected


def test_numbers_are_read_in_figures_and_words() -> None:
    assert numbers("1,623 patients, four cycles, 61.9%") == {"1623", "4", "61.9"}
