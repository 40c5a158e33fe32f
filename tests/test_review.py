"""The facts against the review's own text: every place, every printed word, every figure."""

from __future__ import annotations

import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.errors import SourceError
from kg.places import as_yaml, passages, read_review
from kg.read import Facts, read
from kg.terms import FACTS, VOCABULARY

FIGURES = (
    "value valueLow valueHigh ciLow ciHigh ciLevel events analysed timePoint followUp followUpLow "
    "followUpHigh patients cycles cyclesAtMost cycleDays duration dose estimate pValue ageLow "
    "ageHigh ageMedian low high centres priorTherapies priorTherapiesAtLeast assessedAfterCycles"
).split()
NUMBER_WORDS = dict(
    zip(
        "one two three four five six seven eight nine ten eleven twelve single".split(),
        "1 2 3 4 5 6 7 8 9 10 11 12 1".split(),
        strict=True,
    )
)
# Figures that stand at their place in another form.
IN_WORDS = {("duration", "1"): "year-long", ("order", "1"): ""}


def plain(text: str) -> str:
    """Text as it is compared: markup, dashes and white space levelled, lower case."""
    text = re.sub(r"</?i>|[*^$]|_\{|\}", "", text)
    text = re.sub(r"[\u2013\u2014\u2212]", "-", text)
    text = text.replace("\\geq", "≥").replace("\\times", "×")
    return " ".join(text.split()).casefold()


def figures(text: str) -> set[str]:
    """The numbers of a text, also those written as words."""
    found = set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))
    return found | {n for word, n in NUMBER_WORDS.items() if re.search(rf"\b{word}\b", plain(text))}


@pytest.fixture(scope="module")
def words(review: Path) -> dict[str, str]:
    return {passage.address: passage.text for passage in read_review(review)}


@pytest.fixture(scope="module")
def facts() -> Facts:
    return read()


def properties(facts: Facts, name: str) -> list[tuple[str, str]]:
    """Subject and value of every triple with this property of ours."""
    return [
        (q.subject.value, q.object.value)  # type: ignore[union-attr]
        for q in facts.quads
        if q.predicate == ox.NamedNode(VOCABULARY + name)
    ]


def address(place: str) -> str:
    return place.rpartition("/")[2].removeprefix("zhang-2023-")


def test_the_places_file_is_that_of_this_review(review: Path) -> None:
    written = (FACTS / "zhang-2023" / "places.yaml").read_text(encoding="utf-8")
    assert as_yaml(read_review(review), "zhang-2023") == written


def test_every_printed_word_stands_at_its_place(facts: Facts, words: dict[str, str]) -> None:
    place = dict(properties(facts, "statedIn"))
    printed = properties(facts, "printed")
    assert len(printed) > 1000
    wrong = []
    for statement, text in printed:
        there, position = plain(words[address(place[statement])]), 0
        for part in text.split("…"):
            position = there.find(plain(part), position)
            if position < 0:
                wrong.append(f"{facts.place(statement)}: '{part.strip()}' is not printed there")
                break
            position += len(plain(part))
    assert wrong == []


def test_every_figure_stands_at_a_place_of_its_record(facts: Facts, words: dict[str, str]) -> None:
    place = dict(properties(facts, "statedIn"))
    there: dict[str, str] = {}
    for record, statement in properties(facts, "hasStatement"):
        there[record] = there.get(record, "") + " " + words[address(place[statement])]
    wrong, seen = [], 0
    for name in FIGURES:
        for record, value in properties(facts, name):
            text = there.get(record, "")
            seen += 1
            if value not in figures(text) and IN_WORDS.get((name, value), "?") not in text:
                line = facts.place(record, VOCABULARY + name)
                wrong.append(f"{line}: {name} {value} does not stand at its place")
    assert wrong == []
    assert seen > 250


def test_every_cited_number_stands_at_its_place(facts: Facts, words: dict[str, str]) -> None:
    """In a sentence the number is printed there; in the table, in the row's group of cells."""
    place = dict(properties(facts, "statedIn"))
    wrong = []
    for statement, reference in properties(facts, "cites"):
        where, number = address(place[statement]), reference.rpartition("-")[2]
        if where.startswith("t1-r"):
            row = int(re.match(r"t1-r(\d+)", where)[1])  # type: ignore[index]
            while not words[f"t1-r{row}-refs"]:
                row -= 1
            where = f"t1-r{row}-refs"
        paragraph = where.rpartition("-s")[0] or where
        ranges = re.findall(r"\((\d[\d,-]*)\)", words.get(where, "") + words.get(paragraph, ""))
        cited: set[int] = set()
        for group in ranges:
            for part in group.split(","):
                low, _, high = part.partition("-")
                cited |= set(range(int(low), int(high or low) + 1)) if low else set()
        if int(number) not in cited:
            wrong.append(f"{facts.place(statement)}: reference {number} is not cited at {where}")
    assert wrong == []


def test_every_cell_of_the_table_is_carried(facts: Facts, words: dict[str, str]) -> None:
    stated = {address(place) for _, place in properties(facts, "statedIn")}
    cells = [name for name in words if re.fullmatch(r"t1-r\d+-[a-z-]+|t1-f[a-e]", name)]
    assert len(cells) == 33 * 6 + 5
    assert [name for name in cells if name not in stated] == []


def test_every_sentence_on_mechanisms_is_carried(facts: Facts, words: dict[str, str]) -> None:
    stated = {address(place) for _, place in properties(facts, "statedIn")}
    wanted = [name for name in words if re.match(r"s2\.\d-p\d+-s\d+$|s5\.11-p1-s[1-5]$", name)]
    assert len(wanted) > 25
    assert [name for name in wanted if name not in stated] == []


def test_every_sentence_on_the_studies_is_carried(facts: Facts, words: dict[str, str]) -> None:
    """Paragraphs 2 to 4 of sections 4.1 to 4.4 speak of the studies of Table I."""
    stated = {address(place) for _, place in properties(facts, "statedIn")}
    wanted = [name for name in words if re.match(r"s4\.[1-4]-p[2-4]-s\d+$", name)]
    assert len(wanted) > 55
    assert [name for name in wanted if name not in stated] == []


def test_the_references_are_those_of_the_review(facts: Facts, words: dict[str, str]) -> None:
    for name in ("authors", "title", "journal", "volume", "pages", "year"):
        for subject, value in properties(facts, name):
            if "/reference/" in subject:
                entry = plain(words["ref" + subject.rpartition("-")[2]]).replace(" ", "")
                assert plain(value).replace(" ", "") in entry, (subject, name)
    assert sorted(int(n) for _, n in properties(facts, "referenceNumber")) == list(range(1, 99))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:20000], "no abstract or no reference list: not this review, or cut"),
        (lambda text: "An essay.\n\n" + "word " * 100, "not this review, or cut"),
        (lambda text: text.replace("Hepatotoxicity. Liver", "Liver"), "s5.11 were not found"),
        (lambda text: text.replace("\n41. ", "\n42. "), "reference 42 stands where 41 is expected"),
        (lambda text: text.replace("NDMM\tPhase 3 study", "Phase 3 study"), "5 cells, not 6"),
    ],
)
def test_another_text_is_recognised(review: Path, change, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SourceError, match=re.escape(sentence)):
        passages(change(review.read_text(encoding="utf-8")))
