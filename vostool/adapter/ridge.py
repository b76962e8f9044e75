"""Eq. 3: the classifier W that regresses samples onto their labels, in closed form.

    W* = (X X^T + λ I)^-1 X Y^T,    X (C, n) features, Y (K + 1, n) one-hot, background first.

X X^T and X Y^T are sums over samples, so each round adds to them and none is read twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vostool.errors import AdapterError
from vostool.scribbles import BACKGROUND

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SufficientStatistics:
    """What Eq. 3 needs of the samples.

    Attributes:
        object_ids: the class of each row below; the first is background.
        counts: (K + 1,) samples of each class.
        sums: (K + 1, C) the sum of each class's features: the columns of X Y^T.
        gram: (C, C) X X^T of all classes together.
    """

    object_ids: tuple[int, ...]
    counts: DoubleArray
    sums: DoubleArray
    gram: DoubleArray

    @classmethod
    def empty(cls, channels: int) -> SufficientStatistics:
        """Of no samples at all."""
        return cls(
            (BACKGROUND,), np.zeros(1), np.zeros((1, channels)), np.zeros((channels, channels))
        )

    @classmethod
    def of(
        cls, features: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]
    ) -> SufficientStatistics:
        """Of some samples: features (n, C) and labels (n,)."""
        classes = np.union1d([BACKGROUND], labels)
        x = features.astype(np.float64)
        belongs = (labels == classes[:, None]).astype(np.float64)
        object_ids = tuple(int(c) for c in classes)
        return cls(object_ids, belongs.sum(axis=1), belongs @ x, x.T @ x)

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        """Of both's samples together, whatever clips they are of."""
        object_ids = tuple(sorted({*self.object_ids, *other.object_ids}))
        counts, sums = np.zeros(len(object_ids)), np.zeros((len(object_ids), self.sums.shape[1]))
        for part in (self, other):
            rows = np.searchsorted(object_ids, part.object_ids)
            counts[rows] += part.counts
            sums[rows] += part.sums
        return SufficientStatistics(object_ids, counts, sums, self.gram + other.gram)


def solve(statistics: SufficientStatistics, ridge: float) -> DoubleArray:
    """Eq. 3's W (C, K + 1), by Cholesky in float64.

    Args:
        statistics: of all samples.
        ridge: λ > 0.

    Raises:
        AdapterError: there is no object sample, or no background sample, to tell apart.
    """
    if len(statistics.object_ids) < 2:
        raise AdapterError("no object has a stroke; draw on an object, not on background alone")
    if statistics.counts[0] == 0:
        raise AdapterError(
            "no background sample: the scribbles' boxes and the last masks cover the whole "
            "frame; draw a background stroke"
        )
    gram = statistics.gram.copy()
    gram[np.diag_indices_from(gram)] += ridge
    # numpy has no triangular solver: its general one would take seven times as long.
    import cv2

    solved, W = cv2.solve(gram, np.ascontiguousarray(statistics.sums.T), flags=cv2.DECOMP_CHOLESKY)
    if not solved:
        raise AdapterError("the samples' features are not finite; extract the clip again")
    return np.asarray(W, np.float64)
