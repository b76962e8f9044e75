"""From stored backbone features to stored context features."""

from __future__ import annotations

import time
from dataclasses import replace

from vostool.pipeline.making import already_made, find_device, made_by
from vostool.pipeline.matching import check_reads
from vostool.pipeline.telling import Progress, Say, quiet
from vostool.store import FeatureStore, Stage, Stamp
from vostool.store.layout import CHUNK_FRAMES
from vostool.weights import find_weights, fingerprint


def propagate(
    name: str,
    store: FeatureStore,
    *,
    model: str = "rnn",
    device: str = "auto",
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the spatio-temporal RNN over a clip's backbone features and keep the context features.

    Args:
        name: the clip's name in the store.
        store: the features.
        model: the RNN's weights, by the name of shipped ones or a file.
        device: where it runs.
        progress: told of frames done.
        say: told why features are made again.

    Raises:
        WeightsError: there are no such weights, or they were trained for other features.
        StoreError: the clip has no backbone features, or the store cannot be written to.
    """
    from vostool.strnn.propagation import Propagation

    weights = find_weights(model)
    with store.lock(name, lambda: say(f"{name}: another run writes it; waiting")):
        begun = time.perf_counter()
        backbone = store.stage(name, "backbone")
        stamp = Stamp({"features": backbone.stamp.key, "model": fingerprint(weights)})
        if stage := already_made(store, name, "context", stamp, say):
            return stage
        check_reads(weights, backbone.stamp.made_from.get("weights"), backbone.clip_name)
        propagation = Propagation(backbone.pyramid, weights, find_device(device))
        stamp = replace(stamp, made_by=made_by(device, "float32"))
        writer = store.writer(name, "context", stamp, carries=True, begun=begun)
        writer.begin(propagation.pyramid, backbone.facts)
        propagation.take_up(writer.carried())
        for start in range(writer.done, backbone.frames, CHUNK_FRAMES):
            block = backbone.read(start, min(start + CHUNK_FRAMES, backbone.frames))
            writer.append([propagation.forward(block)], carried=propagation.state)
            progress(writer.done, backbone.frames)
        backbone.check_unchanged()
        return writer.finish()
