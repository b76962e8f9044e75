"""An adapter file gives back what was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.adapter.adapters import some_adapter
from vostool.adapter import Adapter, Samples
from vostool.adapter.file import _digest
from vostool.errors import AdapterError, OutputError, UsageError


@pytest.fixture
def adapter() -> Adapter:
    return some_adapter(clips=3)


def test_strokes_on_an_unknown_object_are_refused(adapter: Adapter, tmp_path: Path) -> None:
    first, *others = adapter.clips
    columns = first.strokes.columns()
    columns["object_id"] = np.full(len(first.strokes), 7)
    changed = replace(first, strokes=Samples(**columns))
    replace(adapter, clips=(changed, *others)).write(tmp_path / "a.h5")
    with pytest.raises(AdapterError, match="strokes on an object that it does not know"):
        Adapter.read(tmp_path / "a.h5")


def equal(one: Samples, other: Samples) -> bool:
    columns = zip(one.columns().values(), other.columns().values(), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in columns)


def test_round_trip(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(tmp_path / "a.h5")
    back = Adapter.read(tmp_path / "a.h5")
    assert back.object_ids == (0, 5, 9)
    assert back.preset == adapter.preset and back.provenance == adapter.provenance
    np.testing.assert_array_equal(back.W, adapter.W)
    np.testing.assert_array_equal(back.statistics.gram, adapter.statistics.gram)


def test_each_clip_gets_its_own_strokes_back(adapter: Adapter, tmp_path: Path) -> None:
    """Frame 5 of one clip is not frame 5 of another; a clip may have no sample at all."""
    first, second, third = adapter.clips
    clips = first, replace(second, samples=Samples.empty(), strokes=Samples.empty()), third
    replace(adapter, clips=clips).write(tmp_path / "a.h5")
    back = Adapter.read(tmp_path / "a.h5")
    assert back.rounds == 4 and len(back.clips) == 3
    for ours, theirs in zip(clips, back.clips, strict=True):
        assert (ours.name, ours.features_key) == (theirs.name, theirs.features_key)
        assert (ours.size, ours.scribbles) == (theirs.size, theirs.scribbles)
        assert equal(ours.samples, theirs.samples) and equal(ours.strokes, theirs.strokes)
    assert equal(back.strokes_on("key of clip3"), third.strokes)
    assert len(back.strokes_on("key of no clip")) == 0 and back.learnt_from("") is None


def test_a_stroke_outside_its_own_clip_is_refused(adapter: Adapter, tmp_path: Path) -> None:
    """Clips are of several sizes: 48 columns are enough for one, and too many for another."""
    first, second, third = adapter.clips
    columns = second.strokes.columns()
    columns["x"] = np.full(len(second.strokes), 48)
    for clips, fits in (
        ((replace(first, strokes=Samples(**columns)), second, third), True),
        ((first, replace(second, strokes=Samples(**columns)), third), False),
    ):
        replace(adapter, clips=clips).write(tmp_path / "a.h5")
        if fits:
            Adapter.read(tmp_path / "a.h5")
        else:
            with pytest.raises(AdapterError, match="a sample's x is out of range"):
                Adapter.read(tmp_path / "a.h5")


def test_a_thousand_clips_fit_into_a_file(tmp_path: Path) -> None:
    one = some_adapter().clips[0]
    clips = tuple(replace(one, name=f"clip{n}", features_key=f"{n:040d}") for n in range(1000))
    adapter = replace(some_adapter(), clips=clips)
    adapter.write(tmp_path / "a.h5")
    back = Adapter.read(tmp_path / "a.h5")
    assert [clip.name for clip in back.clips] == [clip.name for clip in clips]
    assert back.names == "clip0, clip1, clip2 and 997 more"
    with pytest.raises(UsageError, match=r"learnt from 1000 clips .* name the clip"):
        assert back.only_clip


def write_format_7(adapter: Adapter, file: Path, made_from: dict[str, str]) -> None:
    """As the release before this one wrote an adapter of one clip."""
    (clip,) = adapter.clips
    adapter.write(file)
    with h5py.File(file, "a") as h5:
        origin = {
            "clip": clip.name, "network": adapter.provenance.network,
            "features": adapter.provenance.features, "features_key": clip.features_key,
            "made_from": made_from, "size": clip.size, "scribbles": clip.scribbles,
            "seed": adapter.provenance.seed, "version": "0",
        }  # fmt: skip
        h5.attrs["format"] = "vostool adapter 7"
        h5.attrs["provenance"] = json.dumps(origin)
        del h5["clips"], h5["samples/clip"], h5["strokes/clip"]
        h5.attrs["digest"] = _digest(h5)


def test_an_adapter_of_one_clip_of_the_format_before_is_read(tmp_path: Path) -> None:
    adapter = some_adapter()
    made_from = {"clip": "frames", "backbone": "net", "weights": "w"}
    write_format_7(adapter, tmp_path / "a.h5", made_from)
    back = Adapter.read(tmp_path / "a.h5")
    (ours,), (theirs,) = adapter.clips, back.clips
    assert (theirs.name, theirs.features_key) == (ours.name, ours.features_key)
    assert (theirs.size, theirs.scribbles) == (ours.size, ours.scribbles)
    assert equal(ours.samples, theirs.samples) and equal(ours.strokes, theirs.strokes)
    assert back.provenance.networks == {"backbone": "net", "weights": "w"}, "it tells no clip"
    assert back.only_clip == "clip"


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("clips", b"[]", "names no clip"),
        ("clips", b"{", "Expecting"),
        ("clips", b"[1]", "not subscriptable"),
        ("samples/clip", np.full(18, 3), "of no clip"),
        ("strokes/clip", np.full(24, -1), "of no clip"),
        ("strokes/clip", np.zeros(23, int), "does not fit"),
    ],
)
def test_rows_of_no_clip_are_refused(
    adapter: Adapter, tmp_path: Path, name: str, value: object, word: str
) -> None:
    """Also where somebody has made the digest anew."""
    adapter.write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as h5:
        del h5[name]
        h5[name] = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
        h5.attrs["digest"] = _digest(h5)
    with pytest.raises(AdapterError, match=rf"a\.h5: not a whole adapter file \(.*{word}"):
        Adapter.read(tmp_path / "a.h5")


def test_a_clip_that_is_named_twice_is_refused(adapter: Adapter, tmp_path: Path) -> None:
    first, second, third = adapter.clips
    twice = replace(second, features_key=first.features_key)
    replace(adapter, clips=(first, twice, third)).write(tmp_path / "a.h5")
    with pytest.raises(AdapterError, match="names a clip twice"):
        Adapter.read(tmp_path / "a.h5")


def test_missing_file_tells_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="vostool adapt"):
        Adapter.read(tmp_path / "a.h5")


def test_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "foreign.h5", "w") as h5:
        h5["x"] = 1
    for name in ("text.h5", "foreign.h5"):
        with pytest.raises(AdapterError, match=name):
            Adapter.read(tmp_path / name)


def test_a_truncated_file_is_none(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AdapterError, match=r"a\.h5"):
        Adapter.read(tmp_path / "a.h5")


def test_a_folder_that_is_not_there(adapter: Adapter, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        adapter.write(tmp_path / "no" / "a.h5")
    assert not (tmp_path / "no").exists()
