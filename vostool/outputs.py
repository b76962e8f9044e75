"""What may be written over: what vostool made, and nothing else.

Nothing of the user's is replaced or removed unless it is forced: an output is refused where it is,
contains or lies in something that is read, or where something is that vostool did not make. What
it made, it knows by its content: an adapter by its format, a folder of masks by the list in it, a
video by a mark at its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from vostool.errors import OutputError
from vostool.files import is_device, parse_json
from vostool.version import __version__

LISTING = ".vostool.json"
"""In a folder of vostool's: which files it put there."""
MARK = b"\x00\x00\x00\x0ffreevostool"
"""At the end of a video: a box of the MP4 format that players pass over."""
MATROSKA, VOID = b"\x1a\x45\xdf\xa3", b"\xec"
"""How Matroska's files begin, WebM's among them; and its element that players pass over."""


def check_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Make sure that an output is apart from all that is read.

    Args:
        output: where something is to be written.
        inputs: the files and folders that are read.

    Raises:
        OutputError: it is one of them, contains one or lies in one, links followed.
    """
    ours = output.resolve()
    for given in inputs:
        theirs = given.resolve()
        same = ours == theirs or (ours.exists() and theirs.exists() and ours.samefile(theirs))
        if same:
            raise OutputError(f"{output}: this command reads it; name another place")
        if theirs in ours.parents:
            raise OutputError(
                f"{output}: lies in {given}, which this command uses; name another place"
            )
        if ours in theirs.parents:
            raise OutputError(
                f"{output}: holds {given}, which this command uses; name another place"
            )


def check_replaceable(output: Path, is_ours: Callable[[Path], bool]) -> None:
    """Make sure that no file of the user's is in an output's place.

    Args:
        output: the file that is to be written.
        is_ours: whether vostool made a file.

    Raises:
        OutputError: something is there that vostool did not make.
    """
    if output.exists() and not is_device(output) and not is_ours(output):
        raise OutputError(
            f"{output}: is there, and vostool did not make it; name another, or give --force"
        )


def check_folder_replaceable(folder: Path, besides: Iterable[str] = ()) -> None:
    """Make sure that nothing of the user's is in a folder's place, or in the folder.

    Args:
        folder: the folder that is to be made.
        besides: names of vostool's own that no list tells of.

    Raises:
        OutputError: something is there that vostool did not put there.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is no folder; name another")
    if not folder.is_dir():
        return
    theirs = {entry.name for entry in folder.iterdir()} - {LISTING, *besides}
    theirs -= listed_files(folder)
    if theirs:
        raise OutputError(
            f"{folder}: holds {min(theirs)}, which vostool did not put there; name another folder, "
            "or give --force to replace all that is in it"
        )


def check_names_free(folder: Path, names: Iterable[str], proof: str) -> None:
    """Make sure that files can be written into a folder that may hold others.

    Args:
        folder: the folder, whether it is there or not.
        names: of the files that are to be written.
        proof: the file by which vostool knows the folder; beside it, the names are vostool's own.

    Raises:
        OutputError: a file of one of the names is there, and the proof is not.
    """
    if not (folder / proof).is_file():
        for name in names:
            if (folder / name).exists():
                raise OutputError(
                    f"{folder / name}: is there, and vostool did not make it; name another --out"
                )


def list_files(folder: Path, made_from: Mapping[str, Any] | None = None) -> None:
    """Note in a folder which files vostool put there: all that are in it.

    Args:
        folder: the folder.
        made_from: what decides what is in them, where that is known; JSON values.
    """
    names = sorted(entry.name for entry in folder.iterdir())
    content: dict[str, Any] = {"made_by": f"vostool {__version__}", "files": names}
    if made_from is not None:
        content["made_from"] = {**made_from}
    (folder / LISTING).write_text(json.dumps(content, indent=1) + "\n")


def listed_origin(folder: Path) -> Any:
    """What the files of a folder were made from, as :func:`list_files` noted it; None if not."""
    try:
        return parse_json((folder / LISTING).read_text())["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def listed_files(folder: Path) -> set[str]:
    """The files that vostool noted to have put into a folder; none where there is no such note."""
    try:
        content = parse_json((folder / LISTING).read_text())
        if not str(content["made_by"]).startswith("vostool "):
            return set()
        return set(map(str, content["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def mark_video(file: Path) -> None:
    """Mark an MP4, a MOV or a WebM as vostool's."""
    with file.open("r+b") as stream:
        matroska = stream.read(len(MATROSKA)) == MATROSKA
        stream.seek(0, 2)
        stream.write(VOID + bytes([0x80 | len(MARK)]) + MARK if matroska else MARK)


def is_our_video(file: Path) -> bool:
    """Whether a file bears vostool's mark."""
    try:
        with file.open("rb") as stream:
            stream.seek(-len(MARK), 2)
            return stream.read() == MARK
    except OSError:
        return False
