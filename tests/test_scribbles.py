"""Protects the reading of scribbles: what a person drew is what is trained on, or it is refused.

Scribble files come from other programs, so whatever lies in them must end in strokes or in one
line that names the file, never in a traceback, and never in a stroke that silently vanishes.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from vostool.errors import ImageError, ScribbleError, VostoolError
from vostool.scribbles import UNMARKED, Scribbles, parse_scribbles, read_scribbles

STROKE = {"path": [[0.1, 0.2], [0.5, 0.5]], "object_id": 1}


def document(*frames: list[Any], **more: Any) -> dict[str, Any]:
    return {"sequence": "bear", "scribbles": list(frames), **more}


def refusal(call: Any, *parts: str, error: type[VostoolError] = ScribbleError) -> str:
    """The one line with which a call is refused."""
    with pytest.raises(error) as problem:
        call()
    text = str(problem.value)
    assert "\n" not in text
    for part in parts:
        assert part in text
    return text


def write_png(file: Path, pixels: npt.NDArray[np.uint8]) -> Path:
    image = Image.fromarray(pixels)
    image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    image.save(file)
    return file


# --- JSON: what is read ------------------------------------------------------------------------


def test_davis_json_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "001.json"
    drawn = document([], [STROKE, {"path": [[0, 1], [1, 0.0]], "object_id": 0}], [])
    drawn["scribbles"][1][0] |= {"start_time": 0, "end_time": 7}  # DAVIS writes these
    file.write_text(json.dumps(drawn))
    scribbles = read_scribbles(file)
    assert (scribbles.source, scribbles.sequence, scribbles.frames) == (str(file), "bear", 3)
    assert scribbles.annotated_frames == [1]
    assert scribbles.object_ids == [1]
    first, second = scribbles.strokes[1]
    assert (first.object_id, first.path.tolist()) == (1, [[0.1, 0.2], [0.5, 0.5]])
    assert (second.object_id, second.path.tolist()) == (0, [[0.0, 1.0], [1.0, 0.0]])
    assert first.path.dtype == np.float64


def test_sequence_may_be_left_out() -> None:
    assert parse_scribbles({"scribbles": [[STROKE]]}, "s").sequence is None


def test_scribbles_that_fit_the_clip_pass() -> None:
    parse_scribbles(document([], [STROKE]), "s").check_against(2, (4, 5))
    parse_scribbles(document([], [STROKE]), "s").check_against(7, (4, 5))


# --- rasterising ---------------------------------------------------------------------------------


def lines(*strokes: tuple[int, list[list[float]]]) -> Scribbles:
    entries = [{"object_id": object_id, "path": path} for object_id, path in strokes]
    return parse_scribbles(document(entries), "s")


def test_stroke_map_draws_one_pixel_wide_between_the_points() -> None:
    marks = lines((2, [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).stroke_map(0, (4, 6))
    want = np.full((4, 6), UNMARKED)
    want[0, :] = 2
    want[:, 5] = 2
    np.testing.assert_array_equal(marks, want)
    assert marks.dtype == np.int16


def test_x_counts_in_widths_and_y_in_heights() -> None:
    marks = lines((1, [[1.0, 0.0], [1.0, 0.0]])).stroke_map(0, (5, 9))
    assert np.argwhere(marks == 1).tolist() == [[0, 8]]


def test_background_strokes_are_0_and_the_canvas_is_not() -> None:
    marks = lines((0, [[0.0, 0.5], [1.0, 0.5]])).stroke_map(0, (3, 3))
    assert marks.tolist() == [[-1, -1, -1], [0, 0, 0], [-1, -1, -1]]


def test_later_stroke_covers_earlier() -> None:
    marks = lines((1, [[0, 0.5], [1, 0.5]]), (255, [[0.5, 0], [0.5, 1]])).stroke_map(0, (3, 3))
    assert marks.tolist() == [[-1, 255, -1], [1, 255, 1], [-1, 255, -1]]


def test_a_single_point_is_a_mark() -> None:
    marks = lines((3, [[0.5, 0.25]])).stroke_map(0, (5, 5))
    assert np.argwhere(marks == 3).tolist() == [[1, 2]]


def test_frame_without_strokes_is_blank() -> None:
    marks = lines((1, [[0, 0], [1, 1]])).stroke_map(5, (2, 3))
    assert marks.shape == (2, 3)
    assert (marks == UNMARKED).all()


# --- painted PNGs --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["P", "L"])
def test_painted_folder_is_read(tmp_path: Path, mode: str) -> None:
    pixels = np.zeros((3, 4), np.uint8)
    pixels[0, 1], pixels[1, 2], pixels[2, 3] = 1, 254, 255
    if mode == "P":
        write_png(tmp_path / "00012.png", pixels)
    else:
        Image.fromarray(pixels).save(tmp_path / "00012.png")
    write_png(tmp_path / "3.png", 7 * np.eye(3, 4, dtype=np.uint8))
    scribbles = read_scribbles(tmp_path)
    assert scribbles.annotated_frames == [3, 12]
    assert scribbles.object_ids == [1, 7, 254]
    assert scribbles.frames is None
    marks = scribbles.stroke_map(12, (3, 4))
    assert marks.tolist() == [[-1, 1, -1, -1], [-1, -1, 254, -1], [-1, -1, -1, 0]]
    scribbles.check_against(13, (3, 4))


def test_blank_painted_frames_are_not_annotated(tmp_path: Path) -> None:
    write_png(tmp_path / "00000.png", np.zeros((3, 4), np.uint8))
    write_png(tmp_path / "00001.png", np.eye(3, 4, dtype=np.uint8))
    assert read_scribbles(tmp_path).annotated_frames == [1]


def test_stroke_map_leaves_what_was_painted_alone(tmp_path: Path) -> None:
    write_png(tmp_path / "0.png", np.eye(3, 4, dtype=np.uint8))
    scribbles = read_scribbles(tmp_path)
    scribbles.stroke_map(0, (3, 4))[:] = 9
    assert (scribbles.stroke_map(0, (3, 4)) == 1).sum() == 3


def test_painted_at_another_size_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "00002.png", np.eye(3, 4, dtype=np.uint8))
    scribbles = read_scribbles(tmp_path)
    refusal(lambda: scribbles.check_against(9, (6, 8)), str(tmp_path), "frame 2", "4x3", "8x6")


def test_rgb_png_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), (255, 0, 0)).save(tmp_path / "00000.png")
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path / "00000.png"), "RGB", error=ImageError)


@pytest.mark.parametrize("name", ["frame_1.png", "-1.png", "1.5.png", "²3.png"])
def test_oddly_named_png_is_refused(tmp_path: Path, name: str) -> None:
    write_png(tmp_path / name, np.eye(3, 4, dtype=np.uint8))
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path / name), "00012.png")


def test_two_pngs_of_one_frame_are_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", np.eye(3, 4, dtype=np.uint8))
    write_png(tmp_path / "00001.png", 2 * np.eye(3, 4, dtype=np.uint8))
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path))


def test_broken_png_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 9, (20, 20), dtype=np.uint8)
    file = write_png(tmp_path / "00001.png", noise)
    whole = file.read_bytes()
    for left in (0, 10, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:left])
        refusal(lambda: read_scribbles(tmp_path), str(file), error=ImageError)


def test_png_whose_header_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    (tmp_path / "0.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    )
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path / "0.png"), error=ImageError)


def test_folder_without_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path), "no PNG")


def test_painted_folder_without_a_stroke_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "00000.png", np.zeros((3, 4), np.uint8))
    refusal(lambda: read_scribbles(tmp_path), str(tmp_path), "no stroke")


# --- bad JSON ------------------------------------------------------------------------------------

NOT_JSON = {
    "empty": b"",
    "text": b"hello",
    "cut off": b'{"scribbles": [[',
    "binary": b"\x89PNG\r\n\x1a\n\xff\xfe",
    "utf-16": '{"scribbles": []}'.encode("utf-16"),
    "deep": b"[" * 200_000,
    "a number of 5000 digits": b'{"scribbles": [[{"path": [[0, 0]], "object_id": '
    + b"1" * 5000
    + b"}]]}",
}


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_file_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s.json"
    file.write_bytes(content)
    refusal(lambda: read_scribbles(file), str(file))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    refusal(lambda: read_scribbles(tmp_path / "none.json"), "none.json", "no such file")


def stroke(**changes: Any) -> dict[str, Any]:
    return {**STROKE, **changes}


BAD_DOCUMENTS: dict[str, Any] = {
    "null": None,
    "list": [[STROKE]],
    "number": 3,
    "string": "scribbles",
    "no key": {"sequence": "bear"},
    "wrong key": {"scribble": [[STROKE]]},
    "scribbles not a list": {"scribbles": {"0": [STROKE]}},
    "scribbles a string": {"scribbles": "[]"},
    "sequence not a name": document([STROKE], sequence=5),
    "frame not a list": {"scribbles": [STROKE]},
    "frame null": {"scribbles": [[STROKE], None]},
    "stroke not an object": document(["stroke"]),
    "stroke a list": document([[0.1, 0.2]]),
    "stroke without path": document([{"object_id": 1}]),
    "stroke without object": document([{"path": [[0, 0]]}]),
    "object negative": document([stroke(object_id=-1)]),
    "object over 255": document([stroke(object_id=256)]),
    "object huge": document([stroke(object_id=10**400)]),
    "object float": document([stroke(object_id=1.0)]),
    "object bool": document([stroke(object_id=True)]),
    "object null": document([stroke(object_id=None)]),
    "object string": document([stroke(object_id="1")]),
    "path empty": document([stroke(path=[])]),
    "path null": document([stroke(path=None)]),
    "path flat": document([stroke(path=[0.1, 0.2])]),
    "path of objects": document([stroke(path=[{"x": 0, "y": 0}])]),
    "point of one": document([stroke(path=[[0.1]])]),
    "point of three": document([stroke(path=[[0.1, 0.2, 0.3]])]),
    "point of strings": document([stroke(path=[["0.1", "0.2"]])]),
    "point of bools": document([stroke(path=[[True, False]])]),
    "point of nulls": document([stroke(path=[[None, None]])]),
    "x over 1": document([stroke(path=[[0.5, 0.5], [1.0001, 0.5]])]),
    "y under 0": document([stroke(path=[[0.5, -1e-9]])]),
    "in pixels": document([stroke(path=[[412, 230]])]),
    "huge": document([stroke(path=[[10**400, 0]])]),
    "NaN": document([stroke(path=[[0.5, float("nan")]])]),
    "infinite": document([stroke(path=[[float("inf"), 0.5]])]),
    "minus infinite": document([stroke(path=[[float("-inf"), 0.5]])]),
    "no frames": document(),
    "no stroke": document([], []),
}


@pytest.mark.parametrize("bad", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_json_that_is_no_scribbles_is_refused(tmp_path: Path, bad: Any) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps(bad))  # writes NaN and Infinity, too, as many programs do
    refusal(lambda: read_scribbles(file), str(file))


def test_refusal_says_which_frame_and_stroke() -> None:
    bad = document([], [STROKE, stroke(object_id=300)])
    refusal(lambda: parse_scribbles(bad, "s.json"), "s.json: frame 1, stroke 1", "300")


@pytest.mark.parametrize("frames", [1, 2])
def test_scribbles_on_more_frames_than_the_clip_has_are_refused(frames: int) -> None:
    scribbles = parse_scribbles(document([STROKE], [], []), "s.json")
    refusal(lambda: scribbles.check_against(frames, (4, 5)), "s.json", "3 frames", str(frames))


def test_painted_frame_past_the_clips_end_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "00010.png", np.eye(3, 4, dtype=np.uint8))
    scribbles = read_scribbles(tmp_path)
    refusal(lambda: scribbles.check_against(10, (3, 4)), str(tmp_path), "11 frames", "10")


def test_document_without_strokes_can_be_checked_against_a_clip() -> None:
    scribbles = parse_scribbles(document([], []), "s.json")
    scribbles.check_against(2, (4, 5))
    refusal(lambda: scribbles.check_against(1, (4, 5)), "s.json", "2 frames")


# --- anything at all -----------------------------------------------------------------------------

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([0, 1, 255, 256, -1, 0.5, 1.0, 10**400, float("nan")])
)
keys = st.sampled_from(["scribbles", "sequence", "path", "object_id"]) | st.text(max_size=3)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)
nearly = st.fixed_dictionaries(
    {
        "scribbles": st.lists(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "path": st.lists(st.lists(leaves, min_size=1, max_size=3), max_size=3)
                        | anything,
                        "object_id": leaves,
                    }
                ),
                max_size=2,
            )
            | anything,
            max_size=3,
        )
    },
    optional={"sequence": anything},
)


@settings(max_examples=300, deadline=None)
@given(value=anything | nearly)
@example(value={"scribbles": [[{"path": [[0, 10**400]], "object_id": 1}]]})
def test_any_json_gives_scribbles_or_a_refusal(value: Any) -> None:
    try:
        scribbles = parse_scribbles(value, "s.json")
    except ScribbleError as problem:
        told = str(problem)
    else:
        told = "s.json: scribbles"
        assert scribbles.frames == len(value["scribbles"])
        for frame in scribbles.annotated_frames:
            assert scribbles.stroke_map(frame, (3, 5)).shape == (3, 5)
    assert told.startswith("s.json: ")
    assert "\n" not in told


unit = st.floats(0.0, 1.0) | st.sampled_from([0, 1])
valid_stroke = st.fixed_dictionaries(
    {
        "path": st.lists(st.tuples(unit, unit).map(list), min_size=1, max_size=5),
        "object_id": st.integers(0, 255),
    }
)
valid = st.builds(
    lambda frames, sequence: {"scribbles": frames, "sequence": sequence},
    st.lists(st.lists(valid_stroke, max_size=3), max_size=4),
    st.none() | st.text(max_size=5),
)


@settings(max_examples=100, deadline=None)
@given(value=valid)
def test_valid_documents_parse_to_the_same_strokes_through_json(value: dict[str, Any]) -> None:
    scribbles = parse_scribbles(json.loads(json.dumps(value)), "s")
    again = [
        [
            {"path": drawn.path.tolist(), "object_id": drawn.object_id}
            for drawn in scribbles.strokes.get(frame, [])
        ]
        for frame in range(scribbles.frames or 0)
    ]
    assert {"scribbles": again, "sequence": scribbles.sequence} == value


@settings(max_examples=100, deadline=None)
@given(
    strokes=st.lists(valid_stroke, min_size=1, max_size=3),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_stroke_map_holds_every_point_and_no_other_object(
    strokes: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    marks = parse_scribbles(document(strokes), "s").stroke_map(0, size)
    assert marks.shape == size
    assert set(np.unique(marks)) <= {UNMARKED, *(entry["object_id"] for entry in strokes)}
    for x, y in (point for entry in strokes for point in entry["path"]):
        row, column = round(y * (size[0] - 1)), round(x * (size[1] - 1))
        assert marks[row, column] != UNMARKED
    last = strokes[-1]
    x, y = last["path"][-1]
    assert marks[round(y * (size[0] - 1)), round(x * (size[1] - 1))] == last["object_id"]
