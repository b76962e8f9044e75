"""One adapter over many clips, through the real command line: what it makes and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Done, Once, Vostool, moving_square, square_mask
from tests.test_over_clips import FRAMES, SIZES, fill
from vostool.adapter import Adapter
from vostool.images import read_mask

ADAPT = ("adapt", "square", "tall", "--scribbles", "square.json", "--scribbles", "tall.json")


@pytest.fixture
def clips(vostool: Vostool, once: Once, tmp_path: Path) -> Vostool:
    """The command line, with three clips in its store, and scribbles of the first two."""
    shutil.copytree(once("over-clips", fill) / "store", tmp_path / "store")
    for name, frame, right in (("square", 2, 0.45), ("tall", 1, 0.55)):
        strokes: list[object] = [
            {"path": [[0.25, 0.4], [right, 0.4]], "object_id": 1},
            {"path": [[0.1, 0.9], [0.9, 0.9]], "object_id": 0},
        ]
        rounds: list[list[object]] = [[] for _ in range(FRAMES)]
        rounds[frame] = strokes
        document = {"sequence": name, "scribbles": rounds}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return vostool


def right(folder: Path) -> list[float]:
    """J of each mask in a folder."""
    found = []
    for t, file in enumerate(sorted(folder.glob("*.png"))):
        mask = read_mask(file)
        truth = square_mask(t, (mask.shape[0], mask.shape[1]))
        found.append(float(((mask == 1) & truth).sum() / ((mask == 1) | truth).sum()))
    assert len(found) == FRAMES
    return found


def refused(done: Done, status: int, *words: str) -> None:
    assert done.status == status and len(done.errors) == 1 and done.out == "", done
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.errors[0], done.errors[0]


def test_fit_over_clips_and_apply_to_others(clips: Vostool, tmp_path: Path) -> None:
    done = clips(*ADAPT, "--out", "mice.h5", "--json")
    assert done.status == 0, done.err
    told = json.loads(done.out)
    assert (told["clips"], told["objects"], told["rounds"]) == (["square", "tall"], [1], 2)

    done = clips("render", "-", "--adapter", "mice.h5", "--out", "m", stdin="unseen\nsquare\n")
    assert (done.status, done.out) == (0, "m/unseen\nm/square\n"), done.err
    assert min(right(tmp_path / "m" / "unseen")) > 0.6 < min(right(tmp_path / "m" / "square"))
    alone = clips("render", "unseen", "--adapter", "mice.h5", "--out", "one")
    assert (alone.status, alone.out) == (0, "one\n")
    for file in (tmp_path / "one").glob("*.png"):
        again = tmp_path / "m" / "unseen" / file.name
        np.testing.assert_array_equal(read_mask(file), read_mask(again))

    suggested = clips("suggest", "-", "--adapter", "mice.h5", "--json", stdin="\n".join(SIZES))
    rows = [json.loads(line) for line in suggested.out.splitlines()]
    assert len(rows) == 3 and rows[0].keys() == {"clip", "frame", "worth"}
    assert rows[0]["clip"] in SIZES

    fix = json.loads((tmp_path / "square.json").read_text()) | {"sequence": "unseen"}
    (tmp_path / "fix.json").write_text(json.dumps(fix))
    words = ("adapt", "unseen", "--from", "mice.h5", "--scribbles", "fix.json", "--out", "mice2.h5")
    done = clips(*words)
    assert (done.status, done.out) == (0, "mice2.h5\n"), done.err
    names = [clip.name for clip in Adapter.read(tmp_path / "mice2.h5").clips]
    assert names == ["square", "tall", "unseen"]


def test_one_bad_clip_does_not_stop_the_others(clips: Vostool, tmp_path: Path) -> None:
    assert clips(*ADAPT, "--out", "mice.h5").status == 0
    chunk = next((tmp_path / "store" / "tall.zarr").rglob("c.0.0.0.0"))
    chunk.write_bytes(bytes([chunk.read_bytes()[0] ^ 1]) + chunk.read_bytes()[1:])
    listed = "nowhere\nunseen\ntall\n../x\nsquare\n"
    done = clips("render", "-", "--adapter", "mice.h5", "--out", "m", stdin=listed)
    assert (done.status, done.out) == (3, "m/unseen\nm/square\n"), done
    assert len(done.errors) == 3 and "Traceback" not in done.err
    assert "nowhere: no backbone features" in done.errors[0] and "damaged" in done.errors[1]
    assert "3 of 5 clips failed: nowhere, tall, ../x" in done.err
    assert sorted(entry.name for entry in (tmp_path / "m").iterdir()) == ["square", "unseen"]
    found = clips("suggest", "-", "--adapter", "mice.h5", "--json", stdin=listed)
    assert found.status == 3 and len(found.out.splitlines()) == 3
    assert {json.loads(line)["clip"] for line in found.out.splitlines()} <= {"unseen", "square"}
    none = clips("render", "-", "--adapter", "mice.h5", "--out", "n", stdin="nowhere\nno\n")
    assert none.status == 1 and "all 2 clips failed" in none.err and not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((*ADAPT, "--scribbles", "tall.json"), 2, ["2 clips, but --scribbles 3 times"]),
        (ADAPT[:5], 2, ["2 clips, but --scribbles 1 times"]),
        ((*ADAPT, "--masks", "known"), 2, ["--masks goes with one clip"]),
        ((*ADAPT, "--previous-masks", "store"), 2, ["--previous-masks goes with one clip"]),
        (("adapt", "tall", "square", *ADAPT[3:]), 1, ["square.json", "'square'", "'tall'"]),
        (("adapt", "square", "nowhere", *ADAPT[3:]), 1, ["nowhere", "vostool extract"]),
    ],
)
def test_strokes_must_find_their_clip(
    clips: Vostool, tmp_path: Path, words: tuple[str, ...], status: int, told: list[str]
) -> None:
    refused(clips(*words, "--out", "mice.h5"), status, *told)
    assert not (tmp_path / "mice.h5").exists()


def test_an_adapter_of_several_clips_asks_which(clips: Vostool, tmp_path: Path) -> None:
    assert clips(*ADAPT, "--out", "mice.h5").status == 0
    which = "learnt from 2 clips (square, tall); name the clip"
    out = ("--adapter", "mice.h5", "--out", "m")
    refused(clips("render", *out), 2, which)
    refused(clips("suggest", "--adapter", "mice.h5"), 2, which)
    words = ("--from", "mice.h5", "--scribbles", "square.json", "--out", "b.h5")
    refused(clips("adapt", *words), 2, which)
    refused(clips("render", "square", "unseen", *out, "--overlay", "o.mp4"), 2, "--overlay")
    assert not (tmp_path / "m").exists() and not (tmp_path / "b.h5").exists()


def test_a_clip_that_was_edited_is_no_longer_the_one_that_was_drawn_on(
    clips: Vostool, tmp_path: Path
) -> None:
    assert clips(*ADAPT, "--out", "mice.h5").status == 0
    shutil.rmtree(tmp_path / "store" / "tall.zarr")
    moving_square(tmp_path / "tall", FRAMES - 2, SIZES["tall"])
    assert clips("propagate", "-", stdin=clips("extract", tmp_path / "tall").out).status == 0
    done = clips("render", "tall", "--adapter", "mice.h5", "--out", "m")
    refused(done, 1, "fitted on tall when its frames were others", "vostool adapt tall")
    assert clips("extract", tmp_path / "tall", "--name", "tall2").status == 0
    assert clips("propagate", "tall2").status == 0
    assert clips("render", "tall2", "--adapter", "mice.h5", "--out", "m").status == 0
