"""Where networks run, and that torch is not asked where there is nothing to ask about."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from vostool.errors import VostoolError
from vostool.pipeline import runtime
from vostool.pipeline.runtime import is_cpu


def asked(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """The names that torch is asked for, which answers with a device."""
    names: list[str] = []

    def find(name: str) -> torch.device:
        names.append(name)
        return torch.device(answer)

    monkeypatch.setattr(runtime, "find_device", find)
    return names


def test_the_cpu_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    names = asked(monkeypatch, "cuda")
    assert is_cpu("cpu") and names == []


def test_a_gpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = asked(monkeypatch, "cuda")
    assert not is_cpu("cuda") and names == ["cuda"]


def test_torch_is_asked_only_where_there_may_be_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    names = asked(monkeypatch, "cuda")
    monkeypatch.setattr(runtime, "GPUS", (str(tmp_path / "nvidiactl"),))
    assert is_cpu("auto") and names == []
    (tmp_path / "nvidiactl").touch()
    assert not is_cpu("auto") and names == ["auto"]
    monkeypatch.setattr(runtime, "GPUS", ())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not is_cpu("auto") and names == ["auto", "auto"]


def test_what_is_not_there_is_an_error() -> None:
    if torch.cuda.is_available():
        assert not is_cpu("cuda")
    else:
        with pytest.raises(VostoolError, match="no device 'cuda'"):
            is_cpu("cuda")
