"""The commands `sql` and `tables`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from fairsweep.errors import ExitCode
from fairsweep.output import json_output, progress
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import printable
from fairsweep.runs import flags
from fairsweep.runs.commands import Command, on_same_tables, options_of, show_next

_SHOWN_ROWS = 100
_ACTIONS = {
    "create": "create the result tables and views",
    "ddl": "print the DDL of the result tables and views",
}


def _add_sql_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "query", metavar="QUERY",
        help="one SELECT over result tables and views (docs/sql.md), for example: SELECT * FROM v_open_breaches",
    )  # fmt: skip
    flags.add_engine(
        parser,
        "the engine that reads the tables and whose SQL the query uses: Spark, or this process with DuckDB; "
        "auto: local for a local folder, unless --master or --remote is given",
    )
    flags.add_warehouse(parser)


def _add_tables_flags(parser: ArgumentParser) -> None:
    actions = "; ".join(f"{action}: {meaning}" for action, meaning in _ACTIONS.items())
    parser.add_argument("action", choices=tuple(_ACTIONS), help=actions)
    flags.add_engine(parser)
    flags.add_warehouse(parser)


def _sql(arguments: Namespace) -> ExitCode:
    from fairsweep.output import listing
    from fairsweep.sql import verb

    with progress.shown(verbose=arguments.verbose) as step:
        rows = verb.query(arguments.query, options_of(arguments, step))
    terminal = Terminal.on(sys.stdout)
    if arguments.json:
        sys.stdout.writelines(json_output.of_tables({"result": rows}, in_order=True))
    elif terminal.console.is_terminal:
        terminal.show(listing.lines(rows, terminal.page.width, _SHOWN_ROWS))
    else:
        terminal.show(listing.lines(rows, None))
    show_next('fairsweep sql "SELECT * FROM v_run_health"', arguments)
    return ExitCode.DONE


def _tables(arguments: Namespace) -> ExitCode:
    from fairsweep.sql import verb

    if arguments.action == "ddl":
        return _print_ddl(verb.ddl(options_of(arguments, lambda step: None)), arguments)
    with progress.shown(verbose=arguments.verbose) as step:
        warehouse = verb.create(options_of(arguments, step))
    if arguments.json:
        sys.stdout.write(json_output.of_rows("tables", [{"place": warehouse}]))
    else:
        Terminal.on(sys.stdout).say(printable(f"Result tables and views are in {warehouse}."))
    show_next("fairsweep audit --config audit.yaml", arguments)
    return ExitCode.DONE


def _print_ddl(script: str, arguments: Namespace) -> ExitCode:
    """The statements as a script; the next command is a comment in it."""
    if arguments.json:
        sys.stdout.write(json_output.of_rows("ddl", [{"script": script}]))
    else:
        following = on_same_tables("fairsweep tables create", arguments)
        sys.stdout.write(f"{script.rstrip()}\n\n-- Next: {printable(following)}\n")
    return ExitCode.DONE


COMMANDS = (
    Command("sql", "query the result tables and views; nothing is written", _add_sql_flags, _sql),
    Command("tables", "create the result tables and views, or print their DDL", _add_tables_flags, _tables, _ACTIONS),
)
