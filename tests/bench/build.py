"""What a curator and a user wait for: the build, the command, the server's start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from kg.build import build
from kg.question import open_graph
from kg.store import Store, current
from tests.bench.results import report, seconds
from tests.program import serving

HEADLINE = {"outcome": "mrd-negativity", "population": "transplant-eligible-ndmm"}
ENGINE = "import pyoxigraph as ox; s = ox.Store(); s.bulk_load(path={path!r}); s.query('ASK {{}}')"


def process(environment: dict[str, str], *arguments: str) -> Callable[[], object]:
    """A whole Python process, from start to end."""
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, env=environment, check=True, capture_output=True)


def main() -> None:
    """Builds in a folder of its own, measures, and prints a table."""
    rows: list[list[object]] = []

    def row(what: str, measured: float, beside: str, figure: float) -> None:
        rows.append([what, measured * 1000, beside, figure * 1000, measured / figure])

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        environment = os.environ | {"LENKG_BUILD": folder, "COLUMNS": "120"}
        row("full build", seconds(lambda: build(out, again=True)), "limit 20 s", 20)
        kept = seconds(lambda: build(out, again=True))
        row("build, the reasoner's result kept", kept, "limit 10 s", 10)
        row("build, nothing changed", seconds(lambda: build(out), 5), "limit 0.5 s", 0.5)
        snapshot = current(out)

        asked = [f"--{k}={v}" for k, v in HEADLINE.items()]
        ask = process(environment, "-m", "kg.cli", "ask", "improved-outcome", *asked)
        engine = process(environment, "-c", ENGINE.format(path=str(snapshot.quads)))
        shell = seconds(ask, 15)
        row("lenkg ask, whole process", shell, "limit 0.5 s", 0.5)
        start = seconds(process(environment, "-c", "pass"), 15)
        cold = seconds(engine, 15)
        row("lenkg ask, whole process", shell, "python -c pass + engine's cold start", start + cold)

        begun = time.perf_counter()
        with serving(environment) as address, httpx.Client(base_url=address) as client:
            while client.get("/health").status_code != 200:
                time.sleep(0.005)
            row("server ready", time.perf_counter() - begun, "limit 1.5 s", 1.5)
            graph = open_graph(out)
            path = "/questions/improved-outcome"
            over_http = seconds(lambda: client.get(path, params=HEADLINE), 300)
            in_process = seconds(lambda: graph.ask("improved-outcome", **HEADLINE), 300)
            row("headline over HTTP", over_http, "the same in this process", in_process)
        row("open a snapshot", seconds(lambda: Store(snapshot), 10), "limit 0.2 s", 0.2)
    report("build", "Build, command and server", ["what", "ms", "beside", "its ms", "ratio"], rows)
