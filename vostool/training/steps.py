"""The two steps of §2.4.1: what each trains, on what, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.backbones.efficientnet_pyramid import pyramid_levels
from vostool.pipeline import Progress
from vostool.training.data import Shot, Source
from vostool.training.loss import context_loss
from vostool.training.network import ContextNetwork


@dataclass(frozen=True)
class Drawing:
    """How shots are drawn.

    Attributes:
        sources: drawn from evenly.
        frames, size: of a shot; the size is (H, W).
        seed: decides, with a number, what is drawn.
    """

    sources: Sequence[Source]
    frames: int
    size: tuple[int, int]
    seed: int

    def rng(self, *number: int) -> np.random.Generator:
        """The chance that belongs to a number."""
        return np.random.default_rng((self.seed, *number))

    def shot(self, rng: np.random.Generator) -> Shot:
        """A shot of some source."""
        source = self.sources[int(rng.integers(0, len(self.sources)))]
        return source.shot(self.frames, self.size, rng)


class Step1:
    """No temporal connections; the backbone and the spatial RNN together.

    Args:
        network: what is trained.
        drawing: of each iteration's shot.
        device: where it runs.
    """

    def __init__(self, network: ContextNetwork, drawing: Drawing, device: torch.device) -> None:
        self._network, self._drawing, self._device = network, drawing, device

    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained; the temporal K waits for step 2."""
        features = [p for n, p in self._network.backbone.named_parameters() if _is_read(n)]
        return features + _of_rnn(self._network, but=("K_time", "c"))

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._drawing.rng(iteration)
        shot = self._drawing.shot(rng)
        images = torch.from_numpy(shot.images).to(self._device)
        levels = self._network.levels(images)
        context = self._network.context(levels, self._drawing.size, temporal=False)
        return shot_loss(context, labels_of_vertices(shot), rng)


class Step2:
    """The backbone is fixed; the whole spatio-temporal RNN is tuned.

    The backbone's features of a number of shots are made once and kept on disk, so that an
    iteration spends its time in the RNN.

    Args:
        network, device: as in step 1.
        drawing: of the shots.
        shots: how many are drawn, once and for all.
        folder: where their features are kept.
    """

    def __init__(
        self,
        network: ContextNetwork,
        drawing: Drawing,
        device: torch.device,
        shots: int,
        folder: Path,
    ) -> None:
        self._network, self._drawing, self._device = network, drawing, device
        self._shots, self._folder = shots, folder

    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return _of_rnn(self._network, but=("c",))

    @torch.no_grad()
    def prepare(self, progress: Progress) -> None:
        """Make the features of the shots that are not there yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._shots):
            file = self._file(number)
            if file.exists():
                continue
            shot = self._drawing.shot(self._drawing.rng(2, number))
            levels = self._network.levels(torch.from_numpy(shot.images).to(self._device))
            content = {
                **{f"level{n}": level.half().cpu() for n, level in enumerate(levels)},
                "labels": torch.from_numpy(labels_of_vertices(shot)),
            }
            aside = file.with_suffix(".aside")
            torch.save(content, aside)
            aside.replace(file)
            progress(number + 1, self._shots)

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._drawing.rng(iteration)
        file = self._file(int(rng.integers(0, self._shots)))
        content: dict[str, Tensor] = torch.load(file, weights_only=True)
        count = len(pyramid_levels(*self._drawing.size))
        levels = [content[f"level{n}"].to(self._device).float() for n in range(count)]
        context = self._network.context(levels, self._drawing.size, temporal=True)
        return shot_loss(context, content["labels"].numpy(), rng)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.pt"


def labels_of_vertices(shot: Shot) -> npt.NDArray[np.uint8]:
    """(T, h, w): the label of the pixel on which each vertex of the finest level is centred."""
    stride = pyramid_levels(*shot.masks.shape[1:])[0].stride
    return np.ascontiguousarray(shot.masks[:, ::stride, ::stride])


def shot_loss(context: Tensor, labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Eq. 4 on one shot, mean over anchors: a frame drawn at random is the anchor, the others pool.

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
        pools = context[pool]
        total = total + context_loss(anchors, pools[inside], pools[~inside])
        anchors_in_all += len(anchors)
    return total / max(1, anchors_in_all)


def _of_rnn(network: ContextNetwork, but: tuple[str, ...]) -> list[torch.nn.Parameter]:
    """The RNN's parameters but for some.

    c shifts all features alike, which Eq. 4 does not see; Adam would walk it about at random.
    """
    return [p for name, p in network.rnn.named_parameters() if name not in but]


def _is_read(name: str) -> bool:
    """Whether a parameter of the backbone bears on its features; those of the classes do not."""
    return not name.startswith(("_conv_head", "_bn1", "_fc"))
