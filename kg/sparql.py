"""What a SPARQL query asks for, read from its tokens before it reaches the engine.

Keywords are recognised as tokens of the SPARQL 1.1 grammar (section 19), never inside
strings, addresses, comments or names, and after code point escapes are resolved
(section 19.2). Syntax itself is the engine's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urljoin

from kg.errors import QueryError, RefusedError
from kg.terms import BASE

TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n\r]*)
    | (?P<string>\"\"\"(?:\"{0,2}(?:[^"\\]|\\.))*\"\"\" | '''(?:'{0,2}(?:[^'\\]|\\.))*'''
        | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*')
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<variable>[?$]\w+)
    | (?P<name>(?:[^\W\d_](?:[\w.\-]*[\w\-])?)?:(?:[\w.\-:]|%[0-9A-Fa-f]{2}|\\.)*|_:[\w.\-]+)
    | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<word>[^\W\d]\w*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
FORMS = frozenset(("SELECT", "ASK", "CONSTRUCT", "DESCRIBE"))
UPDATES = frozenset(
    ("INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH")
)
PROLOGUE = frozenset(("BASE", "PREFIX"))
BASE_KEY = ""  # among the prefixes, which end in a colon
UNSTEADY = frozenset(("NOW", "RAND", "STRUUID", "UUID"))


class Token(NamedTuple):
    """A token with its kind (a group of TOKEN) and its position from 1."""

    kind: str
    text: str
    line: int
    column: int


def tokens(query: str) -> Iterator[Token]:
    """The tokens of a query, white space and comments left out."""
    line, start = 1, 0
    for match in TOKEN.finditer(query):
        kind, text = str(match.lastgroup), match[0]
        if kind != "space":
            yield Token(kind, text, line, match.start() - start + 1)
        if newlines := text.count("\n"):
            line += newlines
            start = match.end() - len(text) + text.rindex("\n") + 1


def _resolved(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else match[0]


class Asked(NamedTuple):
    """What a query asks for.

    Its form, whether it names its own dataset (FROM), and whether it gives the same answer
    each time (section 17.4 has the functions that do not).
    """

    form: str
    dataset: bool
    steady: bool


def asked(query: str, graphs: frozenset[str], known: Mapping[str, str] = {}) -> Asked:
    """The form of a read-only query: SELECT, ASK, CONSTRUCT or DESCRIBE.

    `known` are prefixes that the query need not declare. Raises RefusedError for an
    update, for SERVICE, and for FROM with an address that is not among `graphs`;
    QueryError where no form is found.
    """
    found, dataset, steady = "", False, True
    prefixes = {BASE_KEY: BASE} | {f"{name}:": address for name, address in known.items()}
    stream = tokens(ESCAPE.sub(_resolved, query))
    for token in stream:
        word = token.text.upper() if token.kind == "word" else ""
        where = f"line {token.line}, column {token.column}"
        if not found and word in PROLOGUE:
            name = next(stream, None) if word == "PREFIX" else None
            if address := next(stream, None):
                start = prefixes[BASE_KEY]
                prefixes[name.text if name else BASE_KEY] = urljoin(start, address.text[1:-1])
        elif not found and word in UPDATES:
            raise RefusedError(f"{word} at {where} is an update; this graph is read-only")
        elif not found and word in FORMS:
            found = word
        elif word in UNSTEADY:
            steady = False
        elif word == "SERVICE":
            raise RefusedError(
                f"SERVICE at {where} is not offered: answers come from this graph alone. "
                "Query the other endpoint yourself and join the rows."
            )
        elif word == "FROM":
            dataset = True
            target = next(stream, None)
            if target and target.text.upper() == "NAMED":
                target = next(stream, None)
            if target and (address_ := _address(target, prefixes)) not in graphs:
                raise RefusedError(
                    f"FROM at {where} names {address_}, which is not one of the graphs here: "
                    + ", ".join(sorted(graphs))
                )
    if not found:
        raise QueryError("there is no SELECT, ASK, CONSTRUCT or DESCRIBE in the query")
    return Asked(found, dataset, steady)


def _address(token: Token, prefixes: dict[str, str]) -> str:
    if token.kind == "iri":
        return urljoin(prefixes[BASE_KEY], token.text[1:-1])
    prefix, colon, local = token.text.partition(":")
    return prefixes.get(prefix + colon, prefix + colon) + local
