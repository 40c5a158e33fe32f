"""The program as its users start it: a command, or a server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LENKG = [sys.executable, "-m", "kg.cli"]


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """Standard output and error of `lenkg`, which must end with this exit code."""
    done = subprocess.run(
        [*LENKG, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@contextmanager
def started(
    environment: dict[str, str], *arguments: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process of a `lenkg serve` on a free port, which ends with the block."""
    command = [*LENKG, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1], process
        process.terminate()


@contextmanager
def serving(environment: dict[str, str], *arguments: str) -> Iterator[str]:
    """The address of a `lenkg serve` on a free port, which ends with the block."""
    with started(environment, *arguments) as (address, _):
        yield address


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are not collected yet."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]
