"""The facts against the text of their source: nothing wrong, nothing missing.

One way: what a statement gives as printed, the references it cites and the figures of
its record stand at its place. The other way: every sentence, cell and footnote is carried
by a statement, and every number in it stands in what a statement gives as printed or
among the references it cites, unless `exceptions.tsv` lists it with a reason.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kg.errors import Fault, SourceError
from kg.places import FIGURE, Passage
from kg.read import Facts
from kg.terms import BASE, FACTS, VOCABULARY, graph

# Properties whose values are figures of the source, and so stand at a place of their record.
FIGURES = (
    *("value", "valueLow", "valueHigh", "ciLow", "ciHigh", "ciLevel", "estimate", "pValue"),
    *("events", "analysed", "timePoint", "followUp", "followUpLow", "followUpHigh", "patients"),
    *("cycles", "cyclesAtMost", "cycleDays", "duration", "dose", "low", "high", "centres"),
    *("ageLow", "ageHigh", "ageMedian", "priorTherapies", "priorTherapiesAtLeast"),
    "assessedAfterCycles",
)
# Properties whose values are proper names or numbers of things, printed as they are.
NAMES = ("registration", "studyCode", "grantNumber", "doi")
CARDINALS = "one two three four five six seven eight nine ten eleven twelve"
WORDS = {word: str(n) for n, word in enumerate(CARDINALS.split(), 1)} | {"single": "1"}
CITED = re.compile(r"\((\d+(?:[-,]\d+)*)\)")
CARRIERS = ("Sentence", "TableCell", "Footnote", "FigureLegend", "FrontMatter", "BibliographyEntry")


def plain(text: str) -> str:
    """Text as it is compared: markup, dashes and white space levelled, lower case."""
    text = re.sub(r"</?i>|[*^$]|_\{|\}", "", text)
    text = re.sub(r"[\u2013\u2014\u2212]", "-", text)
    text = text.replace("\\geq", "≥").replace("\\times", "×")  # noqa: RUF001 (as printed)
    return " ".join(text.split()).casefold()


def spans(printed: str, there: str) -> list[tuple[int, int]] | None:
    """Where the parts of what is printed stand in a text, in order; None where one is missing.

    A text without gaps counts at each of its occurrences.
    """
    parts = [plain(part) for part in printed.split("…")]
    if len(parts) == 1:
        return [m.span() for m in re.finditer(re.escape(parts[0]), there)] or None
    found, position = [], 0
    for part in filter(None, parts):
        position = there.find(part, position)
        if position < 0:
            return None
        found.append((position, position + len(part)))
        position += len(part)
    return found


def numbers(text: str) -> set[str]:
    """The numbers of a text, also those written as words, without thousands commas."""
    found = set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))
    return found | {WORDS[word] for word in re.findall(r"[a-z]+", plain(text)) if word in WORDS}


def _expanded(group: str) -> set[int]:
    cited: set[int] = set()
    for part in group.split(","):
        low, _, high = part.partition("-")
        cited |= set(range(int(low), int(high or low) + 1))
    return cited


@dataclass
class Count:
    """How many places and numbers a section has, and how many are carried or excepted."""

    places: int = 0
    carried: int = 0
    excepted: int = 0
    numbers: int = 0
    numbers_carried: int = 0
    numbers_excepted: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return (
            self.carried + self.excepted == self.places
            and self.numbers_carried + self.numbers_excepted == self.numbers
        )


@dataclass
class Report:
    """The result of a verification: faults, and a count for each section in reading order."""

    faults: list[Fault] = field(default_factory=list)
    sections: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    statements: int = 0


def verify(passages: list[Passage], facts: Facts, source: str) -> Report:
    """Holds all facts of a source against its passages.

    Raises SourceError where the passages are not those that the source's places file was
    made from: another edition, or another document.
    """
    return _Verifier(passages, facts, source).report()


class _Verifier:
    def __init__(self, passages: list[Passage], facts: Facts, source: str) -> None:
        self.passages = passages
        self.facts = facts
        self.folder = FACTS / source
        self.source = source
        self.texts = {p.address: plain(p.text) for p in passages}
        self.values: dict[str, list[tuple[str, str]]] = defaultdict(list)
        own = graph(source)
        for q in facts.quads:
            if q.graph_name == own:
                self.values[q.predicate.value].append((q.subject.value, q.object.value))  # type: ignore[union-attr]
        self.place = {s: self.address(p) for s, p in self.pairs("statedIn")}
        self.printed = dict(self.pairs("printed"))
        self.cites: dict[str, set[int]] = defaultdict(set)
        for statement, reference in self.pairs("cites"):
            self.cites[statement].add(int(reference.rpartition("-")[2]))
        self.at: dict[str, list[str]] = defaultdict(list)
        for statement, place in self.place.items():
            self.at[place].append(statement)
        self.result = Report(statements=len(self.place))

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Subject and value of every triple with this property, in the source's own graph."""
        return self.values[VOCABULARY + name]

    def address(self, place: str) -> str:
        return place.removeprefix(f"{BASE}place/{self.source}-")

    def report(self) -> Report:
        self.edition()
        for statement in self.place:
            self.statement(statement)
        self.figures()
        self.coverage()
        return self.result

    def fault(self, subject: str, message: str, *key: str) -> None:
        place = self.facts.place(subject, *(VOCABULARY + k for k in key))
        self.result.faults.append(Fault(place, message))

    def edition(self) -> None:
        known = {self.address(place): digest for place, digest in self.pairs("digest")}
        given = {p.address: p.digest for p in self.passages}
        if known != given:
            same = sum(given.get(address) == digest for address, digest in known.items())
            changed = [a for a in known if given.get(a) != known[a]][:3]
            raise SourceError(
                f"this is not the text that {self.source} was curated from: {same} of {len(known)} "
                f"places are the same; {', '.join(changed)} differ or are missing"
            )

    def statement(self, statement: str) -> None:
        place = self.place[statement]
        there = self.texts[place]
        printed = self.printed.get(statement)
        if printed is not None and spans(printed, there) is None:
            stands = there if len(there) < 60 else there[:60] + " …"
            self.fault(statement, f"'{printed}' is not printed at {place}: '{stands}'", "printed")
        for number in sorted(self.cites[statement] - self.cited_at(place)):
            self.fault(statement, f"reference {number} is not cited at {place}", "cites")

    def cited_at(self, place: str) -> set[int]:
        """The references cited at a place: in its sentence or paragraph, or in its row's group."""
        if row := re.match(r"t1-r(\d+)-", place):
            number = int(row[1])
            while not self.texts[f"t1-r{number}-refs"]:
                number -= 1
            place = f"t1-r{number}-refs"
        paragraph = re.sub(r"-s\d+$", "", place)
        groups = CITED.findall(self.texts[place] + " " + self.texts.get(paragraph, ""))
        return {number for group in groups for number in _expanded(group)}

    def figures(self) -> None:
        there: dict[str, str] = defaultdict(str)
        for record, statement in self.pairs("hasStatement"):
            there[record] += " " + self.texts[self.place[statement]]
        for name in FIGURES:
            for record, value in self.pairs(name):
                if value not in numbers(there[record]) and not _in_words(value, there[record]):
                    self.fault(record, f"{name} {value} stands at no place of this record", name)
        for name in NAMES:
            for record, value in self.pairs(name):
                if plain(value) not in there[record]:
                    self.fault(record, f"{name} {value} stands at no place of this record", name)
        for record, date in self.pairs("approvedOn"):
            if date[:4] not in numbers(there[record]):
                self.fault(record, f"the year {date[:4]} stands at no place of it", "approvedOn")

    def coverage(self) -> None:
        entries = self.entries()
        exceptions = read_exceptions(self.folder / "exceptions.tsv")
        unused = set(exceptions)
        for passage in self.passages:
            if passage.kind not in CARRIERS:
                continue
            count = self.result.sections[section(passage.address)]
            count.places += 1
            if self.at[passage.address]:
                count.carried += 1
            elif (passage.address, "*") in exceptions:
                count.excepted += 1
                unused.discard((passage.address, "*"))
                continue
            else:
                self.missing(passage, "no statement carries it")
            for number, carried in self.carried(passage, entries):
                count.numbers += 1
                if carried:
                    count.numbers_carried += 1
                elif (passage.address, number) in exceptions:
                    count.numbers_excepted += 1
                    unused.discard((passage.address, number))
                else:
                    self.missing(passage, f"no statement there has {number} as printed or cited")
        for address, number in sorted(unused):
            self.result.faults.append(
                Fault(str(self.folder / "exceptions.tsv"), f"{address} {number} needs no exception")
            )

    def entries(self) -> dict[str, str]:
        """For each entry of the bibliography, all that its record says."""
        words: dict[str, str] = defaultdict(str)
        for name in ("authors", "title", "journal", "volume", "pages", "year"):
            for subject, value in self.pairs(name):
                if "/reference/" in subject:
                    words["ref" + subject.rpartition("-")[2]] += " " + plain(value)
        return words

    def missing(self, passage: Passage, message: str) -> None:
        place = self.facts.place(f"{BASE}place/{self.source}-{passage.address}")
        self.result.faults.append(Fault(place, f"{passage.address}: {message}"))

    def carried(self, passage: Passage, entries: dict[str, str]) -> Iterable[tuple[str, bool]]:
        """Every number of a passage, and whether a statement there carries it."""
        there = self.texts[passage.address]
        if passage.address in entries:
            given = set(FIGURE.findall(entries[passage.address]))
            yield from ((n, n in given) for n in FIGURE.findall(there))
            return
        covered, cited = [], set[int]()
        for statement in self.at[passage.address]:
            covered += spans(self.printed.get(statement, ""), there) or []
            cited |= self.cites[statement]
        groups = {m.span(): _expanded(m[1]) <= cited for m in CITED.finditer(there)}
        for match in FIGURE.finditer(there):
            start, end = match.span()
            group = next((ok for (a, b), ok in groups.items() if a <= start and end <= b), False)
            yield match[0], group or any(a <= start and end <= b for a, b in covered)


def _in_words(value: str, text: str) -> bool:
    """A figure that is printed in a compound, such as `year-long` for one year."""
    return value == "1" and re.search(r"\b(year|month|week|day)-long\b", text) is not None


def section(address: str) -> str:
    """The section of an address as the report names it: 4.2 for `s4.2-p3-s1`, `table` …"""
    if numbered := re.match(r"s(\d+(?:\.\d+)?)-", address):
        return numbered[1] if numbered[1] != "0" else "abstract"
    named = {"t1": "Table I", "fig1": "Figure 1", "front": "front matter", "ref": "references"}
    return named.get(re.sub(r"(?<=ref)\d+$", "", address.partition("-")[0]), "back matter")


def read_exceptions(path: Path) -> dict[tuple[str, str], str]:
    """What says nothing about the world: (address, number or *) -> the reason.

    Raises SourceError where a line is not place, number or *, and reason.
    """
    if not path.is_file():
        return {}
    result = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines, delimiter="\t"), 1):
            if number == 1:
                continue
            if len(row) != 3 or not row[2].strip():
                raise SourceError(f"{path}:{number}: a line has place, number or *, and a reason")
            result[row[0], row[1]] = row[2]
    return result
