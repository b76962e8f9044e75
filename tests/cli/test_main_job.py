"""The main job, end to end through the real command line, on real footage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import DAVIS, EXAMPLES, Vostool
from vostool.backbones import DEFAULT
from vostool.clips import open_clip
from vostool.davis.metrics import jaccard
from vostool.images import read_mask
from vostool.writers.png import mask_file

SHOT = "187:242"
FRAMES = 55


def test_two_rounds_on_the_sample_clip(
    vostool_process: Vostool, bikes: Path, tmp_path: Path
) -> None:
    vostool = vostool_process
    assert vostool("extract", bikes, "--frames", SHOT).out == "bikes\n"
    again = vostool("extract", bikes, "--frames", SHOT)
    assert (again.status, again.out, again.err) == (0, "bikes\n", "")
    assert vostool("propagate", "bikes").out == "bikes\n"

    first = vostool("adapt", "bikes", "--scribbles", EXAMPLES / "bikes.json", "--out", "1.h5")
    assert (first.status, first.out) == (0, "1.h5\n")
    second = vostool(
        *("adapt", "bikes", "--scribbles", EXAMPLES / "bikes-round2.json"),
        *("--from", "1.h5", "--out", "2.h5", "--json"),
    )
    told = json.loads(second.out)
    assert (told["rounds"], told["objects"]) == (2, [1, 2])

    done = vostool("render", "bikes", "--adapter", "2.h5", "--out", "m", "--overlay", "look.mp4")
    assert (done.status, done.out) == (0, "m\n")
    files = sorted((tmp_path / "m").glob("*.png"))
    assert [file.name for file in files] == [f"{t:05d}.png" for t in range(FRAMES)]
    with Image.open(files[2]) as mask:
        assert (mask.mode, mask.size) == ("P", (640, 272))
        labels = np.asarray(mask)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert labels[120, 195] == 1, "the walker's leg"
    assert labels[220, 275] == 2, "the bollard"
    assert labels[40, 280] == 0, "the wall"
    assert read_mask(files[-1])[220, 198] == 2, "the bollard, 52 frames later"
    assert len(list(open_clip(tmp_path / "look.mp4").frames())) == FRAMES


def test_segment_does_all_of_it(
    vostool: Vostool, square_clip: Path, square_scribbles: Path
) -> None:
    done = vostool("segment", square_clip, "--scribbles", square_scribbles, "--out", "m")
    assert (done.status, done.out) == (0, "m\n")
    masks = square_clip.parent / "m"
    assert len(list(masks.glob("*.png"))) == 12 and (masks / "adapter.h5").exists()


def test_a_pipeline_of_names(vostool: Vostool, square_clip: Path) -> None:
    extracted = vostool("extract", "-", stdin=f"{square_clip}\n")
    assert extracted.out == "square\n"
    propagated = vostool("propagate", "-", stdin=extracted.out)
    assert (propagated.status, propagated.out) == (0, "square\n")


def test_json_lines(vostool: Vostool, square_clip: Path) -> None:
    told = json.loads(vostool("extract", square_clip, "--json").out)
    assert (told["clip"], told["frames"]) == ("square", 12)
    rows = [json.loads(line) for line in vostool("store", "ls", "--json").out.splitlines()]
    assert [(row["clip"], row["stage"], row["frames"]) for row in rows] == [
        ("square", "backbone", 12)
    ]
    assert rows[0]["stamp"]["made_from"]["backbone"] == "efficientnet-lite0"


@pytest.mark.usefixtures("square_adapter")
def test_verify_names_the_damaged_chunk(vostool: Vostool, tmp_path: Path) -> None:
    backbone, context = (f"square {DEFAULT} {stage}" for stage in ("backbone", "context"))
    assert vostool("store", "verify").out == f"{backbone} whole\n{context} whole\n"
    chunk = tmp_path / "store" / "square.zarr" / DEFAULT / "backbone" / "s16" / "c.1.0.0.0"
    damaged = bytearray(chunk.read_bytes())
    damaged[100] ^= 4
    chunk.write_bytes(damaged)
    verified = vostool("store", "verify")
    assert verified.status == 1 and verified.out == f"{backbone} damaged\n{context} whole\n"
    assert str(Path("s16") / "c.1.0.0.0") in verified.err
    rendered = vostool("render", "square", "--adapter", "a.h5", "--out", "m")
    assert rendered.status == 1 and len(rendered.errors) == 1
    assert "c.1.0.0.0" in rendered.errors[0] and not (tmp_path / "m").exists()
    assert vostool("store", "rm", "square").status == 0
    assert vostool("store", "ls", "--json").out == ""


@pytest.mark.shared
@pytest.mark.parametrize("sequence", ["flamingo", "bear"])
def test_davis_sequences(vostool: Vostool, tmp_path: Path, sequence: str) -> None:
    assert vostool("extract", sequence, "--davis-root", DAVIS).status == 0
    assert vostool("propagate", sequence).status == 0
    scribbles = DAVIS / "Scribbles" / sequence / "001.json"
    vostool("adapt", sequence, "--scribbles", scribbles, "--out", "a.h5")
    done = vostool("render", sequence, "--adapter", "a.h5", "--out", "m")
    assert done.status == 0
    folder = DAVIS / "Annotations" / "480p" / sequence
    frames = len(list(folder.iterdir()))
    truth = np.stack([read_mask(mask_file(folder, t)) for t in range(frames)])
    masks = np.stack([read_mask(mask_file(tmp_path / "m", t)) for t in range(frames)])
    assert jaccard(truth, masks, [1]).mean() > 0.3
