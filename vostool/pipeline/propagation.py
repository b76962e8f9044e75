"""From stored backbone features to stored context features."""

from __future__ import annotations

import time

from vostool.pipeline.making import already_made, find_device, made_by
from vostool.pipeline.telling import Progress, Say, quiet
from vostool.store import FeatureStore, Stage, Stamp
from vostool.store.layout import CHUNK_FRAMES


def propagate(
    name: str,
    store: FeatureStore,
    *,
    device: str = "auto",
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the spatio-temporal RNN over a clip's backbone features and keep the context features.

    Raises:
        StoreError: the clip has no backbone features, or the store cannot be written to.
    """
    from vostool.strnn.propagation import UNTRAINED, Propagation

    with store.lock(name, lambda: say(f"{name}: another run writes it; waiting")):
        begun = time.perf_counter()
        backbone = store.stage(name, "backbone")
        propagation = Propagation(backbone.pyramid, find_device(device))
        say(f"{name}: {UNTRAINED}")
        stamp = Stamp(
            {"features": backbone.stamp.key, "model": propagation.fingerprint},
            made_by(device, "float32"),
        )
        if stage := already_made(store, name, "context", stamp, say):
            return stage
        writer = store.writer(name, "context", stamp, carries=True, begun=begun)
        writer.begin(propagation.pyramid, backbone.facts)
        propagation.take_up(writer.carried())
        for start in range(writer.done, backbone.frames, CHUNK_FRAMES):
            block = backbone.read(start, min(start + CHUNK_FRAMES, backbone.frames))
            writer.append([propagation.forward(block)], carried=propagation.state)
            progress(writer.done, backbone.frames)
        backbone.check_unchanged()
        return writer.finish()
