"""The decoder learns from simulated rounds, and nothing else is trained on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.test_data import video
from vostool.backbones import Backbone, load_backbone
from vostool.checkpoints import write_weights
from vostool.decoder.evidence import Evidence
from vostool.decoder.network import Decoder
from vostool.errors import ClipError, WeightsError
from vostool.training.data import open_videos
from vostool.training.recipes.decoder import PROPAGATOR_SHARE, DecoderStep, begin_from, new_decoder
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Schedule, train

SIZE, FRAMES = (64, 96), 3
CHANNELS = (24, 40, 192, 512)
"""Of the default network's features, a stride."""
CPU = torch.device("cpu")


def fixed_backbone() -> Backbone:
    """The default one."""
    return load_backbone("efficientnet-lite0", "cpu")


def test_the_decoder_learns_from_rounds(tmp_path: Path) -> None:
    decoder, backbone = new_decoder(), fixed_backbone()
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    step = DecoderStep(
        decoder,
        backbone,
        ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0),
        CPU,
    )
    assert step.loss(3).item() == step.loss(3).item(), "an iteration is what its number makes it"

    @torch.no_grad()
    def mean_loss() -> float:
        return float(np.mean([step.loss(iteration).item() for iteration in range(0, 25, 3)]))

    untrained = mean_loss()
    train(decoder, step, Schedule(50, 2e-3), tmp_path / "out", {}, lambda *_: None)

    after = decoder.state_dict()
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("presence."), name
    assert mean_loss() < 0.8 * untrained, "of the same shots"


def test_a_root_with_nothing_to_mark_is_told(tmp_path: Path) -> None:
    root = video(tmp_path / "root", "square")
    for mask in (root / "Annotations" / "square").iterdir():
        Image.new("L", (128, 96)).save(mask)
    sampler = ShotSampler([open_videos(root)], 2, SIZE, 0)
    with pytest.raises(ClipError, match="no object in these shots can be marked"):
        DecoderStep(new_decoder(), fixed_backbone(), sampler, CPU).loss(0)


def test_a_batch_has_the_same_loss_whoever_makes_its_shots(tmp_path: Path) -> None:
    """From whichever iteration on, as after a kill."""
    sampler = ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0)
    decoder, backbone = new_decoder(), fixed_backbone()
    here = DecoderStep(decoder, backbone, sampler, CPU, 2)
    there = DecoderStep(decoder, backbone, sampler, CPU, 2, 1)
    for iteration in (4, 5, 1):
        assert here.loss(iteration).item() == there.loss(iteration).item(), iteration
    there.close()


def test_every_weight_is_trained_once_the_propagators_faster(tmp_path: Path) -> None:
    decoder = new_decoder()
    sampler = ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0)
    slow, fast = DecoderStep(decoder, fixed_backbone(), sampler, CPU).groups()
    assert (slow.share, fast.share) == (1.0, PROPAGATOR_SHARE)
    theirs = {id(parameter) for parameter in decoder.propagator.parameters()}
    assert {id(parameter) for parameter in fast.parameters} == theirs
    every = [id(parameter) for group in (slow, fast) for parameter in group.parameters]
    assert sorted(every) == sorted(id(parameter) for parameter in decoder.parameters())


def test_a_training_begins_where_another_ended(tmp_path: Path) -> None:
    trained, begun = new_decoder(seed=1), new_decoder(seed=2)
    write_weights(tmp_path / "w.safetensors", trained.state_dict(), {})
    begin_from(begun, tmp_path / "w.safetensors")
    for name, tensor in begun.state_dict().items():
        if name.startswith("presence."):  # learnt at the end, of the decoder as it is then
            continue
        torch.testing.assert_close(tensor, trained.state_dict()[name], atol=1e-3, rtol=1e-3)


def test_a_decoder_of_less_evidence_says_what_it_said(tmp_path: Path) -> None:
    """One that read scores alone, as in version 0.1, begins deaf to all that is new."""
    old = {
        name.replace("read_evidence.", "read_score."): (
            tensor[:, :1] if name.startswith("read_evidence.") and tensor.dim() == 4 else tensor
        )
        for name, tensor in new_decoder(seed=1).state_dict().items()
        if not name.startswith("propagator.") and name != "prior_gain"
    }
    write_weights(tmp_path / "w.safetensors", old, {})
    decoder = new_decoder(seed=2)
    before = {name: tensor.clone() for name, tensor in decoder.propagator.state_dict().items()}
    begin_from(decoder, tmp_path / "w.safetensors")
    for conv in decoder.read_evidence:
        assert isinstance(conv, torch.nn.Conv2d)
        assert conv.weight[:, :1].any() and not conv.weight[:, 1:].any()
    for name, tensor in decoder.propagator.state_dict().items():
        assert torch.equal(tensor, before[name]), "what is new is as in an untrained one"


def test_another_networks_weights_are_no_beginning(tmp_path: Path) -> None:
    for other in (
        {"K_time": torch.zeros(3)},
        {"out.weight": torch.zeros(3)},
        Decoder((1, 2, 3, 4)).state_dict() | {"refine.9.weight": torch.zeros(1)},
    ):
        write_weights(tmp_path / "w.safetensors", other, {})
        with pytest.raises(WeightsError, match=r"is no decoder's; wrong network\?"):
            begin_from(new_decoder(), tmp_path / "w.safetensors")


@torch.inference_mode()
def test_a_decoder_of_fewer_features_says_what_it_said(tmp_path: Path) -> None:
    """The default network's decoder begins one for dinov2-small's features, and is deaf to them."""
    narrow, wide = new_decoder(seed=1), new_decoder(seed=2, backbone="dinov2-small")
    write_weights(tmp_path / "w.safetensors", narrow.state_dict(), {})
    begin_from(narrow, tmp_path / "w.safetensors")  # rounded alike
    begin_from(wide, tmp_path / "w.safetensors")
    torch.manual_seed(0)
    strides = [
        torch.randn(1, n, 16 // k, 16 // k) for n, k in zip(CHANNELS, (1, 2, 4, 8), strict=True)
    ]
    wider = [*strides[:2], torch.cat([strides[2], torch.randn(1, 128, 4, 4)], 1), strides[3]]
    evidence = Evidence(
        torch.randn(1, 2, 16, 16), torch.rand(1, 3, 4, 4), torch.zeros(1, 3, 16, 16)
    )
    torch.testing.assert_close(wide(wider, evidence), narrow(strides, evidence))
    (ours,) = wide.propagator.seen(wider[2:])
    (theirs,) = narrow.propagator.seen(strides[2:])
    torch.testing.assert_close(ours.descriptor, theirs.descriptor)
    torch.testing.assert_close(ours.looks, theirs.looks)


def test_a_decoder_is_trained_for_another_networks_features(tmp_path: Path) -> None:
    sampler = ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0)
    decoder = new_decoder(backbone="dinov2-small")
    backbone = load_backbone("dinov2-small", "cpu", "random")
    step = DecoderStep(decoder, backbone, sampler, CPU)
    step.loss(0).backward()  # type: ignore[no-untyped-call]
    gradient = decoder.propagator.describe.weight.grad
    assert isinstance(gradient, torch.Tensor) and gradient[:, 192:320].any()
