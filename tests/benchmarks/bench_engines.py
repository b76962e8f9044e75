"""Engines for the networks on a CPU: torch in 32 bits, torch in bfloat16, and ONNX Runtime.

    python tests/benchmarks/bench_engines.py

Real frames at 480p, one thread each, timed in turn by the processor's clock, so that other work on
the machine counts little; the shortest of many runs. The decoder's graphs are ours; backbones are
exported by torch. Prints a Markdown table, and by how much answers differ from torch's in 32 bits.
"""

from __future__ import annotations

import copy
import os
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read at import

import click
import numpy as np
import torch
from common import SIZE_480P, clip_480p
from torch import Tensor, nn

from vostool.backbones import DEFAULT, find_network
from vostool.checkpoints import load_weights
from vostool.decoder import WEIGHTS
from vostool.decoder.compiled import compiled
from vostool.decoder.network import Decoder
from vostool.decoder.networks import DecoderNetworks, Inputs
from vostool.decoder.torch_networks import TorchNetworks
from vostool.label_propagation.carrier import Labelled, View
from vostool.onnx_graph import Compiled
from vostool.pipeline.extraction import extract
from vostool.store import Features, FeatureStore
from vostool.weights import find_weights

RUNS = 9
OBJECTS = 1


@click.command()
@torch.inference_mode()
def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| ms of one thread | torch, 32 bits | torch, bfloat16 | ONNX Runtime | differs by |")
    print("|---|---:|---:|---:|---:|")
    with clip_480p(9) as clip, TemporaryDirectory() as folder:
        stage = extract(clip, FeatureStore(Path(folder)).clip("bench"), device="cpu")
        first, second = ([level[None] for level in stage.read_frame(frame)] for frame in (4, 5))
    decoder_rows(first, second)
    backbone_row(DEFAULT)


def decoder_rows(first: Features, second: Features) -> None:
    """The decoder of a whole frame and where the object may be, and a step of what is carried."""
    weights = find_weights(WEIGHTS)
    decoder = Decoder([level.shape[3] for level in first])
    load_weights(decoder, weights)
    decoder = decoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    halved = copy.deepcopy(decoder).bfloat16()
    halved.propagator.float()
    in_torch = [TorchNetworks(one, mixed=False) for one in (decoder, halved)]
    ours = compiled(weights)
    scores, labels = evidence(first)
    strokes = np.zeros((1, OBJECTS + 1, *scores.shape[2:]), np.float32)
    given = Inputs(first, scores, [labels], strokes)
    theirs = Inputs(first, scores, [torch.from_numpy(labels)], strokes)
    for name, everywhere in (("decoder, a frame", True), ("decoder, in windows", False)):
        row(
            name,
            *(partial(one.decode, theirs, everywhere=everywhere) for one in in_torch),
            partial(ours.decode, given, everywhere=everywhere),
        )
    row(
        "what is seen of a frame",
        *(partial(seen, one, first) for one in in_torch),
        partial(seen, ours, first),
    )
    at_16 = np.ascontiguousarray(scores[0, :, ::4, ::4])

    def step(networks: DecoderNetworks[Any, Any]) -> Callable[[], object]:
        known, here = (networks.see(f[2], f[3])[0] for f in (first, second))
        view = View(here, networks.array(at_16))
        before = [Labelled(known, networks.array(labels))]
        return lambda: networks.carrier(view, before)

    row(
        "labels carried a frame",
        *(step(one) for one in in_torch),
        step(ours),
    )


def seen(networks: DecoderNetworks[Any, Any], features: Features) -> object:
    """What a frame's features say to the correction."""
    return networks.see(features[2], features[3])[0].looks


def evidence(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Scores (1, K, h, w) at stride 4 and labels (K + 1, h, w) at stride 16: a disk, a tenth of the
    frame."""
    maps = []
    for level in (features[0], features[2]):
        y, x = np.mgrid[-1 : 1 : level.shape[1] * 1j, -1 : 1 : level.shape[2] * 1j]
        maps.append(((x / 0.3) ** 2 + (y / 0.42) ** 2 < 1).astype(np.float32))
    finest, coarse = maps
    return 1.5 * finest[None, None] - 0.5, np.stack([1 - coarse, coarse])


def backbone_row(name: str) -> None:
    """A backbone's stages, exported."""
    network = find_network(name)
    body = network.architecture.loaded(network.find_weights()).eval()
    body.fold_batch_norms()
    frame = network.architecture.normalise(torch.rand(1, *SIZE_480P, 3) * 255)
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # the exporter says that it is old
        file = Path(folder) / "backbone.onnx"
        torch.onnx.export(
            _Stages(body), (frame,), file, input_names=["frame"], opset_version=17, dynamo=False
        )
        engine = Compiled(file.read_bytes(), [])
    last = len(_Stages(body)(frame)) - 1
    wide = copy.deepcopy(body).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    halved = copy.deepcopy(wide).bfloat16()
    x = frame.to(memory_format=torch.channels_last)
    y, given = x.bfloat16(), frame.numpy()
    row(
        f"{name}, a frame",
        lambda: wide.stages(x)[last], lambda: halved.stages(y)[last],
        lambda: engine(frame=given)[last],
    )  # fmt: skip


class _Stages(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        stages: Sequence[Tensor] = self.body.stages(x)  # type: ignore[operator]
        return stages


def row(name: str, *ways: Callable[[], object]) -> None:
    """A line of the table: every way, in turn, so that whatever slows the machine slows all."""
    best = [float("inf")] * len(ways)
    answers = [np.asarray(_plain(way())) for way in ways]
    for _ in range(RUNS):
        for n, way in enumerate(ways):
            begun = time.process_time()
            way()
            best[n] = min(best[n], time.process_time() - begun)
    differs = float(np.abs(answers[-1] - answers[0]).max())
    print(f"| {name} | {' | '.join(f'{1000 * one:.1f}' for one in best)} | {differs:.0e} |")


def _plain(answer: object) -> object:
    if isinstance(answer, Tensor):
        return answer.float().numpy()
    return answer


if __name__ == "__main__":
    main()
