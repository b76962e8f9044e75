"""``vostool store``: ls, verify, rm."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import click

from vostool.cli.common import expand, json_option, report, say, store_option
from vostool.errors import StoreError


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
def list_clips(store_root: Path, as_json: bool) -> None:
    """List clips, their stages, frames and bytes."""
    from vostool.store import STAGES, FeatureStore

    store = FeatureStore(store_root)
    rows: list[dict[str, Any]] = []
    for name in store.names():
        for network in store.networks(name):
            seen = FeatureStore(store_root, network)
            for stage_name in STAGES:
                if stage := seen.find(name, stage_name):
                    rows.append(
                        {
                            "clip": name,
                            "network": network,
                            "stage": stage_name,
                            "frames": stage.frames,
                            "size": list(stage.facts.size),
                            "bytes": stage.bytes,
                            "stamp": stage.stamp.as_dict(),
                        }
                    )
            rows += [
                {"clip": name, "network": network, "stage": stage_name, "unfinished": True}
                for stage_name in seen.unfinished(name)
            ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        say(f"{store_root}: no clips yet; begin with: vostool extract CLIP")
        return
    _print_table(rows)


@command.command("verify", epilog="Example: vostool store verify bikes")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@store_option
@json_option
def verify(names: tuple[str, ...], store_root: Path, as_json: bool) -> None:
    """Read every chunk against its checksum; name those that are damaged and exit with 1."""
    from vostool.store import STAGES, FeatureStore
    from vostool.store.layout import clip_folder

    store = FeatureStore(store_root)
    damaged = False
    for name in expand(names) or store.names():
        folder = clip_folder(store_root, name)
        if not folder.exists() and name not in store.names():
            raise StoreError(f"{name}: not in {store_root}; see: vostool store ls")
        for network, stage_name in product(store.networks(name), STAGES):
            if not (folder / network / stage_name).exists():
                continue
            try:
                stage = FeatureStore(store_root, network).stage(name, stage_name)
                problems = [str(file) for file, _ in stage.broken_chunks()]
            except StoreError as problem:
                problems = [str(problem)]
            for what in problems:
                say(f"damaged: {what}")
            damaged |= bool(problems)
            state = "damaged" if problems else "whole"
            result = {
                "clip": name, "network": network, "stage": stage_name, "state": state,
                "damaged": problems,
            }  # fmt: skip
            report(result, as_json, f"{name} {network} {stage_name} {state}")
    if damaged:
        say("Mend with: vostool store rm NAME --stage STAGE, then the command that makes it")
        sys.exit(1)


@command.command("rm", epilog="Example: vostool store rm bikes --stage context")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--backbone", metavar="NAME", help="What this network made alone.")
@click.option("--stage", type=click.Choice(["backbone", "context"]), help="This stage alone.")
@store_option
def remove(
    names: tuple[str, ...], backbone: str | None, stage: str | None, store_root: Path
) -> None:
    """Remove clips, finished or not."""
    from vostool.store import FeatureStore

    store = FeatureStore(store_root)
    for name in expand(names):
        store.remove(name, backbone, stage)
        click.echo(name)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("clip", "network", "stage", "frames", "size", "MB")
    for row in rows:
        if row.get("unfinished"):
            table.add_row(row["clip"], row["network"], row["stage"], "unfinished", "", "")
        else:
            height, width = row["size"]
            table.add_row(
                row["clip"],
                row["network"],
                row["stage"],
                str(row["frames"]),
                f"{width}x{height}",
                f"{row['bytes'] / 1e6:.0f}",
            )
    Console().print(table)
