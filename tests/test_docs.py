"""The documentation says what is so: commands, links, pictures, files that it names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import REPOSITORY
from vostool.cli import main

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"\bvostool ([a-z]+)(?: ([a-z0-9]+)\b)?([^\n|`]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and subcommand, by its words."""
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, sub), found) for sub, found in command.commands.items())


ALL_COMMANDS = dict(commands())


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 120


def test_the_command_reference_is_up_to_date() -> None:
    check = [sys.executable, "tools/command_reference.py", "--check"]
    done = subprocess.run(check, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or done.stdout


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(words: tuple[str, ...]) -> None:
    command = ALL_COMMANDS[words]
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help and len(param.help.split()) >= 3, f"{words} {param.name}"
    text = f"{command.help}{command.epilog or ''}"
    if words[0] not in ("weights", "train") and len(words) == 1:
        assert "Example" in text, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if not link.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_told_exist(page: Path) -> None:
    """In code alone: prose may say what vostool does."""
    text = page.read_text()
    code = re.findall(r"```(?:sh|bash|console)?\n(.*?)```", text, re.DOTALL)
    code += re.findall(r"`(vostool [^`]+)`", text)
    code += re.findall(r"^    (vostool .*)$", text, re.MULTILINE)
    for block in code:
        for first, second, rest in COMMAND.findall(block.replace("\\\n", " ")):
            if page.name == "CHANGELOG.md":
                continue
            assert (first,) in ALL_COMMANDS, f"vostool {first}"
            words = (first, second) if (first, second) in ALL_COMMANDS else (first,)
            if default := getattr(ALL_COMMANDS[words], "default", None):
                words = (first, default)  # which may be left out
            known = {o for param in ALL_COMMANDS[words].params for o in param.opts} | {"--help"}
            asked = rest.partition(" | ")[0]
            unknown = [option for option in OPTION.findall(asked) if option not in known]
            assert not unknown, f"vostool {' '.join(words)}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_that_are_told_exist(page: Path) -> None:
    for script in re.findall(r"python3? ((?:tools|examples|tests)/[\w/]+\.py)", page.read_text()):
        assert (REPOSITORY / script).exists(), script
