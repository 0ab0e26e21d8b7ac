"""The command line: argv to settings, and the only code of the package that prints. Imports no torch by itself."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from typing import Any, cast

import click

from xner_bench.errors import XnerError

# Read without importing: only the command that is called, or whose help is shown, is loaded.
COMMANDS = {
    "run": ("xner_bench.cli.run:run", "Fine-tune a method, tag every target, print and store the scores."),
    "search": ("xner_bench.cli.search:search", "Search the settings that suit a method."),
    "status": ("xner_bench.cli.status:status", "Say what a results folder holds, and what is left to be done."),
    "runs": ("xner_bench.cli.runs:runs", "List the runs, say all of one, or compare two."),
    "results": ("xner_bench.cli.results:results", "Verify every file of a results folder, and mend it."),
    "methods": (
        "xner_bench.cli.methods:methods",
        "List the methods with their options and where they come from.",
    ),
    "datasets": ("xner_bench.cli.catalogue:datasets", "List the data sets, or print one card."),
    "suites": ("xner_bench.cli.catalogue:suites", "List the suites (published set-ups), or print one."),
    "data": ("xner_bench.cli.data:data", "Check the data that is here, fetch it from the hub, or perturb it."),
    "leaderboard": (
        "xner_bench.cli.leaderboard:leaderboard",
        "Build, show or publish the leaderboard of the results.",
    ),
    "export": ("xner_bench.cli.export:export", "Write a kept checkpoint with a model card, to be shared."),
}

TERMINATED = 128 + signal.SIGTERM  # the exit status


class Commands(click.Group):
    """A group that knows its commands by a table and loads them one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, epilog="Start here:  xner-bench run --method slicer --h 8")
@click.version_option(package_name="xner-bench")
def cli() -> None:
    """Benchmark fine-tuning methods for cross-lingual named entity recognition.

    A method is trained on a source language and tags target languages whose labels it never saw; the results become a
    leaderboard. Without further options everything runs offline on small corpora that come with the package.
    """


def main(argv: list[str] | None = None) -> None:
    """Run a command line and exit: 0 done, 2 something to mend (one line says what), 130 interrupted.

    1 is that some of many runs have no result, each of which is told in a line; or a bug, with its traceback.
    """
    sys.exit(_status(argv))


def _status(argv: list[str] | None) -> int:
    try:
        status: Any = cli.main(argv, prog_name="xner-bench", standalone_mode=False)
        if sys.stdout is not None:  # as with >&-
            sys.stdout.flush()
    except XnerError as error:
        return _complain(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "xner-bench"
        return _complain(f"{error.format_message()} Try `{where} --help`.")
    except click.ClickException as error:
        return _complain(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("xner-bench: interrupted; the same command goes on with what is missing", err=True)
        return 130
    except SystemExit as end:  # what is under way was put in order, see `attempts.terminable`
        if end.code == TERMINATED:
            click.echo("xner-bench: ended by a signal; the same command goes on with what is missing", err=True)
        raise
    except BrokenPipeError:  # the reader of our output has seen enough; nothing is left to be flushed to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return _complain(f"{str(error.filename)[:60]}...: this name is too long for a file; give a shorter one")
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise  # not our output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _complain(
            f"cannot write the output: {(error.strerror or str(error)).lower()}; results are in their folder"
        )
    return status if isinstance(status, int) else 0


def _complain(text: str) -> int:
    one_line = " ".join(part for part in text.splitlines() if part.strip())  # libraries' messages may have several
    click.echo(f"xner-bench: {one_line}", err=True)
    return 2
