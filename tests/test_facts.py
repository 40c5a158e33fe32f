"""Faults in curated files are all found at once, each with file and line and a remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kg.build import build
from kg.check import check
from kg.errors import FaultsError
from kg.read import read
from kg.store import Snapshot, current
from kg.terms import FACTS

CASES = sorted((Path(__file__).parent / "cases" / "facts").glob("*.yaml"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 5


def with_case(case: Path, folder: Path) -> Path:
    """A copy of all facts with one more file, the case."""
    facts = folder / "facts"
    shutil.copytree(FACTS, facts)
    shutil.copy(case, facts / "zhang-2023" / case.name)
    return facts


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_fault_is_named(case: Path, tmp_path: Path) -> None:
    """`case.txt` holds the expected report on `case.yaml`."""
    facts = with_case(case, tmp_path)
    with pytest.raises(FaultsError) as error:
        check(read(facts))
    report = str(error.value).replace(f"{facts}/zhang-2023/", "")
    assert report == case.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


def test_faulty_facts_leave_the_last_snapshot(tmp_path: Path, snapshot: Snapshot) -> None:
    out = snapshot.path.parents[1]
    with pytest.raises(FaultsError):
        build(out, facts=with_case(CASES[0], tmp_path))
    assert current(out).path == snapshot.path
    assert not list(out.glob(".new-*"))


def test_the_curated_facts_have_no_fault() -> None:
    check(read())
