"""Engines for the networks on a CPU: torch in 32 bits, torch in bfloat16, and ONNX Runtime.

    python tests/benchmarks/bench_engines.py

Real frames at 480p, one thread each, timed in turn by the processor's clock, so that other work on
the machine counts little; the shortest of many runs. The graphs are ours, but for DINOv2's, which
torch exports, with weights that nobody trained. Prints a Markdown table, and by how much answers
differ from torch's in 32 bits.
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
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read at import

import click
import numpy as np
import torch
from common import SIZE_480P, clip_480p
from torch import Tensor, nn

from vostool.backbones import DEFAULT, Network, dinov2, find_network, load_backbone, torch_backbone
from vostool.backbones.architecture import FeatureExtractor
from vostool.backbones.torch_backbone import TorchBackbone
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
DTYPES = (torch.float32, torch.bfloat16)
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
    default_row()
    dinov2_row()


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


def default_row() -> None:
    """The default network, from a frame to its features."""
    network, frame = find_network(DEFAULT), random_frame()
    weights = network.find_weights()
    row(
        f"{DEFAULT}, a frame",
        *(partial(in_torch(network, weights, dtype).features, frame) for dtype in DTYPES),
        partial(load_backbone(DEFAULT).features, frame),
        which=3,
    )


def dinov2_row() -> None:
    """The transformer, from a frame to its features."""
    network, frame = find_network("dinov2-small"), random_frame()
    exact, halved = (in_torch(network, None, dtype) for dtype in DTYPES)
    body = network.architecture.loaded(None).eval()
    assert isinstance(body, dinov2.DinoV2)
    engine, x = exported(body, SIZE_480P), network.architecture.normalise(torch.from_numpy(frame))

    def by_onnx_runtime() -> object:
        (stage,) = engine(frame=x.numpy())
        return [network.architecture.pyramid([torch.from_numpy(stage)])[0].half()]

    ways = (partial(exact.features, frame), partial(halved.features, frame))
    row("dinov2-small without the default network", *ways, by_onnx_runtime, which=0)


def in_torch(network: Network, weights: Path | None, dtype: torch.dtype) -> TorchBackbone:
    """A network in torch, in one arithmetic, whatever the processor has."""
    with patch.object(torch_backbone, "fast_dtype", lambda device: dtype):
        return TorchBackbone(network.architecture, weights, torch.device("cpu"))


def random_frame() -> np.ndarray:
    """Noise: (1, H, W, 3)."""
    return np.random.default_rng(0).integers(0, 256, (1, *SIZE_480P, 3)).astype(np.uint8)


def exported(body: dinov2.DinoV2, size: tuple[int, int]) -> Compiled:
    """The transformer as an ONNX graph for frames of a size; torch's exporter takes what depends on
    the size for tensors, so that it is made beforehand."""
    lines = {int(n): (dinov2.resampling(n), dinov2.onto_vertices(n)) for n in size}
    patches = [len(lines[n][0]) // dinov2.PATCH for n in size]
    places = body.places(*patches)
    with (
        patch.object(dinov2, "resampling", lambda n: lines[int(n)][0]),
        patch.object(dinov2, "onto_vertices", lambda n: lines[int(n)][1]),
        patch.object(dinov2.DinoV2, "places", lambda self, h, w: places),
        warnings.catch_warnings(),
        TemporaryDirectory() as folder,
    ):
        warnings.simplefilter("ignore")  # the exporter says that it is old
        file, frame = Path(folder) / "backbone.onnx", torch.zeros(1, 3, *size)
        torch.onnx.export(
            _Stages(body), (frame,), file, input_names=["frame"], opset_version=17, dynamo=False
        )
        return Compiled(file.read_bytes(), [])


class _Stages(nn.Module):
    def __init__(self, body: FeatureExtractor) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        return self.body.stages(x)


def row(name: str, *ways: Callable[[], Any], which: int | None = None) -> None:
    """A line of the table: every way, in turn, so that whatever slows the machine slows all.

    Args:
        name: of the line.
        ways: in the order of the columns.
        which: of several answers, the one that is compared.
    """
    best = [float("inf")] * len(ways)
    answers = [np.asarray(_plain(way() if which is None else way()[which])) for way in ways]
    for _ in range(RUNS):
        for n, way in enumerate(ways):
            begun = time.process_time()
            way()
            best[n] = min(best[n], time.process_time() - begun)
    differs = float(np.abs(answers[-1].astype(float) - answers[0]).max())
    print(f"| {name} | {' | '.join(f'{1000 * one:.1f}' for one in best)} | {differs:.0e} |")


def _plain(answer: object) -> object:
    if isinstance(answer, Tensor):
        return answer.float().numpy()
    return answer


if __name__ == "__main__":
    main()
