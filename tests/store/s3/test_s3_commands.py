"""The commands on a store in a bucket do what they do on one on a disk."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Vostool
from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT


def test_from_frames_to_masks(
    vostool: Vostool, s3: S3Server, square_clip: Path, square_scribbles: Path, tmp_path: Path
) -> None:
    """All of it on both, and the masks are the same, byte for byte."""
    for store, out in ((ROOT, "bucket"), (str(tmp_path / "folder"), "disk")):
        for words in (
            ("extract", square_clip),
            ("propagate", "square"),
            ("adapt", "square", "--scribbles", square_scribbles, "--out", f"{out}.h5"),
            ("render", "--adapter", f"{out}.h5", "--out", out, "--overlay", f"{out}.mp4"),
            ("suggest", "--adapter", f"{out}.h5"),
        ):
            done = vostool(*words, "--store", store)
            assert done.status == 0, done.err
    masks = {file.name: file.read_bytes() for file in (tmp_path / "bucket").glob("*.png")}
    assert masks == {file.name: file.read_bytes() for file in (tmp_path / "disk").glob("*.png")}
    assert len(masks) == 12
    assert {file.name for file in tmp_path.iterdir()} <= {
        "square", "square.json", "cache", "folder", "disk", "bucket", "disk.h5", "bucket.h5",
        "disk.mp4", "bucket.mp4",
    }, "nothing of the store is on the disk"  # fmt: skip


def test_what_is_there_is_done_at_once_and_listed(
    vostool: Vostool, s3: S3Server, square_clip: Path
) -> None:
    assert vostool("extract", square_clip, "--store", ROOT).status == 0
    s3.requests.clear()
    assert vostool("extract", square_clip, "--store", ROOT).status == 0
    assert set(s3.requests) == {"GET"}, "nothing is written"
    (row,) = map(json.loads, vostool("store", "ls", "--json", "--store", ROOT).out.splitlines())
    assert row["clip"] == "square" and row["frames"] == 12 and row["bytes"] > 1e6
    told = vostool("store", "verify", "--store", ROOT).out
    assert told == "square efficientnet-lite0 backbone whole\n"
    key = next(key for key in s3.objects() if "/c.0" in key)
    s3.write(key, bytes(len(s3.read(key))))
    done = vostool("store", "verify", "--store", ROOT)
    assert done.status == 1 and f"damaged: s3://clips/{key}" in done.err
    assert vostool("store", "rm", "square", "--store", ROOT).out == "square\n"
    assert vostool("store", "ls", "--store", ROOT).out == ""


def test_a_clip_that_has_moved_is_found_again(
    vostool: Vostool, s3: S3Server, square_clip: Path, tmp_path: Path
) -> None:
    assert vostool("extract", square_clip, "--store", ROOT).status == 0
    square_clip.rename(tmp_path / "moved")
    words = ("extract", tmp_path / "moved", "--name", "square", "--store", ROOT)
    s3.requests.clear()
    assert vostool(*words).status == 0
    assert s3.requests["PUT"] == 3, "the lock's two, and where it lies now"
    s3.requests.clear()
    assert vostool(*words).status == 0
    assert s3.requests["PUT"] == 0
