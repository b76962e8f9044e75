"""One classifier of objects in many clips: strokes on some of them, masks of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vostool.adapter import Adapter, Lesson, fit
from vostool.errors import UsageError
from vostool.masks import Mask
from vostool.opening import OpenClip, open
from vostool.pipeline.suggestion import Suggestion, best_of
from vostool.presets import Preset
from vostool.scribbles import AnyScribbles
from vostool.session import Session
from vostool.store import FeatureStore

AnyClip = OpenClip | str | Path
"""A clip: opened, or by its name in the store or its file, as :func:`vostool.open` takes it."""


def adapt(
    rounds: Iterable[tuple[AnyClip, AnyScribbles]],
    *,
    store: str | Path | FeatureStore | None = None,
    adapter: Adapter | str | Path | None = None,
    preset: str | Preset | None = None,
    features: str | None = None,
    backbone: str | None = None,
    seed: int | None = None,
    device: str = "auto",
    previous_masks: Mapping[int, Mask] | None = None,
    any_clip: bool = False,
) -> Adapter:
    """Fit one classifier to strokes on several clips, as ``vostool adapt`` does.

    The sums of Eq. 3 add up, so it is the fit on the union of all samples, whatever their order. A
    round corrects what its clip's earlier rounds and the adapter one goes on from have shown there;
    rounds on other clips that are given with it nobody has seen yet. Object ids mean the same in
    all clips.

    Args:
        rounds: a clip and its strokes, each; a clip that comes again has a further round.
        store: the feature store of clips that are not opened, as of :func:`vostool.open`.
        adapter: what to go on from: an adapter, or its file.
        preset: ``default`` or ``paper``, or one of your own; an adapter has its own.
        features: what the classifier reads; by default the preset's choice.
        backbone: the network.
        seed: of the random choice of background.
        device: where networks run.
        previous_masks: of the first round's frames, by frame: the masks that it corrects, where
            they are not the adapter's alone.
        any_clip: take scribbles that say they were drawn on another sequence.

    Raises:
        UsageError: there is no round, or what is asked for contradicts the adapter.
        ScribbleError: strokes are broken, or not their clip's.
        AdapterError: the clips' features are of several networks, or there is nothing to tell
            apart.
        StoreError: features are missing or damaged.
    """
    base = Adapter.read(adapter) if isinstance(adapter, (str, Path)) else adapter
    by_clip: dict[str, tuple[OpenClip, list[AnyScribbles]]] = {}
    for given, scribbles in rounds:
        clip = given if isinstance(given, OpenClip) else open(given, store=store)
        by_clip.setdefault(clip.name, (clip, []))[1].append(scribbles)
    if not by_clip:
        raise UsageError("no strokes; give a clip and its scribbles")

    def begin(clip: OpenClip) -> Session:
        return clip.session(
            preset, adapter=base, features=features, backbone=backbone, seed=seed, device=device
        )

    return fit(_lessons(by_clip.values(), begin, previous_masks, any_clip), base)


def _lessons(
    by_clip: Iterable[tuple[OpenClip, list[AnyScribbles]]],
    begin: Callable[[OpenClip], Session],
    previous_masks: Mapping[int, Mask] | None,
    any_clip: bool,
) -> Iterator[Lesson]:
    """What each round teaches, clip by clip, as it is learnt."""
    for clip, rounds in by_clip:
        session = begin(clip)
        for left, scribbles in enumerate(rounds, 1 - len(rounds)):
            lessons = session.learn(scribbles, previous_masks=previous_masks, any_clip=any_clip)
            previous_masks = None  # they were the first round's
            yield from lessons
            if left:  # what the next one corrects
                session.take(lessons)


def suggest(
    adapter: Adapter | str | Path,
    clips: Sequence[AnyClip],
    count: int = 3,
    *,
    store: str | Path | FeatureStore | None = None,
    device: str = "auto",
) -> list[Suggestion]:
    """Which clip and frame to draw on next, the best first, as ``vostool suggest`` does.

    Args:
        adapter: what was learnt so far, or its file.
        clips: to choose from, with features of the same networks.
        count: how many frames, at most.
        store: the feature store of clips that are not opened, as of :func:`vostool.open`.
        device: where networks run.

    Raises:
        AdapterError: it cannot read a clip's features.
        StoreError: features are missing or damaged.
    """
    learnt = Adapter.read(adapter) if isinstance(adapter, (str, Path)) else adapter
    found: list[Suggestion] = []
    for given in clips:
        clip = given if isinstance(given, OpenClip) else open(given, store=store)
        session = Session.resume(clip.stored.store, [learnt], clip=clip.name, device=device)
        found += session.suggest(count, clips=len(clips))
    return best_of(found, count)
