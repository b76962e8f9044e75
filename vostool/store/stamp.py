"""What a finished stage says of itself, read from its metadata alone: for those who have many."""

from __future__ import annotations

from dataclasses import dataclass

from vostool.files import parse_json
from vostool.store.cache_key import CacheKey
from vostool.store.stage import ClipMetadata, metadata_of, read_source
from vostool.store.stage_files import StageFiles


@dataclass(frozen=True)
class Stamp:
    """What a stage was made from, and of which clip.

    Attributes:
        cache_key: what it was made from.
        frames: how many it has.
        metadata: of the clip.
    """

    cache_key: CacheKey
    frames: int
    metadata: ClipMetadata


def read_stamp(files: StageFiles) -> Stamp | None:
    """Read the stamp of a finished stage; no chunk is looked at.

    Whether all that it tells of is there, opening the stage tells; whether it is what was written,
    reading it does.

    Args:
        files: the stage's.

    Returns:
        None where there is no finished stage, or its metadata are not whole.
    """
    try:
        if not files.is_stamped():
            return None
        attributes = parse_json(files.read_group().decode())["attributes"]
        return Stamp(
            CacheKey.from_dict(attributes["stamp"]),
            int(attributes["frames"]),
            metadata_of(attributes["clip"] | read_source(files)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
