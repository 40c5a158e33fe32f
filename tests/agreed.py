"""The agreed answers, made by hand from the review: `answers/<question>.<case>.tsv`.

`# name: value` lines give the parameters, `#:` lines say how the rows follow from the
review; then a line of columns and the rows, in any order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.question import Answer

FOLDER = Path(__file__).parent / "answers"


@dataclass(frozen=True)
class Case:
    """One agreed answer."""

    question: str
    name: str
    parameters: dict[str, str]
    columns: list[str]
    rows: Counter[tuple[str, ...]]

    def found(self, answer: Answer) -> Counter[tuple[str, ...]]:
        """The rows of a program's answer, in the columns that the case agrees on."""
        return Counter(tuple(shown(row[name]) for name in self.columns) for row in answer)


def shown(value: Any) -> str:
    """A value as the files write it: empty for none, figures without trailing zeros."""
    return "" if value is None else str(value)


def cases() -> list[Case]:
    """All agreed answers, by file name."""
    result = []
    for path in sorted(FOLDER.glob("*.tsv")):
        question, _, name = path.stem.partition(".")
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = [line[2:].split(": ", 1) for line in lines if line.startswith("# ")]
        table = [line.split("\t") for line in lines if line and not line.startswith("#")]
        for line in table:
            assert len(line) == len(table[0]), f"{path.name}: a row has {len(line)} cells: {line}"
        result.append(
            Case(
                question,
                name,
                {key.strip(): value.strip() for key, value in pairs},
                table[0],
                Counter(tuple(row) for row in table[1:]),
            )
        )
    return result
