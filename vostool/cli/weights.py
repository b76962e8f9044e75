"""``vostool weights``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from vostool.cli.common import backbone_option, json_option, print_table, report, say

EPILOG = """\b
Examples:
  vostool weights
  vostool weights --check deeplabv1_resnet101-coco.pth --backbone deeplabv2-resnet101
  vostool weights --check weights.pth --backbone rgmp-resnet50
"""


@click.command("weights", epilog=EPILOG)
@click.option("--check", metavar="FILE", help="Account for every tensor of a file instead.")
@backbone_option
@json_option
def command(check: str | None, backbone: str, as_json: bool) -> None:
    """List the networks, where their weights are looked for, and where to get them.

    Weights are looked for in $VOSTOOL_WEIGHTS, then in vostool's folder in the user's cache
    directory, as NAME.safetensors, NAME.pth, NAME.pt or NAME.ckpt.index with its data. With
    --check, every tensor of a file that does not fit --backbone goes to standard output, and
    status 1 says that there are some.
    """
    if check is not None:
        _check(check, backbone, as_json)
        return
    from vostool.backbones import (
        NETWORKS,
        find_backbone_weights,
        find_public_weights,
        weights_folders,
    )
    from vostool.errors import WeightsError
    from vostool.refine import RGMP

    rows: list[dict[str, Any]] = []
    for network in (*NETWORKS.values(), RGMP):
        try:
            found = (
                find_public_weights(RGMP)
                if network is RGMP
                else find_backbone_weights(network.name)
            )
            file = str(found)
        except WeightsError:
            file = None
        rows.append(
            {
                "network": network.name,
                "reads": network.reads,
                "licence": network.licence,
                "source": network.source,
                "file": file,
            }
        )
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    print_table(
        ["network", "weights", "reads", "licence"],
        [[r["network"], r["file"] or "missing", r["reads"], r["licence"]] for r in rows],
    )
    say(f"Looked for in: {', '.join(str(folder) for folder in weights_folders())}")
    for row in rows:
        if row["file"] is None:
            say(f"Get {row['network']} from {row['source']}")


def _check(file: str, backbone: str, as_json: bool) -> None:
    """Print what does not fit, or that all does."""
    from vostool.backbones import file_fingerprint, find_network, find_public_weights
    from vostool.backbones.state import account_for, read_tensors
    from vostool.refine import RGMP

    network = RGMP if backbone == RGMP.name else find_network(backbone)
    found = find_public_weights(network, file)
    assert found is not None
    loadable = network.loadable
    account = account_for(loadable.build(), read_tensors(found), loadable.rename)
    result = {
        "file": str(found),
        "network": backbone,
        "sha256": file_fingerprint(found),
        "fitting": len(account.fitting),
        "missing": account.missing,
        "unknown": account.unknown,
        "misshapen": account.misshapen,
        "left_out": account.left_out,
    }
    state = "whole" if account.whole else "not its weights"
    line = f"{found}: {backbone}, {state}: {len(account.fitting)} tensors fit, "
    line += f"{len(account.left_out)} of its classes and its trainer are left out"
    if not as_json:
        for what in ("missing", "unknown", "misshapen"):
            for name in getattr(account, what):
                click.echo(f"{what} {name}")
    report(result, as_json, line)
    if not account.whole:
        sys.exit(1)
