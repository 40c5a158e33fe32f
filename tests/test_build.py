"""A build is the same for the same input, whole or not there, and quick where nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.build import build
from kg.errors import SnapshotError
from kg.store import Snapshot, Store, current
from kg.terms import BASE, FACTS
from tests.program import LENKG, run


@pytest.mark.parametrize("seed", ["1", "2"])
def test_two_builds_are_byte_identical(snapshot: Snapshot, tmp_path: Path, seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": seed, "LENKG_BUILD": str(tmp_path)}
    run(environment, "build")
    other = current(tmp_path)
    assert other.version == snapshot.version
    for name in ("lenkg.nq", "manifest.json"):
        assert (other.path / name).read_bytes() == (snapshot.path / name).read_bytes()


def test_the_quads_are_canonical(snapshot: Snapshot) -> None:
    lines = snapshot.quads.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))
    assert len(lines) == snapshot.manifest["quads"] == sum(snapshot.manifest["graphs"].values())


def test_nothing_changed_means_no_new_build(snapshot: Snapshot) -> None:
    said: list[str] = []
    again = build(snapshot.path.parents[1], progress=said.append)
    assert again.path == snapshot.path
    assert said == []


def test_a_changed_fact_makes_another_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    facts = tmp_path / "facts"
    shutil.copytree(FACTS, facts)
    path = facts / "zhang-2023" / "studies" / "griffin.yaml"
    path.write_text(path.read_text().replace("label: GRIFFIN\n", "label: GRIFFIN trial of 2020\n"))
    assert build(tmp_path / "build", facts=facts).version != snapshot.version


def test_a_killed_build_leaves_the_last_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "build"
    shutil.copytree(snapshot.path.parents[1], out, symlinks=True)
    for delay in (0.3, 0.8, 1.2, 1.6, 2.0, 2.4):
        command = [*LENKG, "build", "--again", "--out", str(out)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as job:
            time.sleep(delay)
            job.send_signal(signal.SIGKILL)
        last = current(out)
        assert last.quads.read_bytes() == snapshot.quads.read_bytes()
        assert json.loads((last.path / "manifest.json").read_text())["snapshot"] == last.version


def test_without_a_build_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"no built graph in .*; run `lenkg build` first"):
        current(tmp_path)


def test_a_damaged_snapshot_is_said_so(snapshot: Snapshot, tmp_path: Path) -> None:
    shutil.copytree(snapshot.path, tmp_path / "damaged")
    damaged = Snapshot(tmp_path / "damaged")
    damaged.quads.write_text(damaged.quads.read_text()[:5000] + "<broken")
    with pytest.raises(SnapshotError, match="cannot be loaded"):
        Store(damaged)


def test_no_blank_node_where_a_person_may_cite(snapshot: Snapshot) -> None:
    for quad in ox.parse(path=snapshot.quads, format=ox.RdfFormat.N_QUADS):
        if quad.graph_name != ox.NamedNode(BASE + "graph/ontology"):
            assert isinstance(quad.subject, ox.NamedNode)
            assert not isinstance(quad.object, ox.BlankNode)
