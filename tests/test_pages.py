"""The pages in a real browser: readable without scripts, nothing fetched from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

CHROMIUM = shutil.which("chromium")
PAGES = [
    ("/", "Which lenalidomide combinations improved MRD negativity"),
    ("/questions", "Which regimens had the best figures for an outcome?"),
    (
        "/questions/improved-outcome?outcome=mrd-negativity&population=transplant-eligible-ndmm",
        "The review prints no rate of negative measurable residual disease for the control arm.",
    ),
    ("/study/griffin", "NCT02874742"),
    ("/regimen/dara-vrd", "daratumumab"),
    (
        "/sparql?query="
        + quote("SELECT ?d { ?d a <https://w3id.org/lenkg/ontology/CD38Antibody> }"),
        "/drug/daratumumab",
    ),
    ("/sparql", "https://w3id.org/lenkg/graph/findings"),
    ("/ontology/TripletRegimen", "A regimen of exactly three antimyeloma drugs"),
    ("/ontology/", "A regimen of exactly three antimyeloma drugs; a placebo does not count."),
]


@pytest.mark.skipif(not CHROMIUM, reason="the Debian package chromium is not installed")
@pytest.mark.parametrize(("path", "text"), PAGES)
def test_a_page_shows_its_answer(
    server: httpx.Client, tmp_path: Path, path: str, text: str
) -> None:
    """Chromium renders the page, resolving no host but this one."""
    done = subprocess.run(
        [
            str(CHROMIUM),
            *"--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(),
            *"--disable-background-networking --disable-component-update --disable-sync".split(),
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            f"--user-data-dir={tmp_path}",
            "--dump-dom",
            str(server.base_url).rstrip("/") + path,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown = re.sub(r"<[^>]+>", "", done.stdout)
    assert text in shown
    assert "<script" not in done.stdout
    assert not re.search(r'(?:src|<link[^>]*href)="(?!/)[^"]', done.stdout), "from elsewhere"
    if path != "/ontology/":  # whose terms of other vocabularies link to those
        assert not re.search(r'(?:src|href)="(?!/|https://w3id)[^"]', done.stdout)
