"""Eq. 3: the classifier W that regresses samples onto their labels, in closed form.

    W* = (X X^T + λ I)^-1 X Y^T,    X (C, n) features, Y (K + 1, n) one-hot, background first.

X X^T and X Y^T are sums over samples, so each round adds to them and none is read twice. They are
kept per class, for classes may be weighted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vostool.errors import AdapterError
from vostool.scribbles import BACKGROUND

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What Eq. 3 needs of the samples, by class.

    Attributes:
        object_ids: the class of each row below; the first is background.
        counts: (K + 1,) samples of each class.
        first: (K + 1, C) the sum of each class's features: the columns of X Y^T.
        second: (K + 1, C, C) each class's share of X X^T.
    """

    object_ids: tuple[int, ...]
    counts: DoubleArray
    first: DoubleArray
    second: DoubleArray

    @classmethod
    def none(cls, channels: int) -> Moments:
        """Of no samples at all."""
        return cls(
            (BACKGROUND,), np.zeros(1), np.zeros((1, channels)), np.zeros((1, channels, channels))
        )

    def plus(self, features: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> Moments:
        """With some more samples: features (n, C) and labels (n,)."""
        classes = np.union1d(self.object_ids, labels)
        object_ids = tuple(int(c) for c in classes)
        channels = self.first.shape[1]
        counts, first = np.zeros(len(classes)), np.zeros((len(classes), channels))
        second = np.zeros((len(classes), channels, channels))
        for row, object_id in enumerate(object_ids):
            x = features[labels == object_id].astype(np.float64)
            counts[row], first[row], second[row] = len(x), x.sum(0), x.T @ x
            if object_id in self.object_ids:
                known = self.object_ids.index(object_id)
                counts[row] += self.counts[known]
                first[row] += self.first[known]
                second[row] += self.second[known]
        return Moments(object_ids, counts, first, second)


def solve(moments: Moments, ridge: float, weighting: str) -> DoubleArray:
    """Eq. 3's W (C, K + 1), by Cholesky in float64.

    Args:
        moments: of all samples.
        ridge: λ > 0.
        weighting: ``samples`` or ``classes``, see :class:`vostool.adapter.presets.Preset`.

    Raises:
        AdapterError: there is no object sample, or no background sample, to tell apart.
    """
    if len(moments.object_ids) < 2:
        raise AdapterError("no object has a stroke; draw on an object, not on background alone")
    if moments.counts[0] == 0:
        raise AdapterError(
            "no background sample: the scribbles' boxes and the last masks cover the whole "
            "frame; draw a background stroke"
        )
    weights = np.ones(len(moments.counts))
    if weighting == "classes":
        weights = 1 / (len(moments.counts) * np.maximum(moments.counts, 1))
    gram = np.tensordot(weights, moments.second, axes=1)
    gram[np.diag_indices_from(gram)] += ridge
    lower = np.linalg.cholesky(gram)
    targets = (weights[:, None] * moments.first).T
    return np.linalg.solve(lower.T, np.linalg.solve(lower, targets))
