"""A table of measured figures: printed, and kept as tab-separated values in build/bench/."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from kg.files import put
from kg.results import Rows, as_csv
from kg.store import BUILD

FOLDER = BUILD / "bench"


def seconds(what: Callable[[], object], repeats: int = 1) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        what()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def percentile(values: list[float], percent: int) -> float:
    """The value below which so many percent of the values lie, by nearest rank."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _shown(value: object) -> str:
    if isinstance(value, float):
        return str(round(value)) if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)


def report(name: str, title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Prints a table and writes it to build/bench/<name>.tsv; None is shown as an empty cell."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        figures = all(isinstance(row[number], int | float | None) for row in rows)
        table.add_column(column, justify="right" if figures else "left", overflow="fold")
    shown = [list(map(_shown, row)) for row in rows]
    for row in shown:
        table.add_row(*row)
    Console(width=150).print(table)
    put(FOLDER / f"{name}.tsv", as_csv(Rows(columns, list(shown)), "\t").encode())
