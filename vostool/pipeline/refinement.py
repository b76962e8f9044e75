"""From an adapter to refined masks: they travel from the annotated frames to their neighbours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from vostool.adapter import Adapter
from vostool.errors import AdapterError
from vostool.images import Frame
from vostool.mask_propagation import RGMP, Refiner, Subject
from vostool.masks import Mask
from vostool.pipeline.mask_stamp import mask_stamp
from vostool.pipeline.prediction import Fitted, source_clip, source_frames
from vostool.pipeline.progress import Progress, quiet
from vostool.store import FeatureReader

if TYPE_CHECKING:
    from vostool.mask_propagation.cache import SpanCache


def refine(
    model: Fitted,
    refiner: Refiner,
    open_cache: Callable[[str], SpanCache],
    *,
    progress: Progress = quiet,
) -> Iterator[tuple[int, Mask]]:
    """Refined masks of every frame, in order, made when the first is asked for.

    Args:
        model: whose masks, with the strokes that it was fitted to.
        refiner: by which masks travel.
        open_cache: opens what is kept of an earlier refinement, by a word that tells what it is of.
        progress: told of frames done.

    Raises:
        AdapterError: the adapter has no strokes, or was fitted on another clip.
        StoreError: features are damaged.
    """
    from vostool.mask_propagation.frame_propagator import build
    from vostool.mask_propagation.propagate import MaskPropagation
    from vostool.pipeline.runtime import find_device

    adapter, reader = model.adapter, model.reader
    check_strokes(adapter, reader)

    clip = cache(lambda: source_clip(reader))

    def frames(start: int, stop: int) -> list[Frame]:
        return list(islice(source_frames(clip(), reader, start), stop - start))

    subject = Subject(adapter, reader, frames, model.predictor.scores)
    weights = RGMP.find_weights(refiner.weights)
    propagator = build(weights, subject, find_device(refiner.device))
    of = _digest([reader.cache_key.digest, list(adapter.object_ids), refiner.identity])
    strokes = adapter.strokes_on(reader.cache_key.digest)
    propagation = MaskPropagation(
        propagator, strokes, reader.metadata.size, reader.frames, open_cache(of),
        source=_digest(mask_stamp([(adapter, reader.cache_key)])),
    )  # fmt: skip
    propagation.run(progress)
    reader.check_unchanged()
    yield from propagation.masks()


def _digest(what: object) -> str:
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=10).hexdigest()


def check_strokes(adapter: Adapter, reader: FeatureReader) -> None:
    """Make sure that there are annotated frames to begin at.

    Raises:
        AdapterError: there is none, or the adapter was fitted on another clip.
    """
    clip = reader.clip_name
    check_clip(adapter, clip)
    if not len(adapter.strokes_on(reader.cache_key.digest)):
        raise AdapterError(
            f"the adapter has no annotated frame of {clip}, so there is none to start from; "
            f"fit it to scribbles with: vostool adapt {clip} --scribbles FILE"
        )


def check_clip(adapter: Adapter, clip: str) -> None:
    """Make sure that an adapter's annotated frames are a clip's: told before its features are read.

    Raises:
        AdapterError: it was fitted on another clip.
    """
    if clip not in [learnt.name for learnt in adapter.clips]:
        raise AdapterError(
            f"the adapter was fitted on {adapter.names}, so {clip} has no annotated frame to "
            f"start from; fit one on it with: vostool adapt {clip}"
        )
