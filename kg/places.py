"""The review's text -> the addresses of its parts.

An address survives a change of edition, since it counts what the authors wrote
and not how it was set: section, paragraph and sentence; table row and column;
footnote; entry of the bibliography. The text itself never enters the project:
a place carries a hash and the count of its figures.

The layout that is read here is the journal's text export: numbered section
headings, run-in headings within sections, one table with tab-separated cells.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kg.errors import SourceError

COLUMNS = ("scheme", "patients", "study", "efficacy", "adverse-events", "refs")

# First words of the headings that run into their paragraph; each opens a subsection.
RUN_IN = {
    "2": ("Non-immune regulation", "Immune regulation"),
    "4": (
        "Application of lenalidomide alone",
        "Application of lenalidomide combined with bortezomib",
        "Application of lenalidomide combined with ixazomib",
        "Application of lenalidomide combined with carfilzomib",
    ),
    "5": (
        "Neutropenia, thrombocytopenia",
        "Thyroid dysfunction",
        "Peripheral neuropathy",
        "Tumor lysis syndrome",
        "Severe skin reactions",
        "Second primary tumor",
        "Hepatotoxicity",
        "Infections",
        "Venous and arterial",
        "Teratogenicity",
        "Tolerability",
    ),
    "6": ("Medications for patients", "Elderly patients", "Pregnant and lactating"),
}
BACK_MATTER = {
    "Acknowledgements": "acknowledgements",
    "Funding": "funding",
    "Availability of data and materials": "availability",
    "Authors' contributions": "contributions",
    "Ethics approval and consent to participate": "ethics",
    "Patient consent for publication": "consent",
    "Competing interests": "interests",
}
SENTENCE_END = re.compile(
    r"(?<!\bFig\.)(?<!\bvs\.)(?<!\bno\.)(?<!\bInc\.)(?<!U\.S\.)(?<!P\.R\.)(?<=[.?!])\s+(?=[A-Z(])"
)
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Passage:
    """One addressed part of a source: its address, kind, parent address, label and words."""

    address: str
    kind: str
    within: str | None
    label: str
    text: str

    @property
    def figures(self) -> int:
        """How many numbers stand in the passage (citation numbers count)."""
        return len(FIGURE.findall(self.text))

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the passage's words, white space collapsed."""
        return hashlib.sha256(" ".join(self.text.split()).encode()).hexdigest()[:16]


def _blocks(text: str) -> list[str]:
    """Runs of lines between blank lines, in reading order."""
    return [block.strip("\n ") for block in re.split(r"\n(?:[ \f]*\n)+", text) if block.strip()]


def _sentences(address: str, label: str, paragraph: str) -> Iterator[Passage]:
    yield Passage(address, "Paragraph", address.rsplit("-", 1)[0], label, paragraph)
    for number, sentence in enumerate(SENTENCE_END.split(paragraph), 1):
        yield Passage(
            f"{address}-s{number}", "Sentence", address, f"{label}, sentence {number}", sentence
        )


def _table(lines: list[str]) -> Iterator[Passage]:
    if not lines:
        raise SourceError("Table I was not found in the text")
    yield Passage("t1", "Table", None, "Table I", lines[0])
    columns: dict[str, list[str]] = {column: [] for column in COLUMNS}
    row = 0
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(COLUMNS):
            if line.startswith("Table I"):
                continue
            if line.startswith("^a"):
                yield from _footnotes(line)
                continue
            raise SourceError(f"a row of Table I has {len(cells)} cells, not {len(COLUMNS)}")
        if cells[-1] == "(Refs.)":
            if row == 0:
                for column, cell in zip(COLUMNS, cells, strict=True):
                    yield Passage(
                        f"t1-head-{column}", "TableCell", "t1", f"Table I, head of {column}", cell
                    )
            continue
        row += 1
        address, label = f"t1-r{row}", f"Table I, row {row}"
        yield Passage(address, "TableRow", "t1", label, " ".join(cells))
        for column, cell in zip(COLUMNS, cells, strict=True):
            columns[column].append(cell)
            yield Passage(f"{address}-{column}", "TableCell", address, f"{label}, {column}", cell)
    for column, words in columns.items():
        yield Passage(
            f"t1-column-{column}", "TableColumn", "t1", f"Table I, column {column}", " ".join(words)
        )


def _footnotes(line: str) -> Iterator[Passage]:
    notes, _, abbreviations = line.partition(" RD-R, ")
    for note in re.split(r"(?=\^[a-z])", notes):
        if note:
            letter = note[1]
            yield Passage(
                f"t1-f{letter}", "Footnote", "t1", f"Table I, footnote {letter}", note[2:].strip()
            )
    yield Passage(
        "t1-abbreviations", "Footnote", "t1", "Table I, abbreviations", "RD-R, " + abbreviations
    )


def _references(blocks: list[str]) -> Iterator[Passage]:
    yield Passage("refs", "Section", None, "references", "")
    number = 0
    for block in blocks:
        for line in block.splitlines():
            if not re.match(r"- |\d+\. ", line):
                raise SourceError(f"after reference {number} a line begins with {line[:20]!r}")
            number += 1
            printed = re.match(r"(\d+)\. ", line)
            if printed and int(printed[1]) != number:
                raise SourceError(f"reference {printed[1]} stands where {number} is expected")
            entry = re.sub(r"^(- |\d+\. )", "", line)
            yield Passage(f"ref{number}", "BibliographyEntry", "refs", f"reference {number}", entry)


def _front(blocks: list[str]) -> Iterator[Passage]:
    parts = ("title", "authors", "affiliation", "dates", "doi")
    for part, block in zip(parts, blocks, strict=True):
        label = "DOI" if part == "doi" else part
        yield Passage(f"front-{part}", "FrontMatter", None, label, block)


def passages(text: str) -> list[Passage]:
    """Every addressed part of the review, in reading order.

    Raises SourceError where the text is not laid out as this review is: another
    edition, a truncated file, or another document.
    """
    head, found, rest = text.partition("\nAbstract. ")
    body, found_references, references = rest.partition("\nReferences\n")
    if not found or not found_references:
        raise SourceError("the text has no abstract or no reference list: not this review, or cut")
    parts = _parts(body)
    entries, _, licence = references.partition("\nCopyright ")
    result = [
        *_front(_blocks(head)),
        *parts.front,
        *_sections(parts.running),
        *_table(parts.table),
        Passage("fig1", "FigureLegend", None, "Figure 1, legend", parts.legend),
        *_references(_blocks(entries)),
        Passage("front-licence", "FrontMatter", None, "licence", "Copyright " + licence),
    ]
    missing = {f"s{n}.{len(names)}" for n, names in RUN_IN.items()} - {p.address for p in result}
    if missing:
        raise SourceError(f"sections {', '.join(sorted(missing))} were not found in the text")
    return result


@dataclass
class _Parts:
    """The body of the review, sorted; the running text has one item a paragraph."""

    running: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    legend: str = ""
    front: list[Passage] = field(default_factory=list)


def _parts(body: str) -> _Parts:
    parts = _Parts()
    for block in _blocks(body):
        if block.startswith("Table I. ") or "\t" in block or block.startswith("^a"):
            parts.table += block.splitlines()
        elif block.startswith("Figure 1. "):
            parts.legend = block
        elif block.startswith("Correspondence to: "):
            parts.front.append(
                Passage("front-correspondence", "FrontMatter", None, "correspondence", block)
            )
        elif block.startswith("Key words: "):
            parts.front.append(Passage("front-keywords", "FrontMatter", None, "key words", block))
        elif block == "Contents" or block.startswith("1. Introduction\n"):
            continue
        elif (
            parts.running
            and not re.search(r"[.?!:]$", parts.running[-1])
            and not _is_heading(parts.running[-1])
        ):
            # A page break or a figure stands in the middle of a paragraph.
            parts.running[-1] += " " + " ".join(block.splitlines())
        else:
            parts.running.append(" ".join(block.splitlines()))
    return parts


def _sections(running: list[str]) -> Iterator[Passage]:
    section, label, subsection, paragraph = "s0", "abstract", 0, 0
    yield Passage(section, "Section", None, label, "")
    for block in running:
        heading = re.fullmatch(r"(\d)\. (\w[\w ]+)", block)
        if heading or block in BACK_MATTER:
            section = f"s{heading[1]}" if heading else BACK_MATTER[block]
            label = f"section {heading[1]}" if heading else BACK_MATTER[block]
            subsection = paragraph = 0
            yield Passage(section, "Section", None, label, block)
            continue
        number = section.removeprefix("s").split(".")[0]
        runs_in = RUN_IN.get(number, ())
        words = block
        if subsection < len(runs_in) and block.startswith(runs_in[subsection]):
            subsection += 1
            paragraph = 0
            title, _, words = block.partition(". ")
            label = f"section {number}.{subsection}"
            section = f"s{number}.{subsection}"
            yield Passage(section, "Section", f"s{number}", label, title)
        paragraph += 1
        yield from _sentences(f"{section}-p{paragraph}", f"{label}, paragraph {paragraph}", words)


def _is_heading(block: str) -> bool:
    return bool(re.fullmatch(r"\d\. \w[\w ]+", block)) or block in BACK_MATTER


def read_review(path: Path) -> list[Passage]:
    """The passages of a review file (UTF-8 text); SourceError names the file."""
    try:
        return passages(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


def as_yaml(passages_: Iterable[Passage], source: str) -> str:
    """The places file of a source: one record a line, without the source's words."""
    lines = [
        f"# The places of {source}: every addressed part, the count of its figures and the hash of",
        "# its words. Written by `lenkg places`; not edited by hand.",
    ]
    for passage in passages_:
        fields = [
            f"id: place/{source}-{passage.address}",
            f"type: {passage.kind}",
            f'label: "{passage.label}"',
            f"ofSource: {source}",
        ]
        if passage.within:
            fields.append(f"within: {passage.within}")
        fields += [f"figures: {passage.figures}", f"digest: {passage.digest}"]
        lines.append(f"- {{{', '.join(fields)}}}")
    return "\n".join(lines) + "\n"
