"""DINOv2-S: a vision transformer that tells things apart, beside the default network.

ViT-S/14 of Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (TMLR 2024),
which learnt from 142 million pictures and no label. Parameters carry the names of the published
state dict.

It sees a frame as patches of 14 by 14 pixels. The frame is resampled so that the patch (i, j) is
centred on the pixel (s·i, s·j) of the stride s, as every network's vertices are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.backbones.architecture import Architecture, FeatureExtractor
from vostool.backbones.backbone import LevelShape
from vostool.checkpoints import read_tensors
from vostool.pyramid import FloatArray, between
from vostool.weights import find_weights

WIDTH, HEADS, DEPTH = 384, 6, 12
PATCH = 14
PLACES = 37
"""Patches a side of the position embeddings: those of pictures of 518 by 518 pixels."""
OFFSET = 0.1
"""Added to the sides of the position embeddings' grid when they are resized, as in training."""
EPSILON = 1e-6
PATCH_STRIDE = 24
"""The frame's pixels from one patch to the next: at 480p, 37 by 21 patches."""
STRIDE = 16
"""Of what is given: on the vertices of another level, so that networks read both as one."""
READ = (9, 12)
"""The blocks whose output is read."""
CHANNELS = 128
"""Of what is given: the parts of both blocks that differ most from one vertex to another."""
PROJECTION = "dinov2-small-projection"
"""The name of the shipped weights that bring both blocks' output to it."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Attention(nn.Module):
    """Every patch asks all others."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        answer = functional.scaled_dot_product_attention(*qkv.unbind())
        projected: Tensor = self.proj(answer.transpose(1, 2).reshape(batch, tokens, WIDTH))
        return projected


class Mlp(nn.Module):
    """Two layers, for each patch alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return result


class LayerScale(nn.Module):
    """A gain a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Attention and MLP, each added to what goes in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn, self.ls1 = _norm(), Attention(), LayerScale()
        self.norm2, self.mlp, self.ls2 = _norm(), Mlp(), LayerScale()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        result: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return result


def _norm() -> nn.LayerNorm:
    return nn.LayerNorm(WIDTH, eps=EPSILON)


class PatchEmbedding(nn.Module):
    """Patches as tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x)
        return patches


class DinoV2(FeatureExtractor):
    """The network, from frames normalised as ImageNet's to what some blocks put out."""

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PLACES * PLACES, WIDTH))
        self.patch_embed = PatchEmbedding()
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = _norm()
        # A buffer that is in no file of the network's weights.
        for name, tensor in read_tensors(find_weights(PROJECTION)).items():
            self.register_buffer(name, tensor.float(), persistent=False)

    def stages(self, x: Tensor) -> list[Tensor]:
        """One, at stride 16: (B, CHANNELS, h, w)."""
        projected = functional.conv2d(self.seen(x), self.weight, self.bias)
        rows, columns = (_as(x, onto_vertices(length)) for length in x.shape[-2:])
        return [rows @ projected @ columns.T]

    def seen(self, x: Tensor) -> Tensor:
        """What the blocks that are read put out, each of unit length a patch: (B, C, h, w)."""
        rows, columns = (_as(x, resampling(length)) for length in x.shape[-2:])
        grids = self.grids(rows @ x @ columns.T)
        return torch.cat([functional.normalize(grid, dim=1) for grid in grids], 1)

    def grids(self, x: Tensor) -> list[Tensor]:
        """What each block that is read puts out, after the last norm: (B, WIDTH, h, w).

        Args:
            x: (B, 3, PATCH * h, PATCH * w).
        """
        patches = self.patch_embed(x)
        h, w = patches.shape[-2:]
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], 1) + self.places(h, w)
        grids = []
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            if number in READ:
                grids.append(self.norm(tokens)[:, 1:].transpose(1, 2).reshape(len(x), WIDTH, h, w))
        return grids

    def places(self, h: int, w: int) -> Tensor:
        """The position embeddings (1, 1 + h * w, WIDTH) of a grid, resized as in training."""
        if (h, w) == (PLACES, PLACES):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].float().transpose(1, 2).reshape(1, WIDTH, PLACES, PLACES)
        scale = ((h + OFFSET) / PLACES, (w + OFFSET) / PLACES)
        resized = functional.interpolate(grid, scale_factor=scale, mode="bicubic")
        return torch.cat(
            [self.pos_embed[:, :1], resized.flatten(2).transpose(1, 2).to(self.pos_embed)], 1
        )


@cache
def resampling(length: int) -> FloatArray:
    """The matrix (PATCH * count, length) that brings a line of the frame to that of its patches.

    Averaged over as much as a pixel of a patch covers; beyond the frame its edge goes on.
    """
    step = PATCH_STRIDE / PATCH
    centres = (np.arange(PATCH * _patches(length)) - (PATCH - 1) / 2) * step
    pixels = np.arange(-PATCH_STRIDE, length + PATCH_STRIDE)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - pixels) / step)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(centres), length))
    np.add.at(matrix.T, np.clip(pixels, 0, length - 1), weights.T)
    return matrix.astype(np.float32)


@cache
def onto_vertices(length: int) -> FloatArray:
    """The matrix that brings a line of patches to the vertices of the stride that is given."""
    return between(STRIDE, -(-length // STRIDE), PATCH_STRIDE, _patches(length))


def _patches(length: int) -> int:
    """How many cover a line of the frame, the first centred on its first pixel."""
    return (length - 1 + PATCH_STRIDE // 2) // PATCH_STRIDE + 1


def _as(x: Tensor, matrix: FloatArray) -> Tensor:
    return torch.from_numpy(matrix).to(x)


def normalised(frames: Tensor) -> Tensor:
    """What the network takes, (B, 3, H, W), of frames (B, H, W, 3) in 0..255, RGB."""
    mean, deviation = (frames.new_tensor(v, dtype=torch.float32) for v in (MEAN, DEVIATION))
    return ((frames.float() / 255 - mean) / deviation).permute(0, 3, 1, 2)


IN_TRANSFORMERS = (
    (r"^backbone\.", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.", ""),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layer_scale(\d)\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)
"""From the names of Hugging Face's port to the published ones."""


def published(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors as the published state dict has them.

    Args:
        tensors: of that itself; of Hugging Face's port, which keeps three matrices where it has
            one; or of an ONNX file made of the port, which has cut the position embeddings in two.
    """
    named = {}
    for name, tensor in tensors.items():
        for pattern, ours in IN_TRANSFORMERS:
            name = re.sub(pattern, ours, name)
        named[name] = tensor
    for block in range(DEPTH):
        for kind in ("weight", "bias"):
            parts = [f"blocks.{block}.attn.{part}.{kind}" for part in ("query", "key", "value")]
            _join(named, parts, f"blocks.{block}.attn.qkv.{kind}", dim=0)
    _join(named, ["Concat_6", "Reshape_1"], "pos_embed", dim=1)
    return named


def _join(tensors: dict[str, Tensor], parts: Sequence[str], whole: str, dim: int) -> None:
    """Put one tensor in the place of its parts, if they are all there."""
    if all(part in tensors for part in parts):
        tensors[whole] = torch.cat([tensors.pop(part) for part in parts], dim)


def without_mask(name: str) -> str | None:
    """A tensor's name, if a picture without holes needs it."""
    return None if name == "mask_token" or name.startswith("decoder.") else name


ARCHITECTURE = Architecture(
    build=DinoV2,
    rename=without_mask,
    arrange=published,
    normalise=normalised,
    shapes=(LevelShape(STRIDE, (0,), CHANNELS, name="s16-dinov2"),),
)
