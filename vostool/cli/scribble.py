"""``vostool scribble``."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vostool.cli import completion
from vostool.cli.common import (
    StoreFolder,
    device_option,
    features_option,
    fitted_backbone_option,
    frames_option,
    height_option,
    model_option,
    name_option,
    one_blas_thread,
    preset_option,
    random_weights_option,
    reading_options,
    seed_option,
    store_option,
    weights_option,
)
from vostool.reading import Reading

if TYPE_CHECKING:
    from vostool.clips import Clip
    from vostool.opening import OpenClip
    from vostool.pipeline.preparation import Bar
    from vostool.pipeline.progress import Say
    from vostool.session import Session

EPILOG = """\b
Examples:
  vostool scribble bikes.mp4 --frames 187:242
  vostool scribble bikes --adapter bikes.h5 --port 8123 --no-browser
  ssh -L 8123:localhost:8123 cluster vostool scribble bikes --port 8123
"""


@click.command("scribble", epilog=EPILOG)
@click.argument("clip", shell_complete=completion.clips)
@click.option(
    "--session",
    "session_folder",
    type=StoreFolder(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where all that is drawn is kept, and outputs are saved.  "
    "[default: NAME.scribbles, beside the store]",
)
@click.option(
    "--adapter",
    "adapter_file",
    type=click.Path(path_type=Path),
    metavar="FILE.h5",
    help="Go on from what vostool adapt wrote. The session keeps a copy.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen on another address of this machine; who can reach it and knows the URL can draw.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Listen on this port.  [default: the session's last one, or any that is free]",
)
@click.option("--no-browser", is_flag=True, help="Print the URL alone.")
@name_option
@frames_option
@reading_options
@height_option
@store_option
@fitted_backbone_option
@weights_option
@random_weights_option
@features_option
@model_option
@device_option
@preset_option
@seed_option
def command(
    clip: str,
    session_folder: Path | None,
    adapter_file: Path | None,
    host: str,
    port: int | None,
    no_browser: bool,
    name: str | None,
    frames: tuple[int, int | None],
    store_root: Path | str,
    device: str,
    reading: Reading,
    **_: object,
) -> None:
    """Draw on a clip in a browser, and see its masks as you draw.

    CLIP is a folder of frames or a video file, whose features are made first, or a clip's name in
    the store. Every stroke is on the disk before its mask is shown: stop and start again at will.
    """
    one_blas_thread()
    try:
        from vostool.page.server import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").startswith("vostool"):
            raise
        raise click.ClickException(
            f"the page needs {problem.name}; install it with: pip install 'vostool[page]'"
        ) from problem
    import vostool
    from vostool.backbones import DEFAULT
    from vostool.cli.mends import one_line
    from vostool.page.settings import settle

    if session_folder is None and isinstance(store_root, str):
        raise click.UsageError(
            f"beside {store_root} no strokes can be kept; name a folder of this machine's disk "
            "with --session"
        )
    opened = vostool.open(clip, store=store_root, name=name, frames=frames, reading=reading)
    folder = session_folder or Path(store_root).parent / f"{opened.name}.scribbles"
    settings = settle(folder, _asked(click.get_current_context().params))
    source = _frames_of(opened, settings.get("backbone", DEFAULT))

    def open_session(adapter: Path | None, bar: Bar, say: Say) -> Session:
        return opened.session(adapter=adapter, device=device, bar=bar, say=say, **settings)

    def begun(url: str) -> None:
        click.echo(url)
        if not no_browser and _has_browser():
            webbrowser.open(url)

    serve(
        source,
        opened.name,
        open_session,
        folder,
        settings=settings,
        adapter=adapter_file,
        host=host,
        port=port,
        begun=begun,
        one_line=one_line,
    )


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options by which masks are made, as far as they are not left to their defaults."""
    from vostool.pipeline.context import RNN
    from vostool.pipeline.extraction import NETWORK_HEIGHT

    defaults = {
        "preset": None, "features": None, "backbone": None, "weights": None,
        "model": RNN, "network_height": NETWORK_HEIGHT, "seed": None,
    }  # fmt: skip
    return {key: given[key] for key, value in defaults.items() if given[key] != value}


def _frames_of(opened: OpenClip, backbone: str) -> Clip:
    """The clip's frames: as given, or those that its stored features were made of."""
    if opened.source is not None:
        return opened.source
    from vostool.pipeline.prediction import source_clip

    return source_clip(opened.stored.features(backbone, "backbone"))


def _has_browser() -> bool:
    """Whether a browser would open where the person sits."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
