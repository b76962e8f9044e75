"""Errors as one line that names the thing and the mend, in the words of the command line."""

from __future__ import annotations

from vostool.backbones import DEFAULT
from vostool.errors import (
    BrokenStageError,
    ClipNameError,
    MissingStageError,
    StaleStageError,
    UnknownClipError,
    VostoolError,
)


def one_line(problem: VostoolError) -> str:
    """What to print of an error: what it says, and which command mends it."""
    return " ".join(f"{problem}{_mend(problem)}".split())


def _mend(problem: VostoolError) -> str:
    if isinstance(problem, MissingStageError):
        command = "vostool extract CLIP"
        if problem.stage == "context":
            command = f"vostool propagate {problem.clip}"
        return f"; make them with: {command}{_backbone(problem.network)}"
    if isinstance(problem, StaleStageError):
        option = _backbone(problem.network)
        return f"; make it again with: vostool propagate {problem.clip}{option}"
    if isinstance(problem, BrokenStageError):
        option = _backbone(problem.network)
        return f"; remove it with: vostool store rm {problem.clip}{option} --stage {problem.stage}"
    if isinstance(problem, UnknownClipError):
        return "; see: vostool store ls"
    return "; give another with --name" if isinstance(problem, ClipNameError) else ""


def _backbone(network: str) -> str:
    return "" if network == DEFAULT else f" --backbone {network}"
