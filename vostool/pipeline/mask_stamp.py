"""What masks are made from, as it is noted beside them: equal notes, equal masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vostool.adapter import Adapter
from vostool.checkpoints import fingerprint
from vostool.cleaning import Cleaning
from vostool.pipeline.compatibility import find_decoder
from vostool.store import CacheKey
from vostool.weights import find_weights

if TYPE_CHECKING:
    from vostool.mask_propagation import Refiner

AS_THEY_ARE = Cleaning()


def mask_stamp(
    fitted: Iterable[tuple[Adapter, CacheKey]],
    *,
    refiner: Refiner | None = None,
    cleaning: Cleaning = AS_THEY_ARE,
) -> dict[str, Any]:
    """What decides a clip's masks; JSON values.

    Args:
        fitted: the adapters, each with the key of the features that it reads.
        refiner: by which masks travel, if they do.
        cleaning: what is done to the masks.
    """
    pairs = list(fitted)
    first = pairs[0][0]
    decoder = None
    if first.preset.decoder:
        weights = first.provenance.networks.get("weights")
        decoder = fingerprint(find_weights(find_decoder(weights, first.names)))
    return {
        "adapters": [[adapter.digest, key.digest] for adapter, key in pairs],
        "decoder": decoder,
        "refined_by": None if refiner is None else refiner.identity,
        "cleaning": asdict(cleaning),
    }
