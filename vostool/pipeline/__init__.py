"""Extract, propagate, adapt, render as plain functions: the Python API, and what the CLI calls.

torch is imported by the two heavy stages alone, so that adapting and rendering start fast.
"""

from vostool.pipeline.adaption import adapt
from vostool.pipeline.extraction import NETWORK_HEIGHT, extract
from vostool.pipeline.labelling import Labeller, find_labeller
from vostool.pipeline.masking import check_belongs, predict, predict_together
from vostool.pipeline.matching import check_models
from vostool.pipeline.propagation import propagate
from vostool.pipeline.refining import Refiner, refined
from vostool.pipeline.rendering import render
from vostool.pipeline.telling import Progress, Say

__all__ = [
    "NETWORK_HEIGHT",
    "Labeller",
    "Progress",
    "Refiner",
    "Say",
    "adapt",
    "check_belongs",
    "check_models",
    "extract",
    "find_labeller",
    "predict",
    "predict_together",
    "propagate",
    "refined",
    "render",
]
