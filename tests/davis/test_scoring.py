"""`vostool score` gives the semi-supervised measure, of any method's masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Vostool
from tests.davis.roots import labels_at
from vostool.davis.metrics import f_measure, jaccard
from vostool.davis.scoring import match, score
from vostool.errors import DavisError

FRAMES = 40  # more than are read at a time


def write(folder: Path, labels: tuple[int, ...], shift: int = 0, frames: int = FRAMES) -> Path:
    folder.mkdir(parents=True)
    for t in range(frames):
        Image.fromarray(labels_at(t % 5, labels, shift)).save(folder / f"{t:05d}.png")
    return folder


def test_scores_are_means_without_the_first_and_the_last_frame(tmp_path: Path) -> None:
    truth, masks = write(tmp_path / "truth", (1, 2)), write(tmp_path / "masks", (1, 2), shift=3)
    Image.fromarray(labels_at(0, (2, 1))).save(masks / "00000.png")

    (pair,) = match(masks, truth)
    one, two = score(pair)

    inner = [t % 5 for t in range(1, FRAMES - 1)]
    true_maps = np.stack([labels_at(t, (1, 2)) for t in inner])
    maps = np.stack([labels_at(t, (1, 2), 3) for t in inner])
    assert (one.object_id, two.object_id, one.frames) == (1, 2, FRAMES - 2)
    assert [one.j, two.j] == pytest.approx(jaccard(true_maps, maps, (1, 2)).mean(axis=0))
    assert [one.f, two.f] == pytest.approx(f_measure(true_maps, maps, (1, 2)).mean(axis=0))
    assert one.j_and_f == pytest.approx((one.j + one.f) / 2)

    (every,) = match(masks, truth, all_frames=True)
    assert score(every)[0].frames == FRAMES
    assert score(every)[0].j < one.j


@pytest.mark.parametrize(("in_truth", "in_masks"), [(1, 255), (255, 1), (255, 255), (4, 1)])
def test_one_object_is_scored_whatever_its_label(
    tmp_path: Path, in_truth: int, in_masks: int
) -> None:
    truth, masks = write(tmp_path / "truth", (in_truth,)), write(tmp_path / "masks", (in_masks,))
    (only,) = score(match(masks, truth)[0])
    assert (only.object_id, only.j, only.f) == (in_truth, 1.0, 1.0)


def test_two_objects_are_not_taken_for_each_other(tmp_path: Path) -> None:
    truth, masks = write(tmp_path / "truth", (1, 2)), write(tmp_path / "masks", (2, 1))
    assert [one.j for one in score(match(masks, truth)[0])] == [0.0, 0.0]


def test_what_belongs_to_nothing_counts_for_nothing(tmp_path: Path) -> None:
    truth, masks = write(tmp_path / "truth", (1, 255)), write(tmp_path / "masks", (1, 1))
    (only,) = score(match(masks, truth)[0])
    assert (only.object_id, only.j, only.f) == (1, 1.0, 1.0)


def test_the_command_prints_a_table_that_awk_can_read(vostool: Vostool, tmp_path: Path) -> None:
    truth, masks = tmp_path / "truth", tmp_path / "masks"
    for name, shift in (("a", 0), ("b", 3)):
        write(truth / name, (1,))
        write(masks / name, (1,), shift)
    (masks / ".hidden").mkdir()
    write(truth / "without masks", (1,))

    done = vostool("score", masks, truth)

    assert done.status == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["sequence", "object", "J", "F", "J&F"]
    assert lines[1] == ["a", "1", "1.000", "1.000", "1.000"]
    assert lines[2][:2] == ["b", "1"] and lines[3][0] == "mean"
    assert float(lines[3][1]) == pytest.approx((1 + float(lines[2][2])) / 2, abs=2e-3)
    assert "no masks for 1 of 3 sequences" in done.err

    records = [
        json.loads(line) for line in vostool("score", masks, truth, "--json").out.splitlines()
    ]
    assert [record.get("sequence") for record in records] == ["a", "b", None]
    assert records[0]["j_and_f"] == 1.0 and records[1]["frames"] == FRAMES - 2
    assert records[2]["mean"]["j"] == pytest.approx((1 + records[1]["j"]) / 2)


def test_bad_input_is_one_line(vostool: Vostool, tmp_path: Path) -> None:
    truth, masks = write(tmp_path / "truth", (1,)), write(tmp_path / "masks", (1,))
    (masks / "00007.png").unlink()
    assert "00007.png: missing; 37 of 38" in vostool("score", masks, truth).errors[0]
    Image.fromarray(np.ones((5, 4), np.uint8)).save(masks / "00007.png")
    assert "is 4x5, its annotation is 128x96" in vostool("score", masks, truth).errors[0]
    (masks / "00007.png").write_text("text")
    assert "not a whole image" in vostool("score", masks, truth).errors[0]
    Image.fromarray(labels_at(7 % 5, (1,))).save(masks / "00007.png")
    done = vostool("score", tmp_path / "absent", truth)
    assert done.status == 1 and "absent: no such folder" in done.errors[0]

    def told(mask_folder: Path, truth_folder: Path) -> str:
        with pytest.raises(DavisError) as raised:
            for pair in match(mask_folder, truth_folder):
                score(pair)
        return str(raised.value)

    short = write(tmp_path / "short", (1,), frames=2)
    assert "no frame to score" in told(short, short)
    (tmp_path / "empty").mkdir()
    assert "name the sequence's annotations" in told(masks, tmp_path)
    assert "no PNGs" in told(tmp_path / "empty", tmp_path)
    write(tmp_path / "many" / "x", (1,))
    assert "no annotations" in told(tmp_path / "many", tmp_path / "empty")
    assert "not one object" in told(masks, write(tmp_path / "blank", ()))
