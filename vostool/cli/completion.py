"""What the shell completes: clips in the store, and networks."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def clips(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of clips in the store."""
    import os

    from vostool.errors import VostoolError
    from vostool.opening import DEFAULT_STORE, STORE_VARIABLE
    from vostool.store import FeatureStore

    root = ctx.params.get("store_root") or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    try:
        return _items(FeatureStore(root).names(), incomplete)
    except VostoolError:  # a bucket that cannot be reached: this is no place to say so
        return []


def backbones(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of backbones."""
    from vostool.backbones import BACKBONES

    return _items(BACKBONES, incomplete)


def networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks whose weights are public."""
    from vostool.backbones import BACKBONES
    from vostool.mask_propagation import RGMP

    return _items([*BACKBONES, RGMP.name], incomplete)


def shipped_weights(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of shipped RNNs; files are completed too."""
    from vostool.weights import shipped

    names = [name for name in shipped() if name.startswith("rnn")]
    return [*_items(names, incomplete), CompletionItem(incomplete, type="file")]


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
