"""What people call things -> the things: labels, synonyms, registry numbers, addresses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kg.errors import UnknownNameError
from kg.results import Rows
from kg.terms import BASE

NAMES = """
PREFIX lenkg: <https://w3id.org/lenkg/ontology/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
SELECT ?thing ?property ?name WHERE {
  VALUES ?property { rdfs:label skos:altLabel lenkg:fullName lenkg:registration lenkg:studyCode }
  GRAPH ?where { ?thing ?property ?name }
  FILTER(?where != <https://w3id.org/lenkg/graph/shortcuts>)
} ORDER BY ?thing ?property ?name
"""


def folded(name: str) -> str:
    """A name as it is compared: without case, hyphens, slashes and runs of white space."""
    return re.sub(r"[\s_\-/]+", " ", name.casefold()).strip()


@dataclass(frozen=True)
class Named:
    """A thing with one of its names; `kind` is the part of its address that tells its class."""

    iri: str
    kind: str
    name: str
    label: str


class Names:
    """All names of a graph, by kind, from the rows of NAMES."""

    def __init__(self, names: Rows) -> None:
        rows = list(names)
        labels = {r["thing"]: r["name"] for r in rows if r["property"].endswith("#label")}
        self.entries: list[Named] = []
        for row in rows:
            thing = row["thing"]
            if thing.startswith(BASE):
                kind = thing.removeprefix(BASE).partition("/")[0]
                self.entries.append(Named(thing, kind, row["name"], labels.get(thing, row["name"])))
        self._by_kind: dict[str, dict[str, str]] = {}
        for entry in self.entries:
            own = self._by_kind.setdefault(entry.kind, {})
            own.setdefault(folded(entry.name), entry.iri)
            own.setdefault(folded(entry.iri.rpartition("/")[2]), entry.iri)

    def resolve(self, kind: str, name: str) -> str:
        """The address of the thing of this kind that goes by `name`.

        A name is an address, a slug, a label, a synonym or a registry number, in any
        case and with hyphens or without. `kind` may list several kinds, joined by `|`; the
        first that knows the name wins. Raises UnknownNameError with the nearest names.
        """
        kinds = kind.split("|")
        given = name.strip().strip("<>")
        known = [self._by_kind.get(one, {}) for one in kinds]
        for one, own in zip(kinds, known, strict=True):
            slug = (
                given.removeprefix(f"{BASE}{one}/").removeprefix(f"{one}/").removeprefix(f"{one}:")
            )
            if slug != given and f"{BASE}{one}/{slug}" in own.values():
                return f"{BASE}{one}/{slug}"
        for own in known:
            if (found := own.get(folded(given))) is not None:
                return found
        shown, what = " ".join(given.split())[:80], " or ".join(kinds).replace("-", " ")
        everything = {folded_: iri for own in known for folded_, iri in own.items()}
        raise UnknownNameError(f"no {what} is called '{shown}'", self._near(everything, given))

    @staticmethod
    def _near(own: dict[str, str], given: str) -> list[str]:
        close = difflib.get_close_matches(folded(given)[:80], own, n=6, cutoff=0.5)
        return list(dict.fromkeys(own[name].rpartition("/")[2] for name in close))[:3]

    def search(self, text: str, kinds: Iterable[str] = ()) -> list[Named]:
        """Things with a name that holds the text, or looks like it; the best first.

        One entry a thing. With `kinds`, only things of these kinds.
        """
        wanted, chosen = folded(text), set(kinds)
        ranked: dict[str, tuple[float, Named]] = {}
        for entry in self.entries:
            if chosen and entry.kind not in chosen:
                continue
            score = _likeness(wanted, folded(entry.name))
            if score >= 0.75 and score > ranked.get(entry.iri, (0.0, entry))[0]:
                ranked[entry.iri] = (score, entry)
        return [e for _, e in sorted(ranked.values(), key=lambda pair: (-pair[0], pair[1].iri))]


def _likeness(wanted: str, name: str) -> float:
    """1 for the same name, 0.95 for a whole word of it, 0.9 for a part, else by letters."""
    if wanted == name:
        return 1.0
    if wanted in name:
        return 0.95 if re.search(rf"\b{re.escape(wanted)}\b", name) else 0.9
    matcher = difflib.SequenceMatcher(None, wanted, name)
    if matcher.real_quick_ratio() < 0.75 or matcher.quick_ratio() < 0.75:
        return 0.0
    return matcher.ratio() * 0.9
