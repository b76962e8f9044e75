"""Writes ``docs/commands.md``: what every command and subcommand says of itself.

    python tools/command_reference.py            rewrites it
    python tools/command_reference.py --check    exits with 1 if it is out of date

The help is that of the commands as they are installed, laid out for a terminal of 100 columns,
whatever the terminal and the environment at hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from vostool.cli import main as vostool

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
WIDTH = 100
HEAD = """\
# Commands

<!-- Made by tools/command_reference.py of the commands' own help: change that, and run it. -->

What `--help` prints of each. Results go to standard output and all else to standard error;
[Formats](formats.md#what-commands-print) has the JSON lines and the exit status.
"""


def help_texts(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The path of a command and its help, then those of the commands below it."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from help_texts(below, click.Context(below, parent=context, info_name=name))


def reference() -> str:
    """The whole page."""
    root = click.Context(
        vostool, info_name="vostool", terminal_width=WIDTH, **vostool.context_settings
    )
    parts = [HEAD]
    for path, text in help_texts(vostool, root):
        level = "#" * min(3, 1 + len(path.split()))
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        parts.append(f"{level} {path}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the page is not so.")
def main(check: bool) -> None:
    """Write the command reference."""
    page = reference()
    if not check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        click.echo("docs/commands.md is out of date; run: python tools/command_reference.py")
        sys.exit(1)


if __name__ == "__main__":
    main()
