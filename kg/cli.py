"""The command line: check, build, ask, query, search, audit, export, verify, places, serve.

Exit codes: 0 ok, 1 the data or the query is wrong, 2 the command was used wrongly.
Answers go to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from kg.errors import FaultsError, LenkgError, ParameterError, UnknownNameError
from kg.question import Question, flags, open_graph, questions
from kg.results import Rows, as_csv, rows_of
from kg.rq import rules
from kg.store import BUILD, Store, current
from kg.terms import hint, prefixes, terms

USAGE = (ParameterError, UnknownNameError)
app = typer.Typer(
    name="lenkg",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="LenKG: what a review says about lenalidomide in myeloma, as a graph to question.",
    epilog="Example: lenkg ask improved-outcome --outcome mrd-negativity "
    "--population transplant-eligible-ndmm",
)
ask_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ask one of the questions. `lenkg ask QUESTION --help` tells its parameters and columns.",
    epilog="Example: lenkg ask drugs-on-target --target CRBN",
)
app.add_typer(ask_app, name="ask")


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the rows.")]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tells on standard error what is being done: a spinner on a terminal, else a line each."""
    if not sys.stderr.isatty():
        yield lambda what: _say(f"{what} …")
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda what: status.update(f"{what} …")


WIDE, FOLDED = 45, 28  # characters: longer texts stand below a table, longer cells are folded


def _print_table(rows: Rows, hidden: frozenset[str] = frozenset()) -> None:
    """A table that fits the terminal.

    Columns that are empty throughout are left out. Where the table is too wide, what is the
    same in every row stands above it, and long texts below, by the number of their row.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows.rows:
        return
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    shown = [
        i
        for i, name in enumerate(rows.columns)
        if name not in hidden and any(row[i] is not None for row in rows.rows)
    ]
    heads = [rows.columns[i].removesuffix("Name") for i in shown]
    cells = [["" if row[i] is None else str(row[i]) for i in shown] for row in rows.rows]
    figures = [all(isinstance(row[i], int | float | None) for row in rows.rows) for i in shown]
    longest = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    widths = [min(size, max(FOLDED, len(head))) for size, head in zip(longest, heads, strict=True)]
    table_, same = set(range(len(shown))), list[int]()

    def too_wide() -> bool:
        return sum(widths[k] + 3 for k in table_) > console.width - 4

    if too_wide() and len(cells) > 1:
        same = [k for k in table_ if not figures[k] and len({row[k] for row in cells}) == 1]
        table_ -= set(same)
        said = "; ".join(f"{heads[k]}: {cells[0][k]}" for k in same)
        print(*textwrap.wrap(f"In every row {said}" if said else "", console.width), sep="\n")
    if too_wide():
        table_ -= {k for k in sorted(table_)[1:] if not figures[k] and longest[k] > WIDE}
    while len(table_) > 1 and too_wide():
        table_.remove(max(table_, key=lambda k: (not figures[k], widths[k], k)))
    below = [k for k in range(len(shown)) if k not in table_ and k not in same]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if below:
        table.add_column("#", justify="right")
    for k in sorted(table_):
        side: Any = "right" if figures[k] else "left"
        table.add_column(heads[k], overflow="fold", justify=side)
    for number, row in enumerate(cells, 1):
        table.add_row(*([str(number)] if below else []), *(row[k] for k in sorted(table_)))
    console.print(table)
    for number, row in enumerate(cells, 1):
        lead = f"[{number}] "
        for k in below:
            if row[k]:
                flagged = [f"{text} [{level}: {at}]" for text, level, at in flags(row[k])]
                for said in flagged or [row[k]]:
                    text = textwrap.wrap(
                        f"{heads[k].removesuffix('s') if flagged else heads[k]}: {said}",
                        console.width - len(lead) - 2,
                        break_on_hyphens=False,
                    )
                    print(lead + f"\n{' ' * (len(lead) + 2)}".join(text))
                    lead = " " * len(lead)


def _print(rows: Rows, format_: Format, document: dict[str, Any], hidden: frozenset[str]) -> None:
    if format_ is Format.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    elif format_ is Format.csv:
        print(as_csv(rows), end="")
    else:
        _print_table(rows, hidden)


def _addresses(columns: list[str]) -> frozenset[str]:
    """Columns of addresses, which a table leaves out; their names stand beside them."""
    named = {name for name in columns if f"{name}Name" in columns}
    return frozenset(named | {"step", "firstStep", "record", "place"} & set(columns))


def _option(parameter: Any) -> Argument:
    default = f" [default: {parameter.left_out}]" if parameter.left_out else ""
    kind = f" ({parameter.kind.replace('-', ' ')})" if parameter.kind else ""
    example = f" For example: {parameter.example}." if parameter.example else ""
    option = typer.Option(
        f"--{parameter.name}",
        help=f"{parameter.description}{kind}.{example}{default}",
        show_default=False,
    )
    return Argument(
        parameter.name,
        Argument.KEYWORD_ONLY,
        default=[],
        annotation=Annotated[list[str], option],
    )


def _command(question: Question) -> Callable[..., None]:
    """The command of a question: an option for each parameter, which may be repeated."""

    def command(format_: Format, **values: list[str]) -> None:
        answer = open_graph().ask(question.name, **{k: v for k, v in values.items() if v})
        if format_ is Format.table:
            given = ", ".join(f"{k} {v}" for k, v in answer.parameters.items())
            print(f"{question.summary}{f'  [{given}]' if given else ''}")
        _print(answer.rows, format_, answer.document(), _addresses(answer.rows.columns))
        if format_ is Format.table:
            print(f"{answer.message}, snapshot {answer.version}")

    arguments = [_option(parameter) for parameter in question.parameters]
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            *arguments,
            Argument(
                "format_", Argument.KEYWORD_ONLY, default=Format.table, annotation=FormatOption
            ),
        ]
    )
    return command


def _register_questions() -> None:
    for question in questions().values():
        columns = "".join(
            f"\n\n  {c.name}: {c.meaning}{f' ({c.unit})' if c.unit else ''}"
            for c in question.columns
        )
        example = " ".join(
            f"--{p.name} {p.example}"
            for p in question.parameters
            if p.example and " " not in p.example
        )
        ask_app.command(
            question.name,
            short_help=question.summary,
            help=f"{question.summary}\n\n{question.description}\n\nColumns:{columns}",
            epilog=f"Example: lenkg ask {question.name} {example}".rstrip(),
        )(_command(question))


@app.command(epilog="Example: lenkg check")
def check() -> None:
    """Check the curated facts; every fault is printed with its file and line."""
    from kg.check import check as check_facts
    from kg.read import read
    from kg.reason import reason

    with _progress() as say:
        say("reading the facts")
        facts = read()
        say("checking the facts")
        check_facts(facts)
        say("reasoning")
        reason([*terms().quads, *facts.quads], BUILD / "inferred", facts.place)
    print(f"no faults in {len(facts.quads)} facts")


@app.command(epilog="Example: lenkg build --again")
def build(
    out: Annotated[
        Path, typer.Option(help="The folder of the snapshots.", envvar="LENKG_BUILD")
    ] = BUILD,
    again: Annotated[bool, typer.Option("--again", help="Build even if nothing changed.")] = False,
) -> None:
    """Build the graph from the ontology and the facts: check everything, then write a snapshot."""
    from kg.build import build as build_snapshot

    with _progress() as say:
        snapshot = build_snapshot(out, progress=say, again=again)
    print(f"snapshot {snapshot.version}: {snapshot.manifest['quads']} quads in {snapshot.path}")


@app.command(
    epilog="Example: lenkg query 'SELECT ?drug WHERE { ?regimen lenkg:hasDrug ?drug } LIMIT 5'"
)
def query(
    text: Annotated[
        str,
        typer.Argument(
            metavar="SPARQL", help="The query, a file with it, or - for standard input."
        ),
    ],
    format_: FormatOption = Format.table,
) -> None:
    """Run a SPARQL query. LenKG's prefixes are known; a CONSTRUCT or DESCRIBE prints Turtle."""
    if text == "-":
        text = sys.stdin.read()
    elif len(text) < 256 and Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8")
    elif len(text.split()) < 2:
        raise ParameterError("SPARQL", f"'{text}' is neither a query nor a file")
    media_type, payload = Store(current()).query(text, known=prefixes())
    if media_type == "text/turtle":
        print(payload.decode(), end="")
        return
    document = json.loads(payload)
    if "boolean" in document:
        print(json.dumps(document) if format_ is Format.json else str(document["boolean"]).lower())
        return
    _print(rows_of(payload), format_, document, frozenset())


@app.command(epilog="Example: lenkg search RVd")
def search(
    text: Annotated[str, typer.Argument(help="A name, a part of one, or something like it.")],
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind: drug, regimen, study …")
    ] = None,
    format_: FormatOption = Format.table,
) -> None:
    """Find things and questions by their names and synonyms; slips of the pen are forgiven."""
    if not text.strip():
        raise ParameterError("TEXT", "is empty; write a name or a part of one")
    found = [
        [e.kind, e.iri.rpartition("/")[2], e.label, None if e.name == e.label else e.name, e.iri]
        for e in open_graph().names.search(text, kind or ())
    ]
    if not kind or "question" in kind:
        words = text.casefold().split()
        found += [
            ["question", q.name, q.summary, None, f"lenkg ask {q.name}"]
            for q in questions().values()
            if all(w in f"{q.name} {q.summary} {' '.join(q.tags)}".casefold() for w in words)
        ]
    rows = Rows(["kind", "name", "label", "alsoCalled", "address"], found)
    _print(rows, format_, {"rows": list(rows), "count": len(found)}, frozenset())
    if not found:
        raise UnknownNameError(f"nothing here is called '{text}' or alike")


@app.command(epilog="Example: lenkg export --to out --format turtle --format json-ld")
def export(
    to: Annotated[Path, typer.Option(help="The folder to write into.")],
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="turtle, n-quads or json-ld.")
    ] = None,
) -> None:
    """Write the whole graph to files: Turtle unless other formats are named."""
    from kg.export import export as export_snapshot

    for path in export_snapshot(open_graph().store.snapshot, to, format_ or ["turtle"]):
        print(path)


@app.command(epilog="Example: lenkg audit --severity high")
def audit(
    rule: Annotated[str | None, typer.Option(help="Only findings of this rule.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only high, medium or low.")] = None,
    study: Annotated[str | None, typer.Option(help="Only findings on this study.")] = None,
) -> None:
    """Print where the review contradicts itself, its citations or arithmetic, by rule."""
    known = ["by-reading", *(path.stem for path in rules("audit"))]
    if rule and rule not in known:
        raise ParameterError("rule", f"there is no rule '{rule}'{hint(rule, known)}")
    given = {"rule": rule, "severity": severity, "study": study}
    answer = open_graph().ask("findings", **{k: v for k, v in given.items() if v})
    shown, findings = "", list[str]()
    for row in answer:
        if row["label"] != shown and row["rule"] != "by-reading":
            print(f"\n{row['label']}  [{row['rule']}]")
        shown = row["label"]
        if row["finding"] not in findings:
            findings.append(row["finding"])
            lead = f"{row['label']}: " if row["rule"] == "by-reading" else ""
            judged = f"{row['severityName']}; {row['certaintyName']}; {row['basisNames']}"
            _wrapped(f"- {lead}{row['explanation']} ({judged})", 2)
            for name, column in (
                ("Instead", "instead"),
                ("Seen", "outsideSources"),
                ("Read at", "foundAtNames"),
            ):
                if row[column]:
                    _wrapped(f"{name}: {row[column]}", 2, first=2)
        _wrapped(
            f"{row['recordLabel'].rstrip('.')}: {row['places'] or 'at other places only'}",
            4,
            first=4,
        )
    print(f"\n{len(findings)} finding{'' if len(findings) == 1 else 's'}")


def _wrapped(text: str, indent: int, first: int = 0) -> None:
    ahead, behind = " " * first, " " * indent
    lines = textwrap.wrap(
        text, 110, initial_indent=ahead, subsequent_indent=behind, break_on_hyphens=False
    )
    print(*lines, sep="\n")


@app.command(epilog="Example: lenkg verify --review zhang-2023.txt")
def verify(
    review: Annotated[Path, typer.Option(help="The review's text.")],
    source: Annotated[str, typer.Option(help="The source's slug.")] = "zhang-2023",
) -> None:
    """Hold the facts against the review's text: nothing wrong, nothing missing."""
    from kg.places import read_review
    from kg.read import read
    from kg.verify import verify as verify_facts

    report = verify_facts(read_review(review), read(), source)
    columns = ["section", "places", "carried", "excepted", "numbers", "carried ", "excepted "]
    counts = [[name, *vars(count).values()] for name, count in report.sections.items()]
    totals = [sum(row[i] for row in counts) for i in range(1, len(columns))]
    _print_table(Rows(columns, [*counts, ["all", *totals]]))
    print(f"{report.statements} statements")
    if report.faults:
        raise FaultsError(report.faults)


@app.command(
    epilog="Example: lenkg places --review zhang-2023.txt > kg/facts/zhang-2023/places.yaml"
)
def places(
    review: Annotated[Path, typer.Option(help="The review's text.")],
    source: Annotated[str, typer.Option(help="The source's slug.")] = "zhang-2023",
) -> None:
    """Print the places of a review's text: their addresses, hashes and counts of figures."""
    from kg.places import as_yaml, read_review

    print(as_yaml(read_review(review), source), end="")


@app.command(epilog="Example: lenkg serve --port 8080")
def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on.", envvar="LENKG_HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 takes any free one.", envvar="PORT", min=0, max=65535)
    ] = 8000,
    seconds: Annotated[
        float, typer.Option(help="The longest a query may run.", envvar="LENKG_SECONDS", min=0.1)
    ] = 10.0,
    memory: Annotated[
        int, typer.Option(help="The MiB a query may use.", envvar="LENKG_MEMORY", min=64)
    ] = 1024,
    rows: Annotated[
        int, typer.Option(help="The most rows of an answer.", envvar="LENKG_ROWS", min=1)
    ] = 1_000_000,
    size: Annotated[
        int, typer.Option(help="The most MiB of an answer.", envvar="LENKG_SIZE", min=1)
    ] = 64,
    rate: Annotated[
        float,
        typer.Option(
            help="Requests a second of one client that are not answered from what is kept ready; "
            "0 takes any number.",
            envvar="LENKG_RATE",
            min=0,
        ),
    ] = 0.0,
) -> None:
    """Serve the graph over HTTP until interrupted; a newly built one is taken over.

    Whoever sends the token in LENKG_TOKEN (Authorization: Bearer …) may use six times the
    seconds, four times the memory, and ten times the rows and the size.
    """
    from api.app import run
    from api.guard import Settings
    from kg.results import Limits

    limits = Limits(seconds, memory << 20, rows, size << 20)
    run(host, port, Settings(limits, os.environ.get("LENKG_TOKEN"), rate))


def main() -> None:
    """Run the command line; an error of ours becomes a sentence and an exit code."""
    if "ask" in sys.argv[1:2]:
        _register_questions()
    try:
        app()
    except FaultsError as error:
        _say(str(error))
        _say(f"{len(error.faults)} fault{'' if len(error.faults) == 1 else 's'}")
        sys.exit(1)
    except USAGE as error:
        _say(f"lenkg: {error}")
        sys.exit(2)
    except LenkgError as error:
        _say(f"lenkg: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
