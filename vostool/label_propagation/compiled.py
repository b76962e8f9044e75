"""The network that carries labels, without torch: the same as ``network``, step by step.

Frames are told by numpy, which has little to do at stride 16, and convolutions are compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from vostool.label_propagation.carrier import Labelled, View
from vostool.label_propagation.shape import (
    BEST,
    COLDEST,
    EPSILON,
    FEATURE_GAIN,
    NOWHERE,
    RADIUS,
)
from vostool.onnx_graph import Compiled, Graph, Weights, each

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Matches:
    """The vertices of another frame that a frame's n = h · w vertices are most like.

    Attributes:
        cosine: (n, BEST), the best first.
        place: (n, BEST), where they are among the other frame's vertices.
    """

    cosine: Values
    place: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network sees of a frame at stride 16, whatever is drawn on it.

    Attributes:
        descriptor: (D, h, w), of unit length a vertex.
        looks: (1, WIDTH, h, w), what the features say to the correction.
    """

    descriptor: Values
    looks: Values
    _matches: WeakKeyDictionary[Seen, Matches] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def matches(self, other: Seen) -> Matches:
        """With another frame; found once."""
        if other not in self._matches:
            self._matches[other] = find_matches(self.descriptor, other.descriptor)
        return self._matches[other]


class CompiledPropagator:
    """A :class:`vostool.label_propagation.carrier.Carrier`.

    Args:
        weights: of a :class:`vostool.label_propagation.network.LabelPropagator`.
    """

    def __init__(self, weights: Weights) -> None:
        self._see, self._correct = _seeing(weights), _correcting(weights)
        self._temperature = max(COLDEST, float(weights["temperature"]))
        self._label_gain, self._score_gain, self._any_gain = (
            weights[name] for name in ("label_gain", "score_gain", "any_gain")
        )

    def seen(self, fine: npt.NDArray[np.float16], coarse: npt.NDArray[np.float16]) -> list[Seen]:
        """What is seen of some frames.

        Args:
            fine, coarse: their features (T, h, w, C) at strides 16 and 32.
        """

        def see(t: int) -> Seen:
            (descriptor,), looks = self._see(fine=fine[t : t + 1], coarse=coarse[t : t + 1])
            return Seen(descriptor, looks)

        return each(see, range(len(fine)))

    def __call__(self, view: View[Seen, Values], known: Sequence[Labelled[Seen, Values]]) -> Values:
        """Labels (K + 1, h, w) of a frame, background first.

        Args:
            view: the frame.
            known: the annotated frame, and frames near this one.
        """
        matches = each(view.seen.matches, [frame.seen for frame in known])
        labels, cosine = match_labels(matches, [frame.labels for frame in known], self._temperature)
        here, looks, shares = margin(labels), margin(with_background(view.scores)), labels[1:]
        begin = known[0].labels[1:]
        seen = shares.sum((1, 2), keepdims=True) / (begin.sum((1, 2), keepdims=True) + 1)
        best = view.scores.max(axis=0)
        evidence = np.stack(
            np.broadcast_arrays(here, looks, shares, 1 - labels[0], best, cosine, seen.clip(max=1)),
            axis=1,
        )
        (correction,) = self._correct(looks=view.seen.looks, evidence=evidence)
        logits = (
            correction[:, 0]
            + self._label_gain * here
            + self._score_gain * looks
            + self._any_gain * best
        )
        return softmax(with_background(logits))

    def packed(self, labels: Values) -> Values:
        """The same in half the bytes."""
        return labels.astype(np.float16)

    def unpacked(self, labels: Values) -> Values:
        """As they were, but for rounding."""
        return labels.astype(np.float32)

    def between(self, labels: Sequence[Values], distances: Sequence[int]) -> Values:
        """What arrives at a frame from several sides."""
        every = np.stack(labels)
        sure = every.max(axis=1, keepdims=True)
        weights = sure**2 / np.array(distances, np.float32)[:, None, None, None]
        found: Values = (weights * every).sum(axis=0) / weights.sum(axis=0)
        return found


def find_matches(descriptor: Values, other: Values) -> Matches:
    """For each vertex of a frame, those of another one near the same place that are most like it.

    Args:
        descriptor: (D, h, w) of the frame, of unit length a vertex.
        other: of the other one.
    """
    _, h, w = descriptor.shape
    side = 2 * RADIUS + 1
    # Every vertex of a row against all of a row nearby: products are quick, and gathering is not.
    rows, others = descriptor.transpose(1, 2, 0), other.transpose(1, 0, 2)
    strips = np.full((h, side, w, w + 2 * RADIUS), NOWHERE, np.float32)
    for offset in range(-RADIUS, RADIUS + 1):
        here = slice(max(0, -offset), max(0, h - max(0, offset)))
        there = slice(here.start + offset, max(0, here.stop + offset))
        strip = strips[here, offset + RADIUS, :, RADIUS : RADIUS + w]
        np.matmul(rows[here], others[there], out=strip)
    above, down, row, column = strips.strides
    band = as_strided(strips, (h, w, side, side), (above, row + column, down, column))
    likeness = band.reshape(h * w, side * side)
    index = np.argsort(-likeness, axis=1)[:, :BEST]
    y, x = np.divmod(np.arange(h * w)[:, None], w)
    below, right = np.divmod(index, side)
    place = (y + below - RADIUS).clip(0, h - 1) * w + (x + right - RADIUS).clip(0, w - 1)
    return Matches(np.take_along_axis(likeness, index, axis=1), place)


def match_labels(
    matches: Sequence[Matches], labels: Sequence[Values], temperature: float
) -> tuple[Values, Values]:
    """The labels that a frame's vertices have by the looks of others' vertices near their place.

    Args:
        matches: with each other frame; the best of all count.
        labels: (K + 1, h, w) of each other frame, shares that sum to 1.
        temperature: the likeness counts as exp(cosine / temperature).

    Returns:
        The labels (K + 1, h, w), and the best cosine (h, w).
    """
    classes, h, w = labels[0].shape
    cosine = np.concatenate([one.cosine for one in matches], axis=1)
    places = np.concatenate([one.place + n * h * w for n, one in enumerate(matches)], axis=1)
    index = np.argsort(-cosine, axis=1)[:, :BEST]
    best = np.take_along_axis(cosine, index, axis=1)
    shares = softmax(np.asarray(best.T / temperature, np.float32))
    every = np.stack(labels, axis=1).reshape(classes, -1)
    found = every[:, np.take_along_axis(places, index, axis=1).T] * shares
    return found.sum(axis=1).reshape(-1, h, w), best[:, 0].reshape(h, w)


def margin(every: Values) -> Values:
    """Each object's label or score less the best other one, background's among them.

    Args:
        every: (K + 1, h, w), background first.

    Returns:
        (K, h, w); 0 where all are alike.
    """
    best, second = every[0], np.full_like(every[0], -np.inf)
    for one in every[1:]:
        second = np.maximum(second, np.minimum(best, one))
        best = np.maximum(best, one)
    objects = every[1:]
    found: Values = objects - np.where(objects == best, second, best)
    return found


def with_background(logits: Values) -> Values:
    """Objects' logits (K, h, w) behind background's, which is 0: (K + 1, h, w)."""
    return np.concatenate([np.zeros_like(logits[:1]), logits])


def softmax(logits: Values) -> Values:
    """Shares of the first axis, that sum to 1."""
    grown = np.exp(logits - logits.max(axis=0))
    found: Values = grown / grown.sum(axis=0)
    return found


def _seeing(weights: Weights) -> Compiled:
    """From features at strides 16 and 32 to descriptors and looks."""
    graph = Graph(weights)
    none, own = graph.constant(np.array([0])), graph.node("Shape", "fine", start=3, end=4)
    matrix = graph.matrix("describe", "read_features", gain=FEATURE_GAIN)
    bias = graph.constant(weights["read_features.bias"][:, None, None])
    # What is made of single vertices may be made before the coarse ones are brought up.
    every = graph.constant(np.array([np.iinfo(np.int64).max]))
    near, far = (
        graph.channels_first(
            graph.node("MatMul", graph.in_float32(level), graph.part(matrix, start, stop, 0))
        )
        for level, start, stop in (("fine", none, own), ("coarse", own, every))
    )
    both = graph.node("Add", near, graph.doubled(far, near))
    depth = graph.constant(np.array([len(weights["describe.weight"])]))
    described = graph.part(both, none, depth, 1)
    length = graph.node("ReduceL2", described, axes=[1], keepdims=1)
    least = graph.constant(np.float32(EPSILON))
    descriptor = graph.node("Div", described, graph.node("Max", length, least))
    read = graph.node("Add", graph.part(both, depth, every, 1), bias)
    looks = graph.conv("see", graph.node("Relu", read))
    return graph.compiled({"fine": np.float16, "coarse": np.float16}, [descriptor, looks])


def _correcting(weights: Weights) -> Compiled:
    """From looks (1, WIDTH, h, w) and evidence (K, EVIDENCE, h, w) to the correction."""
    graph = Graph(weights)
    known = graph.node("Add", graph.conv("weigh", "evidence"), "looks")
    mixed = graph.conv("mix", graph.node("Relu", known))
    correction = graph.conv("out", graph.node("Relu", mixed))
    return graph.compiled({"looks": np.float32, "evidence": np.float32}, [correction])
