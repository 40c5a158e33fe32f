"""Clinical-evidence graphs of any size in LenKG's own vocabulary, from the real graph and a seed.

A larger graph is the real one, whole, and further reviews: its source again with places,
references, studies, arms, patients, treatments, results, comparisons, statements and findings
under new addresses and names. What they speak of stays shared: drugs, regimens, measures, events,
the ontology. The figures of a study are drawn anew, all by one factor, so that the better side
stays the better one. A smaller graph keeps the ontology and the vocabulary, and of the studies
and records as many as there is room for.

    python -m tests.bench.generate --triples 1000000 --to million.nq
"""

from __future__ import annotations

import argparse
import bisect
import random
import re
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyoxigraph as ox

from kg.store import current
from kg.terms import BASE, RDF, RDFS, SKOS, VOCABULARY, graph, sources

WORDS = {word: VOCABULARY + word for word in (
    "hasArm hasResult hasAdverseEventResult hasComparison hasAbsence hasStatement hasPhase "
    "strategy population subgroupOf concerns involves value valueLow valueHigh ciLow ciHigh "
    "printed printedList registration registrationList studyCode referenceNumber referenceList "
    "Study Finding EvidenceRecord ArmResult AdverseEventResult"
).split()}  # fmt: skip
PARTS = {iri for word, iri in WORDS.items() if word.startswith("has")} | {
    WORDS["strategy"],
    WORDS["population"],
}
ABOUT = {WORDS["concerns"], WORDS["involves"]}
FIGURES = {WORDS[word] for word in ("value", "valueLow", "valueHigh", "ciLow", "ciHigh")}
REPEATING = {RDFS + "label", WORDS["printed"], WORDS["printedList"]}
NAMING = {SKOS + "altLabel"} | {
    WORDS[word] for word in ("registration", "registrationList", "studyCode")
}
NUMBERING = {WORDS["referenceNumber"], WORDS["referenceList"]}
SOURCES = {graph(source.name).value for source in sources()}
OF_THE_REVIEW = ("source", "place", "reference")  # kinds of address
REFERENCES = 100  # the numbers that a review's references take up
FINDING = re.compile(r"finding/[a-z0-9.-]+(?=\])")
FIGURE = re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)(?= ?(?:%|percent|months?|years?))")
SLOT = "\ue000"  # of the private use area: in no text, and written as it is
NUMBER = f"{SLOT}number{SLOT}"


def kind(address: str) -> str:
    """The part of an address that tells its class; empty for addresses that are not ours."""
    return address.removeprefix(BASE).partition("/")[0] if address.startswith(BASE) else ""


def values(quad: ox.Quad) -> tuple[str, str, str, str]:
    """Subject, predicate, object and graph of a quad as plain text."""
    subject, _, object_, graph_ = (getattr(term, "value", "") for term in quad)
    return subject, quad.predicate.value, object_, graph_


class Real:
    """The real graph, and what in it belongs together."""

    def __init__(self, path: Path) -> None:
        self.quads = list(ox.parse(path=path, format=ox.RdfFormat.N_QUADS))
        self.links: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.members: dict[str, set[str]] = defaultdict(set)
        for quad in self.quads:
            if isinstance(quad.subject, ox.NamedNode) and isinstance(quad.object, ox.NamedNode):
                self.links[quad.subject.value].append((quad.predicate.value, quad.object.value))
                if quad.predicate.value == RDF + "type":
                    self.members[quad.object.value].add(quad.subject.value)

    def parts(self, root: str, other: frozenset[str] = frozenset()) -> set[str]:
        """A record with all its parts, but for what is `other`."""
        found, todo = set[str](), [root]
        while todo:
            address = todo.pop()
            if address not in found and address not in other:
                found.add(address)
                todo += [target for link, target in self.links[address] if link in PARTS]
        return found

    def owners(self) -> dict[str, str]:
        """Each part of a study, with its study; what several studies share is left out."""
        holders: dict[str, set[str]] = defaultdict(set)
        for study in self.members[WORDS["Study"]]:
            for part in self.parts(study):
                holders[part].add(study)
        shared = {part for part, studies in holders.items() if len(studies) > 1}
        for address, links in list(self.links.items()):
            shared |= {
                wider
                for link, wider in links
                if link == WORDS["subgroupOf"] and holders[address] != holders[wider]
            }
        return {
            part: study
            for study in self.members[WORDS["Study"]]
            for part in self.parts(study, frozenset(shared))
        }


def smaller(real: Real, triples: int, draw: random.Random) -> list[ox.Quad]:
    """A part of the real graph with about so many triples, or the least that stands by itself."""
    unit = real.owners()
    records = real.members[WORDS["EvidenceRecord"]] | real.members[WORDS["Finding"]]
    for record in sorted(records - set(unit)):
        unit |= dict.fromkeys(real.parts(record, frozenset(unit)), record)
    order = sorted(set(unit.values()))
    draw.shuffle(order)
    always = [
        address
        for address in real.links
        if address not in unit and kind(address) not in (*OF_THE_REVIEW, "statement")
    ]

    ends = [values(quad)[:3:2] for quad in real.quads]

    def kept(count: int) -> list[ox.Quad]:
        chosen, found, todo = set(order[:count]), set[str](), [*always, *order[:count]]
        while todo:
            address = todo.pop()
            if address not in found and (address not in unit or unit[address] in chosen):
                found.add(address)
                todo += [target for _, target in real.links.get(address, ())]
        left_out = set(real.links) - found
        return [
            quad for quad, both in zip(real.quads, ends, strict=True) if left_out.isdisjoint(both)
        ]

    return kept(bisect.bisect_left(range(len(order)), triples, key=lambda n: len(kept(n))))


class Review:
    """What a further review brings along: lines of N-Quads with slots to fill."""

    def __init__(self, real: Real) -> None:
        self.study = real.owners()
        self.ours = set(self.study) | {a for a in real.links if kind(a) in OF_THE_REVIEW}
        for finding in real.members[WORDS["Finding"]]:
            if any(link == WORDS["concerns"] and a in self.ours for link, a in real.links[finding]):
                self.ours.add(finding)
        self.labels: dict[str, str] = {}
        self.figures: dict[str, set[Decimal]] = defaultdict(set)
        texts = [quad for quad in real.quads if isinstance(quad.object, ox.Literal)]
        for subject, predicate, text, _ in map(values, texts):
            if predicate == RDFS + "label" and subject in self.study.values():
                self.labels[subject] = text
            elif predicate in FIGURES and subject in self.study:
                self.figures[self.study[subject]].add(Decimal(text))
        lines = [line for quad in real.quads if (line := self._line(quad))]
        self.size = len(lines)
        self._pieces = "".join(lines).split(SLOT)
        self._slots = sorted(set(self._pieces[1::2]))

    def filled(self, number: int, draw: random.Random) -> str:
        """The lines of the review of this number, from 1, with figures drawn."""
        factors = {study: draw.uniform(0.5, 1) for study in sorted(self.labels)}
        filling = {}
        for slot in self._slots:
            what, _, rest = slot.partition(" ")
            if what == "reference":
                filling[slot] = str(int(rest) + REFERENCES * number)
            elif what == "figure":
                study, _, figure = rest.partition(" ")
                filling[slot] = f"{float(figure) * factors[study]:.1f}"
            else:
                filling[slot] = f"{number:04}"
        pieces = self._pieces.copy()
        pieces[1::2] = map(filling.__getitem__, pieces[1::2])
        return "".join(pieces)

    def _line(self, quad: ox.Quad) -> str | None:
        """A quad as the line of a further review, which has no part in what is shared."""
        subject, predicate, value, graph_ = values(quad)
        if subject not in self.ours or (predicate in ABOUT and value not in self.ours):
            return None
        object_ = str(quad.object)
        if isinstance(quad.object, ox.Literal):
            text = self._text(subject, predicate, value)
            object_ = object_.replace(str(ox.Literal(value)), str(ox.Literal(text)), 1)
        elif value in self.ours:
            object_ = f"<{value}-{NUMBER}>"
        if graph_ in SOURCES:
            graph_ = graph("generated").value
        return f"<{subject}-{NUMBER}> <{predicate}> {object_} <{graph_}> .\n"

    def _text(self, subject: str, predicate: str, text: str) -> str:
        """A literal with slots where the review's number, its references and its figures go."""
        study = self.study.get(subject, "")
        if predicate in NUMBERING:
            return re.sub(r"\d+", lambda m: f"{SLOT}reference {m[0]}{SLOT}", text)
        if predicate in FIGURES:
            return self._figure(study, text)
        if predicate in NAMING:
            return "; ".join(f"{name} {NUMBER}" for name in text.split("; "))
        if study:
            text = text.replace(self.labels[study], f"{self.labels[study]} {NUMBER}")
        if predicate in REPEATING:
            text = FIGURE.sub(lambda m: self._figure(study, m[0]), text)
        return FINDING.sub(lambda m: f"{m[0]}-{NUMBER}" if BASE + m[0] in self.ours else m[0], text)

    def _figure(self, study: str, figure: str) -> str:
        known = Decimal(figure) in self.figures[study]
        return f"{SLOT}figure {study} {figure}{SLOT}" if known else figure


def generate(quads: Path, out: Path, triples: int, seed: int = 0) -> int:
    """Writes a graph of about so many triples to a file of N-Quads, and tells how many it has.

    `quads` is the file of the real graph. The same seed gives the same bytes. Whole reviews are
    added, the nearest number of them; memory does not grow with their number.
    """
    real = Real(quads)
    reviews = 0
    if triples < len(real.quads):
        lines = smaller(real, triples, random.Random(seed))
        size = len(lines)
    else:
        lines = real.quads
        review = Review(real)
        reviews = round((triples - len(lines)) / review.size)
        size = len(lines) + reviews * review.size
    with out.open("w", encoding="utf-8") as file:
        file.writelines(f"{quad} .\n" for quad in lines)
        for number in range(1, reviews + 1):
            file.write(review.filled(number, random.Random(f"{seed} {number}")))
    return size


def main() -> None:
    """Writes a graph to a file and prints its size and the rate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--triples", type=int, required=True, help="how many, about")
    parser.add_argument("--to", type=Path, required=True, help="the file of N-Quads to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.perf_counter()
    size = generate(current().quads, given.to, given.triples, given.seed)
    took = time.perf_counter() - begun
    print(f"{size} triples in {given.to}, {took:.1f} s, {size / took:.0f} triples/s")


if __name__ == "__main__":
    main()
