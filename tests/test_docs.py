"""The documents say what happens: commands are run, paths exist, examples are executed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from kg.question import Graph
from tests.program import run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SNAPSHOT = re.compile(r"snapshot [0-9a-f]{16}")


def commands(program: str) -> list[tuple[str, str]]:
    """Each command of the README that calls a program, with the output shown below it."""
    shown = "\n".join(text for kind, text in BLOCKS if kind == "console")
    pairs = re.findall(rf"^\$ ({program} .*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)
    assert pairs
    return pairs


def settled(text: str) -> str:
    lines = (line.rstrip() for line in SNAPSHOT.sub("snapshot …", text).splitlines())
    return "\n".join(line for line in lines if line)


@pytest.mark.parametrize(("command", "output"), commands("lenkg"))
def test_a_command_prints_what_is_shown(
    environment: dict[str, str], command: str, output: str
) -> None:
    out, _ = run(environment, *shlex.split(command)[1:])
    assert settled(out) == settled(output)


@pytest.mark.parametrize(("command", "output"), commands("curl"))
def test_curl_gets_what_is_shown(server: httpx.Client, command: str, output: str) -> None:
    address, columns = re.search(r"'(http[^']+)' \| cut -d, -f ([\d,]+)", command).groups()  # type: ignore[union-attr]
    text = server.get(address.removeprefix("http://127.0.0.1:8000")).text
    kept = [int(n) - 1 for n in columns.split(",")]
    rows = [line.split(",") for line in text.splitlines()]
    assert [",".join(row[i] for i in kept) for row in rows] == output.splitlines()


def test_python_prints_what_is_shown(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "doctest", "README.md"], cwd=ROOT, env=environment, check=True
    )


def test_the_sparql_of_the_readme_answers(graph: Graph) -> None:
    (query,) = (text for kind, text in BLOCKS if kind == "sparql")
    assert {row["regimen"].rpartition("/")[2] for row in graph.rows(query)} == {
        "dara-vrd",
        "isa-vrd",
    }


@pytest.mark.parametrize("name", ["README.md", "queries/README.md", "kg/facts/README.md"])
def test_named_files_exist(name: str) -> None:
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:kg|api|ontology|queries|tests)/[\w./-]*)`", text)
    for link in links:
        assert (path.parent / link).exists(), link
    for file in named:
        assert (ROOT / file).exists(), file


def test_every_module_is_in_the_table_or_behind_one() -> None:
    table = README.partition("I want to change")[2]
    for path in [*(ROOT / "kg").glob("*.py"), *(ROOT / "ontology").iterdir()]:
        named = f"{path.parent.name}/{path.name}"
        helpers = ("__init__.py", "errors.py", "terms.py", "check.py", "resource.py")
        assert named in table or path.name in helpers, named
