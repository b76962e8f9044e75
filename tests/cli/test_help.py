"""Every command explains itself, with an example, and help comes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import REPOSITORY
from vostool.cli import main


def commands(group: click.Group, path: str = "vostool") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


ALL = dict(commands(main))


@pytest.mark.parametrize("path", ALL)
def test_each_has_help_and_an_example(path: str) -> None:
    command = ALL[path]
    text = command.get_help(click.Context(command, info_name=path))
    assert command.help and "Example" in text and f"{path} " in text
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"


@pytest.mark.parametrize("path", ALL)
def test_each_is_in_the_readme(path: str) -> None:
    assert f"`{path}" in (REPOSITORY / "README.md").read_text()


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['vostool', '--help']\n"
        "from vostool.cli import main\n"
        "main(standalone_mode=False)\n"
        "print({'torch', 'zarr', 'numpy', 'cv2', 'rich', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_the_pipeline_imports_no_torch() -> None:
    program = (
        "import sys, vostool.pipeline, vostool.adapter, vostool.store\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_on_a_cpu_no_torch_is_loaded(
    square_clip: Path, square_scribbles: Path, tmp_path: Path
) -> None:
    """Not by what makes features, by a first round, nor by what makes masks, for the next round and
    for all frames."""
    strokes = ("--scribbles", str(square_scribbles), "--device", "cpu")
    for words in (
        ("extract", str(square_clip), "--device", "cpu"),
        ("adapt", "square", *strokes, "--out", "1.h5"),
        ("adapt", "--from", "1.h5", *strokes, "--out", "2.h5"),
        ("render", "--adapter", "2.h5", "--out", "masks", "--device", "cpu"),
    ):
        program = [sys.executable, "-X", "importtime", "-m", "vostool", *words]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-500:]
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "numpy" in loaded and "torch" not in loaded, words
    assert len(list((tmp_path / "masks").glob("*.png"))) == 12
