"""A whole training: its data, its network, the loop, and the weights it leaves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vostool.backbones import (
    DEFAULT,
    find_backbone_weights,
    find_network,
    load_backbone,
    weights_fingerprint,
)
from vostool.decoder.labelling import NAME as SHIPPED_DECODER
from vostool.decoder.network import Decoder
from vostool.errors import WeightsError
from vostool.pipeline import Progress, Say
from vostool.pipeline.making import find_device
from vostool.refine.network import Propagation
from vostool.strnn.propagation import load_rnn
from vostool.training.data import Source, open_photos, open_videos
from vostool.training.network import ContextNetwork
from vostool.training.pictures import draw_losses
from vostool.training.refining import RefineStep
from vostool.training.steps import DecoderStep, Drawing, FixedBackbone, Step1
from vostool.training.trainer import CHECKPOINT, LOG, Schedule, Step, train
from vostool.training.trainer import Progress as TrainingProgress
from vostool.weights import READS, SUFFIX, find_weights, fingerprint, load_weights, write_weights

BACKBONE, RNN, DECODER, REFINE = (
    f"{name}{SUFFIX}" for name in ("backbone", "rnn", "decoder", "refine")
)
"""What a training leaves in its folder: steps 1 and 2 the first two, or the RNN alone where the
backbone is the default's; the decoder's and the propagation network's their own."""
CURVE = "loss.png"
DRAWN = ("backbone", "weights", "data", "frames", "size", "seed", "init")
"""The settings that decide the features of shots."""


@dataclass(frozen=True)
class Training:
    """What decides a training's result.

    Attributes:
        step: ``1``, ``2``, ``decoder`` or ``refine``.
        backbone: the network; decoder and propagation network are the default one's alone.
        weights: the backbone's first: a file, ``random``, or None to look where they are kept.
        videos, photos: the roots of its data.
        hold_back: every n-th sequence of videos is left out, to choose by; 0 takes all.
        init: the folder of the training to begin from, or None for ImageNet's weights.
        fixed_backbone: step 1 too trains the RNN alone.
        model: for decoder and propagation network, the RNN's weights: the name of shipped ones or
            a file.
        frames, size: of a shot; the size is (H, W).
        shots: where the backbone is fixed, how many are drawn and kept.
        seed: of everything drawn, and of first weights.
        schedule: how long, and how fast.
    """

    step: str
    backbone: str
    weights: str | None
    videos: tuple[Path, ...]
    photos: tuple[Path, ...]
    hold_back: int
    init: Path | None
    fixed_backbone: bool
    model: str
    frames: int
    size: tuple[int, int]
    shots: int
    seed: int
    schedule: Schedule

    def run(
        self, out: Path, *, device: str, bar: Progress, progress: TrainingProgress, say: Say
    ) -> list[Path]:
        """Train, from the folder's checkpoint on if it has one.

        Args:
            out: the folder for weights, checkpoint, log and curve.
            device: where it runs.
            bar: told of shots whose features are made, in step 2.
            progress: told of iterations.
            say: told what a person should know.

        Returns:
            The files of weights.

        Raises:
            ClipError: there is no data.
            WeightsError: the folder holds another training, or ``init`` holds none.
        """
        where = find_device(device)
        roots = self._roots(say)
        drawing = Drawing(roots, self.frames, self.size, self.seed)
        settings = self._settings(roots)
        if self.step == "decoder":
            return self._decoder(out, drawing, settings, where, progress)
        if self.step == "refine":
            return self._refine(out, drawing, settings, where, progress)
        network = ContextNetwork(
            find_network(self.backbone).architecture,
            find_backbone_weights(self.backbone, self.weights),
            self.seed,
        ).train()
        if self.init is not None:
            load_weights(network.rnn, _made(self.init, RNN))
            if not self.fixed_backbone:
                load_weights(network.backbone, _made(self.init, BACKBONE))
        network.to(where)
        # Features that were kept under other settings are not taken for these.
        drawn = {name: settings[name] for name in DRAWN}
        step: Step
        if self.step == "2" or self.fixed_backbone:
            step = FixedBackbone(
                network,
                drawing,
                where,
                temporal=self.step == "2",
                shots=self.shots,
                folder=out / "features" / _digest(drawn),
            )
            step.prepare(bar)
        else:
            step = Step1(network, drawing, where)
        train(network, step, self.schedule, out, settings, progress)
        written = [out / RNN]
        reads = weights_fingerprint(self.backbone, self.weights)
        if not self.fixed_backbone:
            backbone = {n: t for n, t in network.backbone.state_dict().items() if _is_weight(n)}
            write_weights(out / BACKBONE, backbone, {})
            reads = fingerprint(out / BACKBONE)
            written.append(out / BACKBONE)
        widths = {name: str(width) for name, width in network.rnn.config.as_dict().items()}
        write_weights(out / RNN, network.rnn.state_dict(), {READS: reads, **widths})
        draw_losses(out / LOG, out / CURVE)
        return written

    def _decoder(
        self,
        out: Path,
        drawing: Drawing,
        settings: dict[str, Any],
        device: torch.device,
        progress: TrainingProgress,
    ) -> list[Path]:
        decoder = new_decoder(self.seed)
        if self.init is not None:
            load_weights(decoder, _made(self.init, DECODER))
        rnn = load_rnn(find_weights(self.model))
        step = DecoderStep(
            decoder, load_backbone(DEFAULT, device, self.weights), rnn, drawing, device
        )
        train(decoder, step, self.schedule, out, settings, progress)
        reads = {READS: weights_fingerprint(DEFAULT, self.weights)}
        write_weights(out / DECODER, decoder.state_dict(), reads)
        draw_losses(out / LOG, out / CURVE)
        return [out / DECODER]

    def _refine(
        self,
        out: Path,
        drawing: Drawing,
        settings: dict[str, Any],
        device: torch.device,
        progress: TrainingProgress,
    ) -> list[Path]:
        network = new_propagation(self.seed)
        if self.init is not None:
            load_weights(network, _made(self.init, REFINE))
        decoder = new_decoder()
        load_weights(decoder, find_weights(SHIPPED_DECODER))
        backbone = load_backbone(DEFAULT, device, self.weights)
        rnn = load_rnn(find_weights(self.model))
        step = RefineStep(
            network, decoder, backbone, rnn, drawing, self.schedule.iterations, device
        )
        train(network, step, self.schedule, out, settings, progress)
        reads = {READS: weights_fingerprint(DEFAULT, self.weights)}
        write_weights(out / REFINE, network.state_dict(), reads)
        draw_losses(out / LOG, out / CURVE)
        return [out / REFINE]

    def _roots(self, say: Say) -> list[list[Source]]:
        roots: list[list[Source]] = [list(open_photos(root)) for root in self.photos]
        for root in self.videos:
            videos = open_videos(root)
            back = videos[:: self.hold_back] if self.hold_back else []
            if back:
                say(f"held back: {', '.join(video.name for video in back)}")
            roots.append([video for video in videos if video not in back])
        if not all(roots) or not roots:
            raise WeightsError("nothing to train on; give --videos or --photos, hold less back")
        return roots

    def _settings(self, roots: list[list[Source]]) -> dict[str, Any]:
        """What a checkpoint must agree with: all that decides, data by name wherever it lies."""
        names = "\n".join(source.name for root in roots for source in root)
        refines = self.step == "refine"
        plays = refines or self.step == "decoder"
        init = {}
        if self.init is not None:
            files = [self.init / name for name in (BACKBONE, RNN, DECODER, REFINE)]
            init = {file.name: fingerprint(file) for file in files if file.is_file()}
        return {
            "step": self.step,
            "backbone": self.backbone,
            "weights": weights_fingerprint(self.backbone, self.weights),
            "data": _digest(names),
            "init": init,
            "frames": self.frames,
            "size": list(self.size),
            "fixed_backbone": self.fixed_backbone,
            "model": fingerprint(find_weights(self.model)) if plays else None,
            "decoder": fingerprint(find_weights(SHIPPED_DECODER)) if refines else None,
            "shots": self.shots,
            "seed": self.seed,
            **asdict(self.schedule),
        }


def new_decoder(seed: int = 0) -> Decoder:
    """An untrained decoder for the default network's features."""
    torch.manual_seed(seed)
    return Decoder([shape.channels for shape in find_network(DEFAULT).architecture.shapes])


def new_propagation(seed: int = 0) -> Propagation:
    """An untrained propagation network for the default network's features."""
    torch.manual_seed(seed)
    return Propagation([shape.channels for shape in find_network(DEFAULT).architecture.shapes])


def check_folder(out: Path, resume: bool) -> None:
    """Make sure that a folder is for this training.

    Raises:
        WeightsError: it holds a training and this is not to go on with it, or the other way round.
    """
    there = (out / CHECKPOINT).exists()
    if there and not resume:
        raise WeightsError(f"{out}: holds a training; go on with --resume, or name another --out")
    if resume and not there:
        raise WeightsError(f"{out}: no training to go on with; leave --resume out to begin one")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _made(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        raise WeightsError(f"{file}: missing; --init takes the --out of a finished training")
    return file


def _is_weight(name: str) -> bool:
    """Not a counter of training steps, which nothing reads."""
    return not name.endswith("num_batches_tracked")
