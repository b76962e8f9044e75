"""Lessons of any clips, added up and solved: a fit over clips is the fit on their union."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vostool.adapter.file import Adapter
from vostool.adapter.lessons import Lesson
from vostool.adapter.ridge import solve
from vostool.errors import AdapterError
from vostool.version import __version__


def fit(lessons: Iterable[Lesson], earlier: Adapter | None = None) -> Adapter:
    """The classifier of Eq. 3, of what lessons teach, after what an adapter has learnt before.

    Args:
        lessons: at least one; each is added as it comes, and none is kept.
        earlier: the adapter to go on from.

    Raises:
        AdapterError: there is nothing to tell apart; or the lessons are of several networks'
            features.
    """
    statistics = None if earlier is None else earlier.statistics
    clips = {} if earlier is None else {clip.features_key: clip for clip in earlier.clips}
    begun: Adapter | Lesson | None = earlier
    sources = list[str]()
    for lesson in lessons:
        begun = begun or lesson
        if lesson.provenance.networks != begun.provenance.networks:
            raise AdapterError(
                f"{lesson.clip.name}: its features are of other networks or options than those of "
                f"{next(iter(clips.values())).name}; extract both alike"
            )
        before, key = statistics, lesson.clip.features_key
        statistics = lesson.statistics if before is None else before + lesson.statistics
        clips[key] = clips[key].plus(lesson.clip) if key in clips else lesson.clip
        sources += lesson.clip.scribbles
    assert begun is not None and statistics is not None, "a lesson at least"
    try:
        W = solve(statistics, begun.preset.ridge)
    except AdapterError as problem:
        raise AdapterError(f"{', '.join(sources)}: {problem}") from problem
    provenance = replace(begun.provenance, version=__version__)
    return Adapter(W, statistics, tuple(clips.values()), begun.preset, provenance)
