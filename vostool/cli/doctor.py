"""``vostool doctor``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from vostool.cli.common import json_option, print_rows, store_option


@click.command("doctor", epilog="Example: vostool doctor --json > report.jsonl")
@store_option
@json_option
def command(store_root: Path | str, as_json: bool) -> None:
    """Say whether all is well on this machine, and what a bug report needs.

    Versions, processor, free disk, whether locks and flushing work where the store is, what is
    stored, and whether each network gives the right answers on each device. Status 1 says that
    something is not well.
    """
    from vostool.doctor import examine

    well = True
    for finding in examine(store_root):
        well &= finding.well
        if as_json:
            print_rows([asdict(finding)])
        else:
            click.echo(f"{'ok ' if finding.well else 'BAD'} {finding.about}: {finding.told}")
    if not well:
        sys.exit(1)
