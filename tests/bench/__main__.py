"""Measurements, each beside a rival or a limit of the same run: `make bench`.

    python -m tests.bench [build] [endpoint] [killers] [scale] [--large]

All parts, or those that are named; `--large` adds a graph of ten million triples to `scale`. Each
prints its tables and writes them to build/bench/. Nothing here fails on a slow day.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tests.bench import build, endpoint, killers, scale

PARTS = ("build", "endpoint", "killers", "scale")


def main() -> None:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--large", action="store_true", help="ten million triples too")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part '{min(unknown)}'; the parts are {', '.join(PARTS)}")
    run: dict[str, Callable[[], None]] = {
        "build": build.main,
        "endpoint": endpoint.main,
        "killers": killers.main,
        "scale": lambda: scale.main(given.large),
    }
    for part in given.parts or PARTS:
        run[part]()


if __name__ == "__main__":
    main()
