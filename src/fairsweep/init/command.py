"""The command `init`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from fairsweep.errors import ExitCode
from fairsweep.output import json_output
from fairsweep.output.terminal import Terminal
from fairsweep.output.wording import printable
from fairsweep.runs import flags
from fairsweep.runs.commands import Command, show_next

FLAG_IS = ("help", "sanction")


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CSV or Parquet file or Delta table with score and label"
    )
    parser.add_argument(
        "--flag-is", type=flags.one_of("--flag-is", FLAG_IS), required=True, metavar="{help,sanction}",
        help="whether a flag brings help or does harm; no default, because the verdicts depend on it",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("audit.yaml"),
        metavar="FILE",
        help="the config to write (default: audit.yaml)",
    )
    parser.add_argument("--score", metavar="COLUMN", help="the score, if column names do not identify it")
    parser.add_argument("--label", metavar="COLUMN", help="the label, if column names do not identify it")
    parser.add_argument(
        "--attribute",
        action="append",
        default=[],
        dest="attributes",
        metavar="COLUMN",
        help="an attribute whose groups are compared; repeatable",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a config that exists")


def _run(arguments: Namespace) -> ExitCode:
    from fairsweep.init.proposing import Wishes
    from fairsweep.init.verb import init

    wishes = Wishes(arguments.score, arguments.label, tuple(arguments.attributes))
    written = init(arguments.file, arguments.flag_is, arguments.out, wishes=wishes, force=arguments.force)
    proposal = written.proposal
    found = {
        "config": str(written.config),
        "score": proposal.score.name,
        "label": proposal.label.name,
        "attributes": [profile.name for profile in proposal.attributes],
        "other_labels": list(proposal.others),
    }
    if arguments.json:
        sys.stdout.write(json_output.of_rows("init", [found]))
    else:
        terminal = Terminal.on(sys.stdout)
        terminal.say(printable(f"Wrote {found['config']}, proposed from column names and first values; check it."))
        terminal.say(printable(f"  score       {found['score']}"))
        terminal.say(printable(f"  label       {found['label']}"))
        terminal.say(printable(f"  attributes  {', '.join(found['attributes'])}"))
        if found["other_labels"]:
            terminal.say(printable(f"  could be the label as well: {', '.join(found['other_labels'])}"))
    show_next(written.next_command, arguments)
    return ExitCode.DONE


COMMANDS = (Command("init", "propose a config from a file's header and first rows", _add_flags, _run),)
