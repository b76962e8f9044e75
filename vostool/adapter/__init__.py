"""§2.3, online adaption: which pixels are samples, the ridge solution, the file that keeps both.

numpy and h5py alone, so that ``vostool adapt`` starts fast.
"""

from vostool.adapter.file import Adapter, Provenance, read_adapter, write_adapter
from vostool.adapter.presets import PRESETS, Preset
from vostool.adapter.ridge import Moments, solve
from vostool.adapter.sampling import Samples, sample_round, scribbled_pixels

__all__ = [
    "PRESETS",
    "Adapter",
    "Moments",
    "Preset",
    "Provenance",
    "Samples",
    "read_adapter",
    "sample_round",
    "scribbled_pixels",
    "solve",
    "write_adapter",
]
