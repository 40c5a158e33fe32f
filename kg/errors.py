"""What can go wrong, as a tree.

LenkgError              every error that has a sentence for the user
├── FaultsError         curated data are wrong: a list of faults, each with file and line
├── SourceError         the text of a source is not what it should be
├── SnapshotError       there is no built graph, or it cannot be opened
├── QuestionError       a question file is not well formed
├── RuleError           an audit rule is not well formed
├── ClashError          facts and axioms that exclude each other; names them
├── ReasonerError       the reasoner is needed and cannot be run
├── UnknownNameError    a name is not known; carries the nearest known ones
├── ParameterError      a value does not fit its parameter
├── QueryError          a SPARQL query is wrong; carries line and column where known
├── RefusedError        a query asks for something that is not offered
├── TokenError          a request shows a token that is not the right one
├── NotAcceptableError  no format is offered that the request accepts; carries those that are
└── LimitError          a query was ended because it reached a limit, or there was no room for it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class LenkgError(Exception):
    """An error whose text is a sentence for the user."""


@dataclass(frozen=True, order=True)
class Fault:
    """One mistake in curated data: where it stands (file:line) and what to do about it."""

    place: str
    message: str

    def __str__(self) -> str:
        """The fault as one line, as compilers print it."""
        return f"{self.place}: {self.message}"


class FaultsError(LenkgError):
    """Curated data are wrong; `faults` lists every mistake that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(set(faults), key=lambda fault: (*_place_key(fault), fault.message))
        super().__init__("\n".join(map(str, self.faults)))


def _place_key(fault: Fault) -> tuple[str, int]:
    file, _, line = fault.place.rpartition(":")
    return (file, int(line)) if line.isdigit() else (fault.place, 0)


class ClashError(LenkgError):
    """Facts and axioms that exclude each other."""


class ReasonerError(LenkgError):
    """The reasoner is needed and cannot be run."""


class SourceError(LenkgError):
    """The text of a source is cut, of another edition, or another document."""


class SnapshotError(LenkgError):
    """There is no built graph, or it cannot be opened."""


class QuestionError(LenkgError):
    """A question file is not well formed."""


class RuleError(LenkgError):
    """An audit rule is not well formed."""


class UnknownNameError(LenkgError):
    """A name is not known; `nearest` lists known names that look like it."""

    def __init__(self, message: str, nearest: Sequence[str] = ()) -> None:
        self.nearest = list(nearest)
        hint = f"; did you mean {', '.join(self.nearest)}?" if nearest else ""
        super().__init__(message + hint)


class ParameterError(LenkgError):
    """A value does not fit its parameter; `nearest` lists known names that look like it."""

    def __init__(self, parameter: str, message: str, nearest: Sequence[str] = ()) -> None:
        self.parameter = parameter
        self.nearest = list(nearest)
        super().__init__(f"{parameter}: {message}")


class QueryError(LenkgError):
    """A SPARQL query is wrong; `line` and `column` count from 1 where they are known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


class RefusedError(LenkgError):
    """A query asks for an update, a foreign address or another thing that is not offered."""


class TokenError(LenkgError):
    """A request shows a token that is not the right one."""


class NotAcceptableError(LenkgError):
    """No format that the request accepts is offered; `offered` lists those that are."""

    def __init__(self, wanted: str, offered: Iterable[str]) -> None:
        self.offered = list(offered)
        super().__init__(f"'{wanted}' is not offered here; there are {', '.join(self.offered)}")


class LimitError(LenkgError):
    """A query was ended because it reached a limit, or there was no room for it.

    `limit` names the limit (time, memory, places, queue, requests), `seconds` says how long the
    query ran, `retry` after how many seconds to ask again where that may help.
    """

    def __init__(
        self, message: str, limit: str, seconds: float = 0.0, retry: int | None = None
    ) -> None:
        self.limit = limit
        self.seconds = round(seconds, 2)
        self.retry = retry
        super().__init__(message)


def revived(name: str, message: str, more: Mapping[str, Any]) -> LenkgError:
    """The error that another process has told of by its class, its sentence and what it carries."""
    kind: type[LenkgError] = globals()[name]
    error = kind.__new__(kind, message)
    vars(error).update(more)
    return error
