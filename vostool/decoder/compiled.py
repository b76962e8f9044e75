"""The decoder without torch: the same as ``network``, step by step, compiled."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vostool.checkpoints import read_arrays
from vostool.decoder import shape
from vostool.decoder.networks import Inputs
from vostool.decoder.shape import BLOCKS, FEATURE_GAIN, FINE, REACH, WIDTHS
from vostool.decoder.windows import Window, cut_out, find_windows
from vostool.label_propagation.compiled import (
    CompiledPropagator,
    margin,
    softmax,
    with_background,
)
from vostool.onnx_graph import Compiled, Graph, Weights, each
from vostool.pyramid import FloatArray

Values = npt.NDArray[np.float32]
LEVELS = tuple(f"features_{n}" for n in range(len(WIDTHS)))
"""The features at each stride, as the graph calls them."""


class CompiledNetworks:
    """:class:`vostool.decoder.networks.DecoderNetworks`, on a CPU.

    Args:
        weights: of a :class:`vostool.decoder.network.Decoder`.
    """

    at_once = 8

    def __init__(self, weights: Weights) -> None:
        mark = "propagator."
        self.carrier = CompiledPropagator(
            {name.removeprefix(mark): w for name, w in weights.items() if name.startswith(mark)}
        )
        self.see = self.carrier.seen
        self._coarse, self._fine = _coarse(weights), _fine(weights)

    def at_work(self) -> AbstractContextManager[object]:
        """Nothing can be learnt of them."""
        return nullcontext()

    def array(self, values: FloatArray) -> Values:
        """The same."""
        return values

    def numpy(self, values: Values) -> Values:
        """The same."""
        return values

    def decode(self, inputs: Inputs[Values], *, everywhere: bool) -> Values:
        """Logits (T, K, h, w) at the finest stride."""

        def decoded(t: int) -> Values:
            features = [level[t : t + 1] for level in inputs.features]
            return self._decode(
                features, inputs.scores[t], inputs.priors[t], inputs.strokes[t], everywhere
            )

        return np.stack(each(decoded, range(len(inputs.scores))))

    def settled(self, inputs: Inputs[Values], rows: FloatArray, columns: FloatArray) -> Values:
        """The labels (K + 1, h, w) of a frame at a coarser stride, as they are decoded."""
        (logits,) = self.decode(inputs, everywhere=True)
        return np.asarray(rows @ softmax(with_background(logits)) @ columns, np.float32)

    def _decode(
        self,
        features: Sequence[npt.NDArray[np.float16]],
        scores: Values,
        prior: Values | None,
        strokes: Values,
        everywhere: bool,
    ) -> Values:
        """Logits (K, h, w) of a frame's objects."""
        looks, own = margin(with_background(scores)), strokes[1:]
        carried = np.zeros((len(scores), 2, *features[FINE].shape[1:3]), np.float32)
        if prior is not None:
            carried = np.stack([margin(prior), prior[1:]], axis=1)
        every = np.broadcast_to(scores.max(axis=0), looks.shape)
        given = {
            "looks": np.stack([looks, every], axis=1),
            "prior": carried,
            "strokes": np.stack([own, strokes.sum(axis=0) - own], axis=1),
        }
        coarse, presence, *rest = self._coarse(**dict(zip(LEVELS, features, strict=True)), **given)
        read, evidence = rest[:FINE], rest[FINE:]
        height, width = coarse.shape[-2:]
        logits = np.full(looks.shape, shape.ABSENT, np.float32)
        whole = [(slice(0, height), slice(0, width))]
        windows = [
            (k, window)
            for k, where in enumerate(presence[:, 0])
            for window in (whole if everywhere else find_windows(where > shape.PRESENT))
        ]

        def decode(one: tuple[int, Window]) -> None:
            k, window = one
            of_it = [level[k : k + 1] for level in evidence]
            found, (rows, columns) = self._within(coarse[k : k + 1], read, of_it, window)
            logits[k, rows, columns] = found

        each(decode, windows)
        return logits

    def _within(
        self, x: Values, read: Sequence[Values], evidence: Sequence[Values], window: Window
    ) -> tuple[Values, Window]:
        """Logits (h, w) in a window of stride 16, and where at the finest stride they lie."""
        sizes = [*(level.shape[-2:] for level in read), x.shape[-2:]]
        *cuts, coarsest = cut_out(window, sizes, REACH)
        given = {"x": np.ascontiguousarray(x[:, :, *coarsest.kept])}
        for n, cut in enumerate(cuts):
            given[f"read_{n}"] = np.ascontiguousarray(read[n][:, :, *cut.computed])
            given[f"evidence_{n}"] = np.ascontiguousarray(evidence[n][:, :, *cut.computed])
            given[f"first_{n}"] = np.array([along.start for along in cut.within])
            given[f"after_{n}"] = np.array([along.stop for along in cut.within])
        (logits,) = self._fine(**given)
        return logits[0, 0], cuts[0].kept


@cache
def compiled(weights: Path) -> CompiledNetworks:
    """Those of a file of weights, read once a process."""
    return CompiledNetworks(read_arrays(weights))


def _coarse(weights: Weights) -> Compiled:
    """What is known of each object at stride 16 and where it may be; and what the finer strides
    read of the features, and of the evidence."""
    graph = Graph(weights)
    read = [
        graph.read(f"read_features.{n}", level, gain=FEATURE_GAIN) for n, level in enumerate(LEVELS)
    ]
    evidence = _evidence(graph, read)
    given = [graph.conv(f"read_evidence.{n}", evidence[n]) for n in range(FINE, len(WIDTHS))]
    x = _refined(graph, graph.node("Add", given[-1], read[-1]), len(WIDTHS) - 1)
    for n in reversed(range(FINE, len(WIDTHS) - 1)):
        x = _finer(graph, x, read[n], evidence[n], n)
    seen = graph.concat(graph.node("Relu", x), evidence[FINE])
    presence = graph.conv("presence.2", graph.node("Relu", graph.conv("presence.0", seen)))
    kinds = dict.fromkeys(LEVELS, np.float16)
    return graph.compiled(
        {**kinds, "looks": np.float32, "prior": np.float32, "strokes": np.float32},
        [x, presence, *read[:FINE], *evidence[:FINE]],
    )


def _evidence(graph: Graph, like: Sequence[str]) -> list[str]:
    """Of each object, (K, CHANNELS, h, w) a stride, finest first."""
    prior = "prior"
    for finer in reversed(like[:FINE]):
        prior = graph.doubled(prior, finer)
    looks, best = (
        graph.node("Gather", "looks", graph.constant(np.array([n])), axis=1) for n in range(2)
    )
    soft, strokes = graph.concat(looks, prior, best), "strokes"
    evidence = [graph.concat(soft, strokes)]
    for _ in like[1:]:
        # Strokes are thin: averaged, they would fade.
        soft = graph.halved(soft)
        strokes = graph.node("MaxPool", strokes, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        evidence.append(graph.concat(soft, strokes))
    return evidence


def _fine(weights: Weights) -> Compiled:
    """Logits (1, 1, h, w) of an object in a window, of what is known at the strides above."""
    graph = Graph(weights)
    x, inputs = "x", dict[str, npt.DTypeLike](x=np.float32)
    for n in reversed(range(FINE)):
        x = _finer(graph, x, f"read_{n}", f"evidence_{n}", n)
        if n > 0:
            x = _cropped(graph, x, n)
        inputs |= {f"read_{n}": np.float32, f"evidence_{n}": np.float32}
        inputs |= {f"first_{n}": np.int64, f"after_{n}": np.int64}
    logits = graph.summed("out", graph.node("Relu", x))
    for channel, gain in enumerate(("gain", "prior_gain")):
        seen = graph.node("Gather", "evidence_0", graph.constant(np.array([channel])), axis=1)
        logits = graph.node("Add", logits, graph.node("Mul", seen, graph.weight(gain)))
    return graph.compiled(inputs, [_cropped(graph, logits, 0)])


def _cropped(graph: Graph, x: str, n: int) -> str:
    """What is kept of what was computed at a stride."""
    return graph.node("Slice", x, f"first_{n}", f"after_{n}", graph.constant(np.array([2, 3])))


def _finer(graph: Graph, x: str, read: str, evidence: str, n: int) -> str:
    """From what is known at one stride to half of it, of number ``n``."""
    below = graph.doubled(graph.conv(f"bring_up.{n}", x), read)
    given = graph.node("Add", graph.conv(f"read_evidence.{n}", evidence), below)
    return _refined(graph, graph.node("Add", given, read), n)


def _refined(graph: Graph, x: str, n: int) -> str:
    x = graph.conv(f"mix.{n}", graph.node("Relu", x))
    for block in range(BLOCKS[n]):
        x = graph.residual(f"refine.{n}.{block}", x)
    return x
