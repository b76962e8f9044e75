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
    from vostool.backbones import NETWORKS, find_backbone_weights, weights_folders
    from vostool.errors import WeightsError

    rows: list[dict[str, Any]] = []
    for name, network in NETWORKS.items():
        try:
            file = str(find_backbone_weights(name))
        except WeightsError:
            file = None
        rows.append(
            {
                "network": name,
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
    from vostool.backbones import find_backbone_weights, find_network, weights_fingerprint
    from vostool.backbones.state import account_for, read_tensors

    found = find_backbone_weights(backbone, file)
    assert found is not None
    architecture = find_network(backbone).architecture
    account = account_for(architecture.build(), read_tensors(found), architecture.rename)
    result = {
        "file": str(found),
        "network": backbone,
        "sha256": weights_fingerprint(backbone, file),
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
