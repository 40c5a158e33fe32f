"""Generated graphs as snapshots, which `LENKG_BUILD` may name the folder of."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from kg.build import build, pack
from kg.store import Snapshot, current
from tests.bench.generate import generate
from tests.bench.results import FOLDER


@dataclass(frozen=True)
class Made:
    """A snapshot with its number of triples, and the seconds that it took to make it."""

    folder: Path
    triples: int
    generated: float
    packed: float

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in the folder."""
        return current(self.folder)


def made(triples: int) -> Made:
    """A graph of about so many triples, in a folder of its own; 0 for the real graph."""
    real = build()
    folder = FOLDER / f"graph-{triples or 'real'}"
    lines = folder / "lines.nq"
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    if triples:
        size = generate(real.quads, lines, triples)
    else:
        shutil.copyfile(real.quads, lines)
        size = real.manifest["quads"]
    generated = time.perf_counter() - begun
    with lines.open(encoding="utf-8") as file:
        pack(folder, file, real.beside, real.manifest["inputs"])
    lines.unlink()
    return Made(folder, size, generated, time.perf_counter() - begun - generated)
