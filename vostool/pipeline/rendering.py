"""Masks as files, and as a video to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vostool.adapter import Adapter
from vostool.clips import Frame
from vostool.errors import AdapterError, ClipError
from vostool.masks import mask_file, overlay, overlay_video, write_mask
from vostool.pipeline.masking import (
    check_belongs,
    check_go_together,
    predict,
    predict_together,
    source_of,
)
from vostool.pipeline.refining import Refiner, refined
from vostool.pipeline.telling import Progress, quiet
from vostool.refine.kept import InFolder
from vostool.store import FeatureStore, Readable, unwritable

KEPT = ".refined"
"""The folder, among the masks, for what is kept of their refinement."""


def render(
    adapters: Adapter | Sequence[Adapter],
    store: FeatureStore,
    out: Path,
    *,
    name: str | None = None,
    overlay_file: Path | None = None,
    refiner: Refiner | None = None,
    device: str = "auto",
    progress: Progress = quiet,
) -> int:
    """Write the mask of every frame as ``OUT/%05d.png``, and an overlay video if asked for.

    Masks are made aside and put in place together when all are whole.

    Args:
        adapters: the classifier, or some whose scores are averaged.
        store: the features; each adapter reads those of its own network.
        out: the folder for the masks, made if need be.
        name: the clip; by default the one that the adapter was fitted on.
        overlay_file: an MP4 to look at.
        refiner: by which masks travel from the annotated frames, if they do. What is on the way is
            kept in ``OUT/.refined``: a stopped run goes on, and the next adapter's does not repeat
            what no edit has touched.
        device: where the decoder runs, if the adapter's preset has it.
        progress: told of frames done.

    Returns:
        How many frames were written.

    Raises:
        AdapterError: the adapter belongs to other features, or masks are to travel and there is
            no annotated frame.
        ClipError: an overlay was asked for and the clip's frames are gone.
    """
    adapters = [adapters] if isinstance(adapters, Adapter) else adapters
    if refiner is not None:
        if len(adapters) > 1:
            raise AdapterError(
                "masks travel by one model's scores; give one --adapter, or leave refinement out"
            )
        check_same_clip(adapters[0], name)
    fitted = []
    for adapter in adapters:
        made_from = adapter.provenance
        its_store = replace(store, network=made_from.network)
        fitted.append((adapter, its_store.features(name or made_from.clip, made_from.stage)))
        check_belongs(*fitted[-1])
    stage = fitted[0][1]
    made = progress
    if refiner is not None:
        masks = refined(
            adapters[0], store, refiner, partial(InFolder, out / KEPT), progress=progress
        )
        made = quiet  # they are slower to make than to write
    elif len(fitted) == 1:
        masks = predict(*fitted[0], device=device)
    else:
        check_go_together(fitted)
        masks = predict_together(fitted, device=device)
    frames = None if overlay_file is None else source_of(stage).frames()
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    aside = there / f".masks.{os.getpid()}"  # on the disk of the masks, whatever is mounted
    try:
        aside.mkdir()
        with ThreadPoolExecutor(os.cpu_count()) as pool, _maybe_video(overlay_file, stage) as show:
            written = []
            for number, mask in masks:
                written.append(pool.submit(write_mask, mask_file(aside, number), mask))
                if frames is not None:
                    show(overlay(_next_frame(frames, stage), mask))
                made(number + 1, stage.frames)
            for one in written:
                one.result()
        out.mkdir(parents=True, exist_ok=True)
        for file in sorted(aside.iterdir()):
            os.replace(file, out / file.name)
    except OSError as problem:
        raise unwritable(out, problem) from problem
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return stage.frames


def check_same_clip(adapter: Adapter, name: str | None) -> None:
    """Make sure that the annotated frames are those of the clip whose masks travel.

    Raises:
        AdapterError: the adapter was fitted on another clip.
    """
    fitted_on = adapter.provenance.clip
    if name not in (None, fitted_on):
        raise AdapterError(
            f"the adapter was fitted on {fitted_on}, so {name} has no annotated frame to start "
            f"from; fit one on it with: vostool adapt {name}"
        )


def _next_frame(frames: Iterator[Frame], stage: Readable) -> Frame:
    frame = next(frames, None)
    if frame is None or frame.shape[:2] != stage.facts.size:
        raise ClipError(
            f"{stage.facts.source}: has other frames than when its features were made; for an "
            "overlay, run vostool extract on it again"
        )
    return frame


@contextmanager
def _maybe_video(file: Path | None, stage: Readable) -> Iterator[Callable[[Frame], None]]:
    if file is None:
        yield quiet
        return
    with overlay_video(file, stage.facts.size, stage.facts.fps) as writer:

        def show(frame: Frame) -> None:
            writer.write(np.ascontiguousarray(frame[..., ::-1]))

        yield show
