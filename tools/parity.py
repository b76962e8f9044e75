"""Whether two versions of vostool make the same masks, bit for bit.

    python tools/parity.py --before 048be56 --davis-root DAVIS --sequences blackswan,dog,parkour

Both versions run in worktrees of this repository with the libraries of the environment that runs
this, each from frames to masks: both presets, two rounds of scribbles (the sequence's first two
files), rendered after each. Prints a line for each set of masks, and
exits with 1 if a pixel differs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from vostool.images import read_mask

REPOSITORY = Path(__file__).resolve().parent.parent
PRESETS = ("default", "paper")
STEPS = ("render 1", "render 2")


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder of their own."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "vostool"
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def make_masks(code: Path, davis: Path, sequence: str, out: Path) -> None:
    """Run one version's commands on a sequence; masks go to ``OUT/PRESET/STEP``."""

    def vostool(*words: object) -> None:
        command = [sys.executable, "-m", "vostool", *map(str, words), "--store", str(out / "store")]
        environment = {**os.environ, "PYTHONPATH": str(code)}
        subprocess.run(command, env=environment, cwd=out, check=True, stdout=subprocess.DEVNULL)

    out.mkdir(parents=True)
    vostool("extract", "--davis-root", davis, sequence)
    vostool("propagate", sequence)
    scribbles = [davis / "Scribbles" / sequence / f"{number:03d}.json" for number in (1, 2)]
    for preset in PRESETS:
        first, second = (out / f"{preset}-{number}.h5" for number in (1, 2))
        chosen = ("--preset", preset)
        vostool("adapt", sequence, "--scribbles", scribbles[0], "--out", first, *chosen)
        vostool(
            *("adapt", sequence, "--scribbles", scribbles[1], "--from", first),
            *("--out", second, *chosen),
        )
        for step, adapter in zip(STEPS, (first, second), strict=True):
            masks = out / preset / step
            vostool(step.split()[0], sequence, "--adapter", adapter, "--out", masks)


def differing(one: Path, other: Path) -> tuple[int, int]:
    """How many masks there are, and how many pixels differ; a mask that one lacks differs whole."""
    names = sorted({file.name for folder in (one, other) for file in folder.glob("*.png")})
    pixels = 0
    for name in names:
        ours, theirs = (read_mask(folder / name) for folder in (one, other))
        pixels += int((ours != theirs).sum()) if ours.shape == theirs.shape else ours.size
    return len(names), pixels


@click.command()
@click.option("--before", required=True, help="The commit to compare with.")
@click.option("--after", default="HEAD", show_default=True, help="The commit that is compared.")
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--sequences", required=True, metavar="A,B,...")
def main(before: str, after: str, davis_root: Path, sequences: str) -> None:
    """Make the masks twice and compare them."""
    different = 0
    with ExitStack() as stack:
        versions = [stack.enter_context(worktree(commit)) for commit in (before, after)]
        out = Path(stack.enter_context(TemporaryDirectory()))
        for sequence in sequences.split(","):
            for number, code in enumerate(versions):
                make_masks(code, davis_root.resolve(), sequence, out / str(number) / sequence)
            for preset in PRESETS:
                for step in STEPS:
                    folders = [out / str(n) / sequence / preset / step for n in (0, 1)]
                    masks, pixels = differing(folders[0], folders[1])
                    different += pixels + (masks == 0)
                    click.echo(f"{sequence} {preset} {step}: {masks} masks, {pixels} pixels differ")
    sys.exit(int(different > 0))


if __name__ == "__main__":
    main()
