"""Sequences are read from the files of any DAVIS-layout root, and bad ones are told in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import DAVIS
from tests.davis.roots import FRAMES, HEIGHT, WIDTH, folders, labels_at, make_root
from vostool.davis.root import read_root
from vostool.errors import DavisError, VostoolError


def test_facts_come_from_the_files(tmp_path: Path) -> None:
    two, one = read_root(make_root(tmp_path, {"two": (1, 2), "one": (1,)}, first_rounds=3))

    assert (two.name, two.frames, two.objects, len(two.scribbles)) == ("two", FRAMES, 2, 3)
    assert (one.name, one.object_ids, one.clip.size) == ("one", (1,), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(two.truth()[3], labels_at(3, (1, 2)))


@pytest.mark.parametrize("label", [1, 7, 255])
def test_one_object_may_have_any_label(tmp_path: Path, label: int) -> None:
    """DAVIS-2016 has 255; the scribbles call it 1."""
    (sequence,) = read_root(make_root(tmp_path, {"clip": (label,)}))

    assert sequence.object_ids == (label,)
    np.testing.assert_array_equal(sequence.truth()[3], labels_at(3, (1,)))
    assert sequence.first_round(1)["scribbles"][1][0]["object_id"] == 1


def test_labels_with_gaps(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip": (3, 9)})
    file = folders(root, "clip")[2] / "001.json"
    document = json.loads(file.read_text())
    for stroke in document["scribbles"][1]:
        stroke["object_id"] = {1: 3, 2: 9}[stroke["object_id"]]
    file.write_text(json.dumps(document))

    (sequence,) = read_root(root)

    np.testing.assert_array_equal(sequence.truth()[0], labels_at(0, (1, 2)))
    first = sequence.first_round(1)["scribbles"][1]
    assert [stroke["object_id"] for stroke in first] == [1, 2]


def test_first_rounds_may_lie_in_another_folder(tmp_path: Path) -> None:
    """As those that people drew lie beside the robot's."""
    root = make_root(tmp_path, {"clip": (1,)}, first_rounds=2)
    (root / "Scribbles-human" / "clip").mkdir(parents=True)
    theirs = root / "Scribbles-human" / "clip" / "001.json"
    theirs.write_bytes((folders(root, "clip")[2] / "002.json").read_bytes())

    (sequence,) = read_root(root, scribbles="Scribbles-human")
    assert sequence.scribbles == (theirs,)
    with pytest.raises(DavisError, match="nowhere"):
        read_root(root, scribbles="nowhere")


def test_void_is_no_object(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip": (1, 255)})
    file = folders(root, "clip")[2] / "001.json"
    document = json.loads(file.read_text())
    document["scribbles"][1].pop()
    file.write_text(json.dumps(document))

    (sequence,) = read_root(root)

    assert sequence.object_ids == (1,)
    np.testing.assert_array_equal(sequence.truth()[2], labels_at(2, (1, 255)))


def test_a_subset_takes_what_is_there(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"a": (1,), "b": (1,)})
    (root / "ImageSets" / "2017" / "val.txt").write_text("b\nabsent\na\n")
    (root / "ImageSets" / "2017" / "train.txt").write_text("a\n")
    said: list[str] = []

    assert [s.name for s in read_root(root, say=said.append)] == ["b", "a"]
    assert len(said) == 1 and "1 of 3 sequences" in said[0]
    assert [s.name for s in read_root(root, subset="train")] == ["a"]
    assert [s.name for s in read_root(root, names=["b", "b"])] == ["b"]


def test_a_root_without_lists_gives_every_sequence(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"b": (1,), "a": (1,)})
    (root / "ImageSets" / "2017" / "val.txt").unlink()

    assert [s.name for s in read_root(root)] == ["a", "b"]


def test_the_fingerprint_tells_of_changed_answers(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip": (1,)})
    before = read_root(root)[0].fingerprint
    Image.fromarray(labels_at(0, (1,), shift=1)).save(folders(root, "clip")[1] / "00000.png")
    after = read_root(root)[0].fingerprint

    assert before != after


def edit(change: Callable[[Any], None]) -> Callable[[Path], None]:
    """Changes a sequence's first round."""

    def apply(root: Path) -> None:
        file = folders(root, "clip")[2] / "001.json"
        document = json.loads(file.read_text())
        change(document)
        file.write_text(json.dumps(document))

    return apply


BAD = {
    "no masks": lambda root: (root / "Annotations").rename(root / "elsewhere"),
    "no masks of clip": lambda root: folders(root, "clip")[1].rename(root / "elsewhere"),
    "no scribbles of clip": lambda root: folders(root, "clip")[2].rename(root / "elsewhere"),
    "no sequence": lambda root: folders(root, "clip")[0].rename(root / "elsewhere"),
    "00002.png: missing": lambda root: (folders(root, "clip")[1] / "00002.png").unlink(),
    "is 9x8, the frames": lambda root: Image.fromarray(np.ones((8, 9), np.uint8)).save(
        folders(root, "clip")[1] / "00002.png"
    ),
    "00002.png: not a whole image": lambda root: (
        folders(root, "clip")[1] / "00002.png"
    ).write_bytes(b"PNG"),
    "00000.png: not a whole image": lambda root: (
        folders(root, "clip")[0] / "00000.png"
    ).write_bytes(b"PNG"),
    "not a JSON file": lambda root: (folders(root, "clip")[2] / "001.json").write_text("{"),
    "no stroke at all": edit(lambda d: d.update(scribbles=[[]] * FRAMES)),
    "strokes of background alone": edit(lambda d: d["scribbles"][1][0].update(object_id=0)),
    "002.json: missing, though there is 003.json": lambda root: (
        folders(root, "clip")[2] / "003.json"
    ).write_text("{}"),
    "speaks of object 2": edit(lambda d: d["scribbles"][1][0].update(object_id=2)),
    "was drawn on 'other'": edit(lambda d: d.update(sequence="other")),
    "has 4 lists of strokes": edit(lambda d: d["scribbles"].pop()),
    "speaks of 6 frames": edit(lambda d: d["scribbles"].append([])),
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input_is_one_line(tmp_path: Path, told: str) -> None:
    root = make_root(tmp_path, {"clip": (1,)})
    BAD[told](root)

    with pytest.raises(VostoolError) as raised:
        read_root(root, names=None if told == "no masks" else ["clip"])
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_a_name_that_the_store_cannot_take(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip (1)": (1,)})
    with pytest.raises(DavisError, match="rename it"):
        read_root(root)


def test_masks_without_an_object(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip": ()})
    with pytest.raises(DavisError, match="not one object"):
        read_root(root)


def test_an_unknown_subset_is_one_line(tmp_path: Path) -> None:
    root = make_root(tmp_path, {"clip": (1,)})
    with pytest.raises(DavisError, match=r"test-dev\.txt: cannot be read; name the sequences"):
        read_root(root, subset="test-dev")


@pytest.mark.shared
def test_facts_are_those_of_the_packages_own_table(davisinteractive: ModuleType) -> None:
    """Where both have a sequence, with one object in both."""
    table = davisinteractive.dataset.Davis.dataset
    names = ["blackswan", "camel", "dog", "parkour"]
    for sequence in read_root(DAVIS, names=names):
        official = table[sequence.name]
        assert sequence.frames == official["num_frames"]
        assert sequence.objects == official["num_objects"]
        assert list(sequence.clip.size[::-1]) == official["image_size"]
        assert len(sequence.scribbles) == official["num_scribbles"]
