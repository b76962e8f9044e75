"""Protects the tests themselves: what they call is what a process of its own would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Vostool


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        ((), ""),
        (("--version",), ""),
        (("render", "--help"), ""),
        (("nosuch",), ""),
        (("extract", "-"), "no1\n\nno2\n"),
        (("propagate", "-"), ""),
        (("adapt", "square", "--scribbles", "none.json", "--out", "a.h5"), "unread" * 100_000),
        (("extract", "square", "--json"), ""),
        (("store", "ls"), ""),
    ],
)
def test_a_call_is_as_a_process(
    vostool: Vostool,
    vostool_process: Vostool,
    square_clip: Path,
    words: tuple[str, ...],
    stdin: str,
) -> None:
    assert vostool(*words, stdin=stdin) == vostool_process(*words, stdin=stdin)


def test_a_call_has_the_callers_environment(
    vostool: Vostool, square_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_STORE", str(tmp_path / "elsewhere"))
    assert vostool("extract", "square").out == "square\n"
    assert (tmp_path / "elsewhere" / "square.zarr").is_dir()
