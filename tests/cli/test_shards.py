"""Parts of many clips: together they are all of them, and no clip is in two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Vostool, moving_square


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Five clips of one frame."""
    return [str(moving_square(tmp_path / f"clip{k}", 1, (64, 80))) for k in range(5)]


@pytest.mark.parametrize("parts", [2, 7])
def test_shards_are_all_clips_once_each(vostool: Vostool, clips: list[str], parts: int) -> None:
    done = [vostool("extract", *clips, "--shard", f"{k + 1}/{parts}") for k in range(parts)]
    assert {one.status for one in done} == {0}
    parted = [one.out.split() for one in done]
    assert sorted(name for names in parted for name in names) == [f"clip{k}" for k in range(5)]
    assert max(map(len, parted)) - min(map(len, parted)) <= 1


def test_propagate_does_the_same_part_of_the_same_names(
    vostool: Vostool, clips: list[str], tmp_path: Path
) -> None:
    names = "".join(f"{Path(clip).name}\n" for clip in clips)
    extracted = vostool("extract", "-", "--shard", "2/3", stdin="\n".join(clips)).out
    assert extracted == "clip1\nclip4\n"
    assert vostool("propagate", "-", "--shard", "2/3", stdin=names).out == extracted


def test_render_does_a_part_of_the_names(vostool: Vostool, square_adapter: Path) -> None:
    ask = ("render", "-", "--adapter", square_adapter, "--out", "masks", "--shard")
    assert vostool(*ask, "2/2", stdin="square\n").out == "", "more parts than clips"
    assert vostool(*ask, "1/2", stdin="square\n").out == "masks/square\n"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "2", "a/b", "1/0", "-1/3", "/"])
def test_what_is_no_part_is_refused(vostool: Vostool, clips: list[str], shard: str) -> None:
    done = vostool("extract", *clips, "--shard", shard)
    assert done.status == 2 and done.errors[0].startswith("Error: Invalid value for '--shard'")


def test_names_are_looked_at_over_all_parts(vostool: Vostool, tmp_path: Path) -> None:
    twins = [moving_square(tmp_path / place / "twin", 1) for place in ("a", "b")]
    done = vostool("extract", *twins, "--shard", "1/2")
    assert done.status == 2 and "would both be called twin" in done.errors[0]
