"""§2.3, online adaption: which pixels are samples, the ridge solution, the file that keeps both.

numpy and h5py alone, so that ``vostool adapt`` starts fast.
"""

from vostool.adapter.file import Adapter
from vostool.adapter.fitting import fit
from vostool.adapter.lessons import LearntClip, Lesson, Provenance
from vostool.adapter.ridge import SufficientStatistics, solve
from vostool.adapter.sampling import Samples, sample_round, scribbled_pixels

__all__ = [
    "Adapter",
    "LearntClip",
    "Lesson",
    "Provenance",
    "Samples",
    "SufficientStatistics",
    "fit",
    "sample_round",
    "scribbled_pixels",
    "solve",
]
