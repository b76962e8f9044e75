"""``vostool weights``: ls, check."""

from __future__ import annotations

import sys
from typing import Any

import click

from vostool.cli import completion
from vostool.cli.common import json_option, print_rows, print_table, report
from vostool.pipeline.progress import say


@click.group("weights")
def command() -> None:
    """List the networks and their weights, and check files of weights.

    \b
    Examples:
      vostool weights ls
      vostool weights check deeplabv1_resnet101-coco.pth --network deeplabv2-resnet101
      vostool weights check weights.pth --network rgmp-resnet50
    """


@command.command("ls", epilog="Example: vostool weights ls --json | jq .file")
@json_option
def list_networks(as_json: bool) -> None:
    """List the networks, where their weights are looked for, and where to get them.

    Weights are looked for in $VOSTOOL_WEIGHTS, then in vostool's folder in the user's cache
    directory, as NAME.safetensors, NAME.pth, NAME.pt or NAME.ckpt.index with its data.
    """
    from vostool.backbones import BACKBONES, weights_folders
    from vostool.errors import WeightsError
    from vostool.mask_propagation import RGMP

    rows: list[dict[str, Any]] = []
    for network in (*BACKBONES.values(), RGMP):
        try:
            file = str(network.find_weights())
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
        print_rows(rows)
        return
    print_table(
        ["network", "weights", "reads", "licence"],
        [[r["network"], r["file"] or "missing", r["reads"], r["licence"]] for r in rows],
    )
    say(f"Looked for in: {', '.join(str(folder) for folder in weights_folders())}")
    for row in rows:
        if row["file"] is None:
            say(f"Get {row['network']} from {row['source']}")


@command.command(
    "check",
    epilog="Example: vostool weights check resnet.pth --network deeplabv2-resnet101",
)
@click.argument("file")
@click.option(
    "--network",
    "network_name",
    default="efficientnet-lite0",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.networks,
    help="The network whose weights the file should be; vostool weights ls lists them.",
)
@json_option
def check(file: str, network_name: str, as_json: bool) -> None:
    """Account for every tensor of FILE: each that does not fit the network is named.

    Status 1 says that there are some.
    """
    from vostool.backbones import BACKBONES
    from vostool.backbones.network import find_file
    from vostool.checkpoints import fingerprint, match_state_dict, read_tensors
    from vostool.mask_propagation import RGMP

    networks = {**BACKBONES, RGMP.name: RGMP}
    if network_name not in networks:
        raise click.UsageError(f"no network {network_name!r}; there are: {', '.join(networks)}")
    found, loadable = find_file(file), networks[network_name].loadable
    fit = match_state_dict(loadable.build(), loadable.arrange(read_tensors(found)), loadable.rename)
    result = {
        "file": str(found),
        "network": network_name,
        "sha256": fingerprint(found),
        "fitting": len(fit.fitting),
        "missing": fit.missing,
        "unknown": fit.unknown,
        "misshapen": fit.misshapen,
        "left_out": fit.left_out,
    }
    state = "whole" if fit.whole else "not its weights"
    line = f"{found}: {network_name}, {state}: {len(fit.fitting)} tensors fit, "
    line += f"{len(fit.left_out)} of its classes and its trainer are left out"
    if not as_json:
        for what in ("missing", "unknown", "misshapen"):
            for name in getattr(fit, what):
                click.echo(f"{what} {name}")
    report(result, as_json, line)
    if not fit.whole:
        sys.exit(1)
