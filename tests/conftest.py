"""The real graph, built once, and a real server on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg.build import build
from kg.question import Graph, open_graph
from kg.store import Snapshot
from tests.program import serving

ROOT = Path(__file__).resolve().parents[1]
REVIEW = Path(os.environ.get("LENKG_REVIEW", ROOT.parent / "shared" / "review" / "zhang-2023.txt"))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def graph(snapshot: Snapshot) -> Graph:
    return open_graph(snapshot.path.parents[1])


@pytest.fixture(scope="session")
def environment(snapshot: Snapshot) -> dict[str, str]:
    return os.environ | {"LENKG_BUILD": str(snapshot.path.parents[1]), "COLUMNS": "120"}


@pytest.fixture(scope="session")
def server(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of `lenkg serve`, whose queries may run for two seconds."""
    with (
        serving(environment, "--seconds", "2") as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def review() -> Path:
    if not REVIEW.is_file():
        pytest.skip(f"the review's text is not at {REVIEW}; name it with LENKG_REVIEW")
    return REVIEW
