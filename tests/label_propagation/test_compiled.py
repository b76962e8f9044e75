"""What carries labels answers without torch as in torch, step by step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.label_propagation import matching, network
from vostool.label_propagation.carrier import Labelled, View
from vostool.label_propagation.compiled import CompiledPropagator, find_matches, margin
from vostool.label_propagation.network import LabelPropagator
from vostool.label_propagation.shape import NOWHERE

CHANNELS = (7, 9)


def both_ways() -> tuple[LabelPropagator, CompiledPropagator]:
    """Weights that are nobody's, so that every part has a say."""
    torch.manual_seed(0)
    propagator = LabelPropagator(CHANNELS).eval()
    torch.nn.init.normal_(propagator.out.weight, std=0.1)
    weights = {name: tensor.numpy() for name, tensor in propagator.state_dict().items()}
    return propagator, CompiledPropagator(weights)


def features(frames: int, size: tuple[int, int]) -> list[npt.NDArray[np.float16]]:
    """(T, h, w, C) at strides 16 and 32."""
    random = np.random.default_rng(0)
    grids = (size, (-(-size[0] // 2), -(-size[1] // 2)))
    return [
        (random.normal(size=(frames, *grid, channels)) * 0.2).astype(np.float16)
        for grid, channels in zip(grids, CHANNELS, strict=True)
    ]


def as_tensors(levels: list[npt.NDArray[np.float16]]) -> list[torch.Tensor]:
    return [torch.from_numpy(level).float().permute(0, 3, 1, 2) for level in levels]


@torch.inference_mode()
@pytest.mark.parametrize("size", [(12, 15), (1, 1), (7, 4)])
@pytest.mark.parametrize("objects", [1, 3])
def test_labels_are_those_of_torch(size: tuple[int, int], objects: int) -> None:
    in_torch, without = both_ways()
    levels = features(3, size)
    theirs, ours = in_torch.seen(as_tensors(levels)), without.seen(levels[0], levels[1])
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(other.descriptor, one.descriptor.numpy(), atol=1e-5)
        np.testing.assert_allclose(other.looks, one.looks.numpy(), atol=1e-5)
    random = np.random.default_rng(1)
    scores = random.normal(size=(objects, *size)).astype(np.float32)
    labels = random.dirichlet(np.ones(objects + 1), size=(2, *size)).astype(np.float32)
    labels = np.moveaxis(labels, 3, 1)
    expected = in_torch(
        View(theirs[2], torch.from_numpy(scores)),
        [Labelled(theirs[t], torch.from_numpy(labels[t])) for t in range(2)],
    )
    found = without(View(ours[2], scores), [Labelled(ours[t], labels[t]) for t in range(2)])
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    arrived = in_torch.between(list(torch.from_numpy(labels)), [1, 5])
    np.testing.assert_allclose(without.between(list(labels), [1, 5]), arrived.numpy(), atol=1e-6)
    assert without.packed(found).nbytes * 2 == without.unpacked(without.packed(found)).nbytes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(1, 20), st.integers(1, 20))
def test_matches_are_those_of_torch(seed: int, height: int, width: int) -> None:
    """Of the same likeness, the best first; of alike ones either may be taken."""
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(2, 4, height, width)).astype(np.float32)
    found = find_matches(one, other)
    expected = matching.find_matches(torch.from_numpy(one), torch.from_numpy(other))
    np.testing.assert_allclose(found.cosine, expected.cosine.numpy(), atol=1e-4)
    within = found.cosine > NOWHERE / 2
    products = np.einsum("dn,dnk->nk", one.reshape(4, -1), other.reshape(4, -1)[:, found.place])
    np.testing.assert_allclose(found.cosine[within], products[within], atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 5))
def test_margins_are_those_of_torch_where_some_are_alike_too(seed: int, objects: int) -> None:
    random = np.random.default_rng(seed)
    every = random.integers(0, 4, size=(objects + 1, 3, 5)).astype(np.float32)
    expected = network.margin(torch.from_numpy(every[None]))[0].numpy()
    np.testing.assert_array_equal(margin(every), expected)
