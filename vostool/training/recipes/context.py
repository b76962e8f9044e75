"""The two steps of §2.4.1, which train the RNN and, on the way, the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.backbones import find_network
from vostool.backbones.architecture import Architecture
from vostool.checkpoints import COUNTER, TRAINED_ON, fingerprint, load_weights, write_weights
from vostool.errors import WeightsError
from vostool.files import replacing
from vostool.pipeline.progress import Progress, quiet
from vostool.pyramid import Pyramid
from vostool.training.data import Shot
from vostool.training.loss import context_loss, squared_distance_to_nearest
from vostool.training.network import ContextNetwork
from vostool.training.recipes import Setting, initial_weights
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Group

BACKBONE, RNN = "backbone.safetensors", "rnn.safetensors"
"""What a training leaves in its folder; the second alone where the backbone stays as it is."""
SMALLEST_UNIT = 1e-12
BACKBONE_SHARE = 0.1
"""The backbone's part of the learning rate: it begins trained, the RNN does not."""


def step1(
    setting: Setting, *, backbone: str, weights: str | None, fixed_backbone: bool, shots: int
) -> ContextTask:
    """No temporal connections; backbone and spatial RNN together, or the RNN alone.

    Args:
        setting: of the training.
        backbone: the network.
        weights: its first: a file, ``random``, or None to look where they are kept.
        fixed_backbone: train the RNN alone.
        shots: where the backbone is fixed, how many are drawn and kept.
    """
    network = _network(setting, backbone, weights, fixed_backbone)
    step: JointStep | FixedBackboneStep
    if fixed_backbone:
        step = _fixed(network, setting, temporal=False, shots=shots)
    else:
        step = JointStep(network, setting.sampler, setting.device)
    return ContextTask(network, step, backbone, weights, fixed_backbone)


def step2(
    setting: Setting, *, backbone: str, weights: str | None, fixed_backbone: bool, shots: int
) -> ContextTask:
    """The whole spatio-temporal RNN, on a backbone that is fixed.

    Args:
        setting: of the training.
        backbone: the network.
        weights: its first, before step 1: a file, ``random``, or None to look for them.
        fixed_backbone: step 1 left the backbone as it was.
        shots: how many are drawn and kept.
    """
    network = _network(setting, backbone, weights, fixed_backbone)
    step = _fixed(network, setting, temporal=True, shots=shots)
    return ContextTask(network, step, backbone, weights, fixed_backbone)


def _network(
    setting: Setting, backbone: str, weights: str | None, fixed_backbone: bool
) -> ContextNetwork:
    described = find_network(backbone)
    if described.beside is not None:
        raise WeightsError(f"{backbone}: reads no context; train its decoder instead")
    network = ContextNetwork(
        described.architecture, described.find_weights(weights), setting.seed
    ).train()
    if setting.init is not None:
        load_weights(network.rnn, initial_weights(setting.init, RNN))
        if not fixed_backbone:
            load_weights(network.backbone, initial_weights(setting.init, BACKBONE))
    return network.to(setting.device)


def _fixed(
    network: ContextNetwork, setting: Setting, *, temporal: bool, shots: int
) -> FixedBackboneStep:
    return FixedBackboneStep(
        network,
        setting.sampler,
        setting.device,
        temporal=temporal,
        shots=shots,
        # Features that were kept under other settings are not taken for these.
        folder=setting.out / "features" / setting.digest,
    )


class ContextTask:
    """A :class:`vostool.training.recipes.Task`.

    Args:
        network: backbone and RNN.
        step: what is trained of them.
        backbone: the network's name.
        weights: its first.
        fixed_backbone: the backbone's weights stay what they were.
    """

    def __init__(
        self,
        network: ContextNetwork,
        step: JointStep | FixedBackboneStep,
        backbone: str,
        weights: str | None,
        fixed_backbone: bool,
    ) -> None:
        self.network, self.step = network, step
        self._backbone, self._weights = backbone, weights
        self._fixed_backbone = fixed_backbone
        self.settings: dict[str, Any] = {}

    def prepare(self, progress: Progress) -> None:
        """Make the features of the shots that are not there yet."""
        if isinstance(self.step, FixedBackboneStep):
            self.step.prepare(progress)

    def close(self) -> None:
        """Nothing works for it."""

    def write(self, out: Path) -> list[Path]:
        """The RNN, and the backbone if it was trained too."""
        written = [out / RNN]
        reads = find_network(self._backbone).fingerprint(self._weights)
        if not self._fixed_backbone:
            state = self.network.backbone.state_dict()
            weights = {name: t for name, t in state.items() if not name.endswith(COUNTER)}
            write_weights(out / BACKBONE, weights, {})
            reads = fingerprint(out / BACKBONE)
            written.append(out / BACKBONE)
        rnn = self.network.rnn
        widths = {name: str(width) for name, width in rnn.config.as_dict().items()}
        write_weights(out / RNN, rnn.state_dict(), {TRAINED_ON: reads, **widths})
        return written


class JointStep:
    """No temporal connections; the backbone and the spatial RNN together.

    Args:
        network: what is trained.
        sampler: of each iteration's shot.
        device: where it runs.
    """

    def __init__(self, network: ContextNetwork, sampler: ShotSampler, device: torch.device) -> None:
        self._network, self._sampler, self._device = network, sampler, device

    def groups(self) -> list[Group]:
        """What is trained; the temporal K waits for step 2."""
        return [
            Group(list(self._network.backbone.parameters()), BACKBONE_SHARE),
            Group(_of_rnn(self._network, but=("K_time", "c"))),
        ]

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._sampler.rng(iteration)
        shot = self._sampler.shot(rng)
        images = torch.from_numpy(shot.images).to(self._device)
        levels = self._network.levels(images)
        context = self._network.context(levels, (shot.masks.shape[1], shot.masks.shape[2]))
        return shot_loss(context, labels_of_vertices(shot, self._network.architecture), rng)


class FixedBackboneStep:
    """The backbone is fixed, and the RNN is tuned: the whole of it in step 2, in step 1 without K.

    The backbone's features of a number of shots are made once and kept on disk, so that an
    iteration spends its time in the RNN.

    Args:
        network: whose RNN is trained.
        sampler: of the shots.
        device: where it runs.
        temporal: frames hear of the one before, as in step 2.
        shots: how many are drawn, once and for all.
        folder: where their features are kept.
    """

    def __init__(
        self,
        network: ContextNetwork,
        sampler: ShotSampler,
        device: torch.device,
        *,
        temporal: bool,
        shots: int,
        folder: Path,
    ) -> None:
        self._network, self._sampler, self._device = network, sampler, device
        self._temporal, self._shots, self._folder = temporal, shots, folder

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(_of_rnn(self._network, but=("c",) if self._temporal else ("K_time", "c")))]

    @torch.no_grad()
    def prepare(self, progress: Progress = quiet) -> None:
        """Make the features of the shots that are not there yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._shots):
            file = self._file(number)
            if file.exists():
                continue
            shot = self._sampler.shot(self._sampler.rng(2, number))
            levels = self._network.levels(torch.from_numpy(shot.images).to(self._device))
            content = {
                **{f"level{n}": level.half().cpu() for n, level in enumerate(levels)},
                "labels": torch.from_numpy(labels_of_vertices(shot, self._network.architecture)),
                "size": torch.tensor(shot.masks.shape[1:]),
            }
            with replacing(file) as tmp:
                torch.save(content, tmp)
            progress(number + 1, self._shots)

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._sampler.rng(iteration)
        file = self._file(int(rng.integers(0, self._shots)))
        content: dict[str, Tensor] = torch.load(file, weights_only=True)
        count = len(self._network.architecture.shapes)
        levels = [content[f"level{n}"].to(self._device).float() for n in range(count)]
        height, width = content["size"].tolist()
        context = self._network.context(levels, (height, width))
        return shot_loss(context, content["labels"].numpy(), rng)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.pt"


def labels_of_vertices(shot: Shot, architecture: Architecture) -> npt.NDArray[np.uint8]:
    """(T, h, w): the label of the pixel on which each vertex of the pyramid's grid is centred."""
    size = shot.masks.shape[1], shot.masks.shape[2]
    stride = Pyramid(size, size, architecture.levels(*size)).grid.stride
    return np.ascontiguousarray(shot.masks[:, ::stride, ::stride])


def shot_loss(context: Tensor, labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Eq. 4 on one shot, mean over anchors: a frame drawn at random is the anchor, the others pool.

    Distances are in units of the features' own spread; see :func:`unit_of_distance`.

    Args:
        context: (T, h, w, C).
        labels: (T, h, w); each object in turn is the foreground, and all else the background.
        rng: draws the anchor frame.
    """
    frames = len(labels)
    anchor = int(rng.integers(0, frames))
    pool = [t for t in range(frames) if t != anchor]
    here, there = torch.from_numpy(labels[anchor]), torch.from_numpy(labels[pool])
    anchors_in_all, total = 0, context.sum() * 0
    for label in np.unique(labels[anchor]):
        if label == 0 or not (labels[pool] == label).any():
            continue
        anchors = context[anchor][here == int(label)]
        inside = there == int(label)
        positives, negatives = context[pool][inside], context[pool][~inside]
        if not len(negatives):
            continue
        length = unit_of_distance(anchors, negatives).sqrt()
        total = total + context_loss(anchors / length, positives / length, negatives / length)
        anchors_in_all += len(anchors)
    return total / max(1, anchors_in_all)


def unit_of_distance(anchors: Tensor, negatives: Tensor) -> Tensor:
    """The median of the anchors' squared distances to their nearest negatives, a scalar.

    Eq. 4 taken as it stands has a trivial minimum: against α, features that are all alike cost
    nothing. Divided by this unit they cannot shrink; nor does it help to move most of the
    background far away, as it would with a unit of distances to all negatives.
    """
    return squared_distance_to_nearest(anchors, negatives).median() + SMALLEST_UNIT


def _of_rnn(network: ContextNetwork, but: tuple[str, ...]) -> list[torch.nn.Parameter]:
    """The RNN's parameters but for some.

    c shifts all features alike, which Eq. 4 does not see; Adam would walk it about at random.
    """
    return [p for name, p in network.rnn.named_parameters() if name not in but]
