"""From stored backbone features to stored context features."""

from __future__ import annotations

import time
from dataclasses import replace

from vostool.backbones import DEFAULT
from vostool.checkpoints import fingerprint
from vostool.pipeline.compatibility import check_rnn
from vostool.pipeline.extraction import already_made
from vostool.pipeline.progress import Progress, Say, quiet
from vostool.pipeline.runtime import device_name, find_device, made_by
from vostool.store import CacheKey, Stage, StoredClip
from vostool.store.layout import CHUNK_FRAMES
from vostool.weights import find_weights

RNN = "rnn"
"""The name of the shipped RNN's weights."""


def propagate(
    stored: StoredClip,
    *,
    backbone: str = DEFAULT,
    model: str = RNN,
    device: str = "auto",
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the spatio-temporal RNN over a clip's backbone features and keep the context features.

    Args:
        stored: the clip.
        backbone: the network whose features are read.
        model: the RNN's weights, by the name of shipped ones or a file.
        device: where it runs.
        progress: told of frames done.
        say: told why features are made again, and of the weights where they are the user's.

    Raises:
        WeightsError: there are no such weights, or they were trained for other features.
        MissingStageError: the clip has no backbone features.
        OutputError: the store cannot be written to.
    """
    from vostool.strnn.context import ContextRNN

    weights = find_weights(model)
    # Before a lock is made where there is nothing to lock, or nothing to write.
    features = stored.stage(backbone, "backbone")
    key = context_key(features.cache_key, fingerprint(weights))
    if stage := already_made(stored, backbone, "context", key, quiet):
        return stage
    with stored.lock(lambda: say(f"{stored.name}: another run writes it; waiting")):
        begun = time.perf_counter()
        features = stored.stage(backbone, "backbone")
        key = context_key(features.cache_key, fingerprint(weights))
        if stage := already_made(stored, backbone, "context", key, say):
            return stage
        check_rnn(weights, features.cache_key.made_from.get("weights"), features.clip_name)
        if str(weights) == model:  # a file of the user's, and not shipped ones
            say(f"{weights}: SHA-256 {fingerprint(weights)}")
        rnn = ContextRNN(features.pyramid, weights, find_device(device))
        key = replace(key, made_by=made_by(device_name(device), rnn.engine, "float32"))
        writer = stored.writer(backbone, "context", key, has_state=True, begun=begun)
        writer.begin(rnn.pyramid, features.metadata)
        rnn.resume(writer.state())
        for start in range(writer.done, features.frames, CHUNK_FRAMES):
            block = features.read(start, min(start + CHUNK_FRAMES, features.frames))
            writer.append([rnn.forward(block)], state=rnn.state)
            progress(writer.done, features.frames)
        features.check_unchanged()
        return writer.finish()


def context_key(features: CacheKey, model: str) -> CacheKey:
    """What context features are made from.

    Args:
        features: the key of the backbone's.
        model: the SHA-256 of the RNN's weights.
    """
    return CacheKey({"features": features.digest, "model": model})
