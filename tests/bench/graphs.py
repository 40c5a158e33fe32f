"""Generated graphs as snapshots, which `LENKG_BUILD` may name the folder of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kg.build import build
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
    pack(folder, lines, real)
    return Made(folder, size, generated, time.perf_counter() - begun - generated)


def pack(out: Path, lines: Path, real: Snapshot) -> None:
    """Makes a file of N-Quads the current snapshot of the folder `out`; the file moves there."""
    digest, graphs = hashlib.sha256(), Counter[str]()
    with lines.open("rb") as file:
        for line in file:
            digest.update(line)
            graphs[line.rsplit(b" ", 2)[1][1:-1].decode()] += 1
    name = digest.hexdigest()[:16]
    target = out / "snapshots" / name
    shutil.rmtree(out / "snapshots", ignore_errors=True)
    target.mkdir(parents=True)
    os.replace(lines, target / "lenkg.nq")
    shutil.copyfile(real.documentation, target / "ontology.html")
    manifest = real.manifest | {
        "snapshot": name,
        "quads": graphs.total(),
        "graphs": dict(sorted(graphs.items())),
    }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (out / "current").unlink(missing_ok=True)
    (out / "current").symlink_to(Path("snapshots") / name)
