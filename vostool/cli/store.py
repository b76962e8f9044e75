"""``vostool store``: ls, verify, rm."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vostool.cli import completion
from vostool.cli.common import (
    expand,
    json_option,
    print_rows,
    print_table,
    report,
    store_option,
)
from vostool.pipeline.progress import say

if TYPE_CHECKING:
    from vostool.store import StoredClip


@click.group("store")
def command() -> None:
    """List, verify and remove what is stored.

    \b
    Examples:
      vostool store ls
      vostool store verify
      vostool store rm bikes --stage context
    """


@command.command("ls", epilog="Example: vostool store ls --json | jq .bytes")
@store_option
@json_option
def list_clips(store_root: Path | str, as_json: bool) -> None:
    """List clips, their stages, frames and bytes."""
    from vostool.store import FeatureStore

    store = FeatureStore(store_root)
    rows = [row for name in store.names() for row in _stages(store.clip(name))]
    if as_json:
        print_rows(rows)
    elif not rows:
        say(f"{store_root}: no clips yet; begin with: vostool extract CLIP")
    else:
        print_table(
            ["clip", "network", "stage", "frames", "size", "MB"], [_cells(row) for row in rows]
        )


@command.command("verify", epilog="Example: vostool store verify bikes")
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=completion.clips)
@store_option
@json_option
def verify(names: tuple[str, ...], store_root: Path | str, as_json: bool) -> None:
    """Read every chunk against its checksum; name those that are damaged and exit with 1.

    Those that cannot be read, for permissions or a failing disk, are told apart from them.
    """
    from vostool.errors import StoreError, UnknownClipError
    from vostool.store import STAGES, FeatureStore

    store = FeatureStore(store_root)
    if not store.exists():
        raise StoreError(f"{store_root}: no such store; name it with --store")
    damaged = unreadable = False
    for name in expand(names) or store.names():
        clip = store.clip(name)
        if name not in store.names():
            raise UnknownClipError(f"{name}: not in {store_root}")
        for network in _networks(clip):
            for stage_name in STAGES:
                if not clip.has(network, stage_name):
                    continue
                problems, closed = _problems(clip, network, stage_name)
                for what in problems:
                    say(f"damaged: {what}")
                for what in closed:
                    say(f"cannot be read: {what}")
                damaged |= bool(problems)
                unreadable |= bool(closed)
                state = "damaged" if problems else "unreadable" if closed else "whole"
                result = {
                    "clip": name, "network": network, "stage": stage_name, "state": state,
                    "damaged": problems, "unreadable": closed,
                }  # fmt: skip
                report(result, as_json, f"{name} {network} {stage_name} {state}")
    if damaged:
        say("Mend with: vostool store rm NAME --stage STAGE, then the command that makes it")
    if unreadable:
        say("What cannot be read may be whole: make it readable, then verify again")
    if damaged or unreadable:
        sys.exit(1)


@command.command("rm", epilog="Example: vostool store rm bikes --stage context")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=completion.clips
)
@click.option(
    "--backbone",
    metavar="NAME",
    shell_complete=completion.backbones,
    help="Only what was made with this network.",
)
@click.option(
    "--stage",
    type=click.Choice(["backbone", "context"]),
    help="Only this stage, of --backbone or else of the default network.",
)
@store_option
@json_option
def remove(
    names: tuple[str, ...],
    backbone: str | None,
    stage: str | None,
    store_root: Path | str,
    as_json: bool,
) -> None:
    """Remove clips, finished or not."""
    from vostool.backbones import DEFAULT
    from vostool.store import FeatureStore

    if stage is not None and backbone is None:
        backbone = DEFAULT
    store = FeatureStore(store_root)
    for name in expand(names):
        waiting = partial(say, f"{name}: another run writes it; waiting")
        store.clip(name).remove(backbone, stage, on_wait=waiting)
        report({"clip": name, "network": backbone, "stage": stage}, as_json, name)


def _problems(clip: StoredClip, network: str, stage: str) -> tuple[list[str], list[str]]:
    """What of a stage is damaged, and what cannot be read, with the reason."""
    from vostool.errors import StoreError, UnreadableStageError
    from vostool.files import reason
    from vostool.store.manifest import MismatchError

    damaged, unreadable = [], []
    try:
        for file, problem in clip.stage(network, stage).broken_files():
            if isinstance(problem, MismatchError):
                damaged.append(file)
            else:
                unreadable.append(f"{file} ({reason(problem)})")
    except UnreadableStageError as problem:
        cause = problem.__cause__
        assert isinstance(cause, OSError)
        unreadable.append(f"{cause.filename or clip.name} ({reason(cause)})")
    except StoreError as problem:
        damaged.append(str(problem))
    return damaged, unreadable


def _networks(clip: StoredClip) -> list[str]:
    """The default network before the others."""
    from vostool.backbones import DEFAULT

    return sorted(clip.networks(), key=lambda network: (network != DEFAULT, network))


def _stages(clip: StoredClip) -> list[dict[str, Any]]:
    from vostool.errors import UnreadableStageError
    from vostool.store import STAGES

    rows: list[dict[str, Any]] = []
    for network in _networks(clip):
        for stage_name in STAGES:
            try:
                stage = clip.find(network, stage_name)
            except UnreadableStageError as problem:
                say(str(problem))
                continue
            if stage:
                rows.append(
                    {
                        "clip": clip.name,
                        "network": network,
                        "stage": stage_name,
                        "frames": stage.frames,
                        "size": list(stage.metadata.size),
                        "bytes": stage.bytes,
                        "stamp": stage.cache_key.as_dict(),
                    }
                )
        rows += [
            {"clip": clip.name, "network": network, "stage": stage_name, "unfinished": True}
            for stage_name in clip.unfinished(network)
        ]
    return rows


def _cells(row: dict[str, Any]) -> list[str]:
    cells = [row["clip"], row["network"], row["stage"]]
    if row.get("unfinished"):
        return [*cells, "unfinished", "", ""]
    height, width = row["size"]
    return [*cells, str(row["frames"]), f"{width}x{height}", f"{row['bytes'] / 1e6:.0f}"]
