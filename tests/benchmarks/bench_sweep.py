"""The RNN sweep against the reference, against per-frame anti-diagonals, and against the machine.

    python tests/benchmarks/bench_sweep.py

The last columns are shares of the rate of a large matrix product, measured in the same run: of the
sweep's products alone (K and K_d), and of the whole layer's (U, K, K_d, V).
"""

from __future__ import annotations

import torch
from common import best_of, table
from torch import Tensor

from vostool.strnn.directions import DIRECTIONS
from vostool.strnn.in_place import InPlaceLayer
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN
from vostool.strnn.reference import reference_forward

HEIGHT, WIDTH = 60, 107  # stride 8 at 480p
FRAMES, INPUTS, CHANNELS = 8, 768, 128


def by_anti_diagonals(drive: Tensor, K_space: Tensor, K_time: Tensor) -> Tensor:
    """Frame after frame, all (i, j) of one i + j at once: T (H + W - 1) dependent steps."""
    directions, frames, height, width, _ = drive.shape
    h = torch.zeros(directions, frames, height + 1, width + 1, drive.shape[-1])
    for t in range(frames):
        past = h[:, t - 1, 1:, 1:] @ K_time if t else torch.zeros_like(drive[:, 0])
        for s in range(height + width - 1):
            i = torch.arange(max(0, s - width + 1), min(height, s + 1))
            j = s - i
            neighbours = h[:, t, i, j + 1] + h[:, t, i + 1, j] + h[:, t, i, j]
            outside = drive[:, t, i, j] + past[:, i, j]
            h[:, t, i + 1, j + 1] = torch.baddbmm(outside, neighbours, K_space).relu_()
    return h[:, :, 1:, 1:]


@torch.inference_mode()
def main() -> None:
    """Print both tables."""
    square = torch.randn(2048, 2048)
    peak = 2 * 2048**3 / best_of(lambda: square @ square, 5)

    rnn = SpatioTemporalRNN(RNNConfig(INPUTS, CHANNELS, CHANNELS))
    x = torch.randn(FRAMES, HEIGHT, WIDTH, INPUTS)
    layer = best_of(lambda: rnn(x))
    drive = torch.randn(len(DIRECTIONS), FRAMES, HEIGHT, WIDTH, CHANNELS)
    in_place = InPlaceLayer(drive, *drive.shape[1:])
    for sweeping, values in zip(in_place.sweeps, drive, strict=True):
        sweeping.vertices.copy_(values)
    sweep = best_of(lambda: in_place.sweep(rnn.K_space, rnn.K_time))
    diagonals = best_of(lambda: by_anti_diagonals(drive, rnn.K_space, rnn.K_time))

    vertices = FRAMES * HEIGHT * WIDTH * len(DIRECTIONS)
    in_sweep = 2 * vertices * 2 * CHANNELS**2
    in_layer = in_sweep + 2 * vertices * (INPUTS + CHANNELS) * CHANNELS
    table(
        f"The sweep at 480p, {FRAMES} frames, {CHANNELS} channels",
        ("what", "ms a frame", "times as fast as anti-diagonals", "share of matrix-product rate"),
        [
            ("matrix product, 2048 x 2048", f"{peak / 1e9:.0f} GFLOP/s", "", "100 %"),
            (
                "per-frame anti-diagonals",
                f"{diagonals / FRAMES * 1e3:.1f}",
                "1.0",
                f"{in_sweep / diagonals / peak:.0%}",
            ),
            (
                "planes i + j + t (K, K_d)",
                f"{sweep / FRAMES * 1e3:.1f}",
                f"{diagonals / sweep:.1f}",
                f"{in_sweep / sweep / peak:.0%}",
            ),
            (
                "the whole layer (U, K, K_d, V)",
                f"{layer / FRAMES * 1e3:.1f}",
                "",
                f"{in_layer / layer / peak:.0%}",
            ),
        ],
    )
    small = torch.randn(2, 12, 16, INPUTS)
    slow = best_of(lambda: reference_forward(rnn, small), 1)
    fast = best_of(lambda: rnn(small))
    table(
        "Against the reference, 2 frames of 12 x 16",
        ("reference, ms", "fast, ms", "times as fast"),
        [(f"{slow * 1e3:.0f}", f"{fast * 1e3:.1f}", f"{slow / fast:.0f}")],
    )


if __name__ == "__main__":
    main()
