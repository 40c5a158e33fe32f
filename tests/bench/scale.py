"""Rates, memory and the latency of every question on graphs of growing size.

Cost shall grow with the answer, not with the graph: beside each latency stands the number of rows.
"""

from __future__ import annotations

import json
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import pyoxigraph as ox
from matplotlib import pyplot

from kg.question import Question, open_graph, questions
from kg.results import rows_of
from kg.store import Store, current
from tests.bench.graphs import Made, made
from tests.bench.results import FOLDER, report

SIZES = (20_000, 0, 1_000_000)  # about so many triples; 0 is the real graph
LARGE = 10_000_000
LIMIT = 60.0  # seconds that a question may take
REPEATS, LONG_ENOUGH = 15, 1.0  # a question is asked so often, or for so many seconds

mpl.use("Agg")

Latency = tuple[float | None, int | None]  # ms, rows; None where the limit was reached


def loading(how: str, path: str) -> None:
    """Loads a graph in this process and prints the seconds and the memory in MiB that it took."""
    before, begun = _resident(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if how == "lenkg":
            held: object = Store(current(Path(path)))
        else:
            held = ox.Store(folder) if how == "on disk" else ox.Store()
            held.bulk_load(path=current(Path(path)).quads, format=ox.RdfFormat.N_QUADS)
        took = time.perf_counter() - begun
        print(json.dumps([took, _resident() - before]))
        del held


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def loaded(how: str, graph: Made) -> tuple[float, float]:
    """Seconds and MiB to load a graph in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.scale", "load", how, str(graph.folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def example(question: Question) -> dict[str, str]:
    """The example values of a question's header."""
    return {
        parameter.name: parameter.example
        for parameter in question.parameters
        if parameter.example and parameter.type != "boolean"
    }


def asking(path: str, names: list[str]) -> None:
    """Asks questions in this process and prints of each the median ms and the number of rows.

    The names in the examples are those of the real graph, so that all sizes are asked the same.
    """
    known, store = open_graph().names, Store(current(Path(path)))
    print(json.dumps("ready"), flush=True)
    for name in names:
        question = questions()[name]
        text, times, payload = question.bound(example(question), known), list[float](), b""
        while not times or (len(times) < REPEATS and sum(times) < LONG_ENOUGH):
            begun = time.perf_counter()
            _, payload = store.query(text)
            times.append(time.perf_counter() - begun)
        rows = len(rows_of(payload).rows)
        print(json.dumps([name, statistics.median(times) * 1000, rows]), flush=True)


def answered(graph: Made) -> dict[str, Latency]:
    """The latency of every question; one that reaches the limit costs the process that asks it."""
    found: dict[str, Latency] = {}
    while left := [name for name in questions() if name not in found]:
        command = [sys.executable, "-m", "tests.bench.scale", "ask", str(graph.folder), *left]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            for name in left:
                if not select.select([process.stdout], [], [], LIMIT)[0]:
                    found[name] = None, None
                    process.kill()
                    break
                _, ms, rows = json.loads(process.stdout.readline())
                found[name] = ms, rows
    return found


def plot(sizes: list[int], latencies: list[dict[str, Latency]], path: Path) -> None:
    """Draws latency against size: answers that keep their rows, and answers that grow."""
    figure, panels = pyplot.subplots(1, 2, figsize=(13, 7), sharey=True)
    for panel, grows in zip(panels, (False, True), strict=True):
        chosen = [name for name in questions() if _grows(name, latencies) == grows]
        chosen.sort(key=lambda name: -(latencies[-1][name][0] or LIMIT * 1000))
        for number, name in enumerate(chosen):
            its = [latency[name][0] for latency in latencies]
            slow = {"label": f"{name}, {latencies[-1][name][1]} rows"} if number < 9 else {}
            panel.plot(sizes, its, marker="o", markersize=3, linewidth=1,
                       color=f"C{number}" if slow else "0.7", **slow)  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="triples")
        panel.set_title("rows grow with the graph" if grows else "rows stay the same")
        panel.legend(title="slowest on the largest graph", fontsize=8)
        panel.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("median latency, ms")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _grows(name: str, latencies: list[dict[str, Latency]]) -> bool:
    """Whether an answer has more rows on the largest graph than on the real one."""
    return (latencies[-1][name][1] or 0) > (latencies[1][name][1] or 0)


def main(large: bool = False) -> None:
    """Measures at each size; with `large` also at ten million triples."""
    sizes: list[int] = []
    latencies: list[dict[str, Latency]] = []
    rates: list[list[object]] = []
    for size in (*SIZES, *([LARGE] if large else [])):
        graph = made(size)
        sizes.append(graph.triples)
        ours, memory, disk = (loaded(how, graph) for how in ("lenkg", "in memory", "on disk"))
        row: list[object] = [graph.triples]
        row += [graph.triples / took for took in (graph.generated, graph.packed)]
        row += [part for took, mib in (ours, memory, disk) for part in (graph.triples / took, mib)]
        rates.append([*row, memory[0] / ours[0], memory[0] / (graph.packed + ours[0])])
        latencies.append(answered(graph))
    report(
        "scale-rates",
        "Triples a second, and MiB",
        ["triples", "generated/s", "packed/s", "loaded/s", "MiB", "engine in memory/s", "its MiB",
         "engine on disk/s", "its MiB ", "loaded / engine in memory", "packed and loaded / engine"],
        rates,
    )  # fmt: skip
    columns = [f"{part} at {size}" for size in sizes for part in ("ms", "rows")]
    report(
        "scale",
        "Latency of the questions with the examples of their headers",
        ["question", *columns],
        [[name, *(part for its in latencies for part in its[name])] for name in questions()],
    )
    plot(sizes, latencies, FOLDER / "scale.png")
    print(FOLDER / "scale.png")


if __name__ == "__main__":
    if sys.argv[1] == "load":
        loading(*sys.argv[2:])
    else:
        asking(sys.argv[2], sys.argv[3:])
