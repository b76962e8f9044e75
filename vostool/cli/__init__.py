"""The command line: one file a subcommand; each parses, calls the pipeline, prints.

Subcommands are imported when they are called, so that ``vostool --help`` needs click alone.
"""

from __future__ import annotations

import codecs
import importlib
import io
import sys
from typing import Any

import click

from vostool.errors import UsageError, VostoolError
from vostool.version import __version__

_COMMANDS = {
    "extract": "Run the backbone over clips and keep their features.",
    "propagate": "Add spatio-temporal context to stored features (Eq. 2).",
    "adapt": "Fit the classifier of a clip's objects to scribbles (Eq. 3).",
    "render": "Write the masks of every frame, and a video to look at.",
    "refine": "Write masks that travelled from the annotated frames (§3).",
    "segment": "All of it in one: from a clip and scribbles to masks.",
    "batch": "Run stages of many clips as jobs, here or on a cluster.",
    "export": "Write masks in the formats of other tools.",
    "scribble": "Draw on a clip in a browser, and see its masks at once.",
    "suggest": "Say on which frames to scribble next.",
    "evaluate": "Run the DAVIS interactive benchmark on annotated sequences.",
    "score": "J, F and J&F of a folder of masks, by any method.",
    "store": "List, verify and remove what is stored.",
    "weights": "List the networks and their weights, and check files of weights.",
    "train": "Train the networks: the paper's two steps, and those beyond it.",
    "doctor": "Say whether all is well on this machine, and what a bug report needs.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"vostool.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as problem:
            raise click.UsageError(str(problem), ctx) from problem
        except VostoolError as problem:
            from vostool.cli.mends import one_line

            raise click.ClickException(one_line(problem)) from problem
        except BrokenPipeError:
            raise  # a reader that has seen enough: click knows what to do
        except OSError as problem:
            raise click.ClickException(str(problem)) from problem
        except UnicodeEncodeError as problem:
            raise click.ClickException(
                f"{problem.object}: this locale has no bytes for it; set LC_ALL=C.UTF-8"
            ) from problem


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vostool")
def main() -> None:
    """Scribble on a few frames of a clip; get a mask of each object in every frame.

    The heavy stages run once a clip and are kept in a store; adapting to scribbles is a small
    linear system, solved again in milliseconds.

    \b
    Example:
      vostool extract bikes.mp4 --frames 187:242
      vostool propagate bikes
      vostool adapt bikes --scribbles round1.json --out bikes.h5
      vostool render --adapter bikes.h5 --out masks --overlay look.mp4

    Exit status: 0 all done, 1 an error, 2 wrong usage, 3 some clips of many failed.
    """


def run() -> None:
    """Run the command that the program was called with.

    Raises:
        SystemExit: always, with the exit status.
    """
    _print_any_name()
    main.main(prog_name="vostool")


def _print_any_name() -> None:
    """Let the output take any text, whatever the locale: names of files come out as they are.

    The locale C, which knows ASCII alone, gets UTF-8, as Python itself does it where it may. What
    another encoding lacks is written as Python writes it, ``\\xe9``.
    """

    def encoded(problem: UnicodeError) -> tuple[bytes, int]:
        assert isinstance(problem, UnicodeEncodeError)
        text = problem.object[problem.start : problem.end]
        parts = (
            bytes([ord(letter) - 0xDC00])
            if "\udc80" <= letter <= "\udcff"  # a byte of a name that is no text
            else letter.encode("ascii", "backslashreplace")
            for letter in text
        )
        return b"".join(parts), problem.end

    codecs.register_error("vostool", encoded)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            ascii_alone = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_alone else None, errors="vostool")
