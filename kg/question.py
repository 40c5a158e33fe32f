"""One .rq file -> a question that can be asked, with typed parameters.

The file is plain SPARQL and runs as it stands in any client. A parameter is a line
`VALUES ?name { default or UNDEF }`; the header (`#+ ` lines, YAML) gives its type and
meaning, and the meaning of the answer's columns. A value becomes a serialised RDF term
that replaces the braces, in one pass over the text; nothing else ever enters it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import yaml

from kg.errors import ParameterError, QuestionError, UnknownNameError
from kg.names import NAMES, Names
from kg.results import Rows, rows_of
from kg.rq import header
from kg.store import Asking, Store, current
from kg.terms import QUERIES, XSD, nearest

SLOT = re.compile(r"VALUES\s+\?(\w+)\s*\{([^{}]*)\}")
TYPES = {  # type of a parameter -> pattern of its values, and what they are called
    "entity": (r"(?s).*\S.*", "a name"),
    "string": (r"(?s).*", "a text"),
    "integer": (r"[+-]?[0-9]+", "a whole number"),
    "decimal": (r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", "a number"),
    "boolean": (r"true|false", "true or false"),
}
MOST_CHARACTERS = 1_000


FLAG = re.compile(r"(.+?) \[(\w+): (finding/[^\]]+)\](?: |$)")


def flags(listed: str) -> list[tuple[str, str, str]]:
    """What a `flags` column tells, flag by flag: text, severity, address below the base."""
    return FLAG.findall(listed)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a question: type is entity, string, integer, decimal or boolean.

    An entity has the kind whose names it takes (`measure`, `population` …); `ontology`
    is the kind of classes. `default` is what the file itself asks for, if anything;
    `omitted` says what leaving the parameter out means: that default, or `any` value.
    """

    name: str
    type: str
    description: str
    kind: str | None = None
    example: str | None = None
    default: str | None = None
    omitted: str = "default"

    @property
    def left_out(self) -> str | None:
        """The value that counts where the parameter is left out; None where any does."""
        return self.default if self.default and self.omitted == "default" else None

    def term(self, value: str, names: Names) -> str:
        """The value as a serialised RDF term; ParameterError where it does not fit."""
        if len(value) > MOST_CHARACTERS:
            raise ParameterError(self.name, f"is longer than {MOST_CHARACTERS} characters")
        pattern, called = TYPES[self.type]
        if not re.fullmatch(pattern, value, re.ASCII):
            given = " ".join(value.split())[:80]
            example = f", for example {self.example}" if self.example else ""
            raise ParameterError(self.name, f"'{given}' is not {called}{example}")
        if self.type == "entity":
            try:
                return str(ox.NamedNode(names.resolve(str(self.kind), value)))
            except UnknownNameError as error:
                raise ParameterError(self.name, str(error), error.nearest) from error
        if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
            raise ParameterError(self.name, "is not Unicode text")
        if self.type == "string":
            return str(ox.Literal(value))
        return str(ox.Literal(value, datatype=ox.NamedNode(XSD + self.type)))


@dataclass(frozen=True)
class Column:
    """One column of an answer: what it means and, for figures, in which unit."""

    name: str
    meaning: str
    unit: str | None = None


def told(parts: Iterable[Parameter | Column]) -> list[dict[str, Any]]:
    """Parameters or columns as plain data, without what is not given."""
    return [{k: v for k, v in vars(part).items() if v is not None} for part in parts]


@dataclass(frozen=True)
class Answer:
    """The rows of a question with what is needed to trust and repeat them."""

    question: Question
    parameters: dict[str, str]
    rows: Rows
    version: str
    query: str

    def __iter__(self) -> Any:
        """Each row as a mapping from column to value."""
        return iter(self.rows)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows.rows)

    @property
    def message(self) -> str:
        """How many rows there are or, where there are none, that the sources say nothing."""
        if len(self):
            return f"{len(self)} row{'' if len(self) == 1 else 's'}"
        asked = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"the sources say nothing on this question{f' for {asked}' if asked else ''}"

    def document(self) -> dict[str, Any]:
        """The answer as plain data, ready for JSON."""
        return {
            "question": self.question.name,
            "summary": self.question.summary,
            "parameters": self.parameters,
            "columns": told(self.question.columns),
            "rows": list(self.rows),
            "count": len(self),
            "message": self.message,
            "complete": True,
            "version": self.version,
            "query": self.query,
        }


@dataclass(frozen=True)
class Question:
    """A question file: its name, its SPARQL text, and what its header says."""

    name: str
    text: str
    summary: str
    description: str
    persona: str
    tags: list[str]
    parameters: list[Parameter]
    columns: list[Column]
    path: Path = field(compare=False, default=QUERIES)

    def bound(self, values: Mapping[str, str | Iterable[str]], names: Names) -> str:
        """The SPARQL text with the values in place.

        A parameter left out keeps the file's default, or is lifted where its header says so.
        Several values for one parameter mean any of them. Raises ParameterError for an
        unknown parameter, a value of the wrong type, and a name that is not known.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        terms: dict[str, str] = {}
        for name, value in values.items():
            if name not in known:
                offered = ", ".join(known) or "none"
                raise ParameterError(name, f"is not a parameter of {self.name}; it has: {offered}")
            many = [value] if isinstance(value, str) else list(value)
            if many:
                terms[name] = " ".join(known[name].term(str(v), names) for v in many)
        lifted = {p.name: "UNDEF" for p in self.parameters if p.omitted == "any"}
        terms = lifted | terms
        return SLOT.sub(
            lambda slot: (
                f"VALUES ?{slot[1]} {{ {terms[slot[1]]} }}" if slot[1] in terms else slot[0]
            ),
            self.text,
        )


def load(path: Path) -> Question:
    """One question file; QuestionError with the file's name where header and text disagree."""
    text = path.read_text(encoding="utf-8")
    try:
        head = header(text) or {}
        defaults = dict(SLOT.findall(text))
        parameters = [
            Parameter(
                name=name,
                type=given["type"],
                description=given["description"],
                kind=given.get("kind"),
                example=given.get("example"),
                omitted=given.get("omitted", "default"),
                default=None
                if defaults.get(name, "UNDEF").strip() == "UNDEF"
                else defaults[name].strip(),
            )
            for name, given in head.get("params", {}).items()
        ]
        question = Question(
            name=path.stem,
            text=text,
            summary=head["summary"],
            description=head["description"],
            persona=head["persona"],
            tags=head["tags"],
            parameters=parameters,
            columns=[
                Column(name, **(given if isinstance(given, dict) else {"meaning": given}))
                for name, given in head["columns"].items()
            ],
            path=path,
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise QuestionError(f"{path}: the header is incomplete or not YAML ({error!r})") from error
    if set(defaults) - {p.name for p in parameters}:
        extra = ", ".join(sorted(set(defaults) - {p.name for p in parameters}))
        raise QuestionError(f"{path}: VALUES ?{extra} is not among the params of the header")
    for parameter in parameters:
        if not parameter.name.isidentifier() or keyword.iskeyword(parameter.name):
            raise QuestionError(f"{path}: param {parameter.name} is not a name that Python takes")
        if parameter.name not in defaults:
            raise QuestionError(
                f"{path}: param {parameter.name} has no line VALUES ?{parameter.name}"
            )
        if parameter.omitted not in ("default", "any"):
            raise QuestionError(f"{path}: param {parameter.name}: omitted is 'default' or 'any'")
        if parameter.type not in TYPES or (parameter.type == "entity") != bool(parameter.kind):
            raise QuestionError(
                f"{path}: param {parameter.name} needs a known type, an entity a kind"
            )
    return question


@cache
def questions(folder: Path = QUERIES) -> dict[str, Question]:
    """All questions by name."""
    return {path.stem: load(path) for path in sorted(folder.glob("*.rq"))}


def question(name: str) -> Question:
    """The question of this name; UnknownNameError with the nearest ones."""
    known = questions()
    if name not in known:
        raise UnknownNameError(f"there is no question '{name[:80]}'", nearest(name[:80], known))
    return known[name]


class Graph:
    """A built graph that can be asked: the questions, SPARQL, and search by name.

    >>> answer = kg.open().ask("improved-outcome", outcome="mrd-negativity")  # doctest: +SKIP
    """

    def __init__(self, store: Asking) -> None:
        self.store = store

    @cached_property
    def names(self) -> Names:
        """All names by which things can be called."""
        return Names(self.rows(NAMES))

    def rows(self, text: str) -> Rows:
        """The solutions of a SELECT; QueryError or RefusedError where it cannot be answered."""
        return rows_of(self.store.query(text)[1])

    def ask(self, name: str, /, **values: str | Iterable[str]) -> Answer:
        """The answer to a question, with its parameters by name.

        Raises UnknownNameError for an unknown question, ParameterError for a parameter that
        the question does not have or a value that does not fit it.
        """
        asked = question(name)
        text = asked.bound(values, self.names)
        given = {
            p.name: re.sub(r"\S*:", "", p.left_out) if p.type == "entity" else p.left_out
            for p in asked.parameters
            if p.left_out
        } | {k: v if isinstance(v, str) else ", ".join(v) for k, v in values.items()}
        return Answer(asked, given, self.rows(text), self.store.snapshot.version, text)


def open_graph(build: Path | None = None) -> Graph:
    """The graph that was built last; SnapshotError where there is none."""
    return Graph(Store(current(build) if build else current()))
