"""One clear line for what is odd about a call: the thing, the mend, the right exit status."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock

import vostool as package
from tests.conftest import REPOSITORY, Done, Vostool, moving_square
from vostool.cli import main
from vostool.cli.store import _problems
from vostool.errors import OutputError
from vostool.files import unwritable
from vostool.pipeline import extraction
from vostool.store import FeatureStore, StoredClip, writer
from vostool.store.layout import clip_folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The square's frames, and a store with all that both presets need."""
    folder = tmp_path_factory.mktemp("one_line")
    clip = moving_square(folder / "square", 3)
    package.open(clip, store=folder / "store").session(preset="paper")
    return clip, folder / "store"


def one_line(done: Done, *words: str, status: int = 1) -> None:
    assert done.status == status and len(done.errors) == 1, done
    assert "Traceback" not in done.err, done.err
    for word in words:
        assert word in done.errors[0], done.errors[0]


def in_shell(line: str, folder: Path, **environment: str) -> Done:
    """``vostool`` in a shell's line, as ``$V``."""
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        cwd=folder,
        env={
            **os.environ,
            "V": f"{sys.executable} -m vostool",
            "PYTHONPATH": str(REPOSITORY),
            **environment,
        },
    )
    out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    return Done(done.returncode, out, err)


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    one_line(in_shell("$V extract - <&-", tmp_path), "standard input is closed", status=2)


def test_standard_output_that_is_closed(tmp_path: Path) -> None:
    assert "Traceback" not in in_shell("$V store ls >&-", tmp_path).err


@pytest.mark.parametrize("words", [("ls",), ("verify",), ("rm", "a")])
def test_a_store_without_a_name(vostool: Vostool, words: tuple[str, ...]) -> None:
    one_line(vostool("store", *words, "--store", ""), "--store", "has no name", status=2)


def test_an_empty_variable_is_an_unset_one(
    vostool: Vostool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_STORE", "")
    assert "vostool-store: no clips yet" in vostool("store", "ls").err


def test_a_store_that_is_not_there_is_not_whole(vostool: Vostool, tmp_path: Path) -> None:
    one_line(vostool("store", "verify", "--store", "nowhere"), "nowhere: no such store")
    assert not (tmp_path / "nowhere").exists()


def test_a_chunk_that_cannot_be_read_is_not_called_damaged(
    prepared: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all files, so the system's refusal is put into its mouth."""
    stage = clip_folder(prepared[1], "square") / "efficientnet-lite0" / "backbone"
    chunk = next(stage.glob("*/c.0.0.0.0"))
    read = Path.read_bytes

    def refuse(file: Path) -> bytes:
        if file == chunk:
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    damaged, unreadable = _problems(
        FeatureStore(prepared[1]).clip("square"), "efficientnet-lite0", "backbone"
    )
    assert damaged == [] and unreadable == [f"{chunk} (Permission denied)"]


@pytest.mark.parametrize("name", ["a" * 201, "é" * 101])
def test_a_name_that_is_too_long(vostool: Vostool, square_clip: Path, name: str) -> None:
    length = len(name.encode())
    one_line(vostool("extract", square_clip, "--name", name), f"{length} bytes", "200", "--name")


def test_torch_gives_no_advice(vostool: Vostool, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps(print))
    done = vostool("weights", "check", "w.pth", "--network", "rgmp-resnet50")
    one_line(done, "w.pth", "not a readable state dict")
    assert "weights_only" not in done.err and "can still be loaded" not in done.err


def test_removal_tells_that_it_waits(
    vostool: Vostool, prepared: tuple[Path, Path], tmp_path: Path
) -> None:
    subprocess.run(["cp", "-r", prepared[1], tmp_path / "store"], check=True)
    held = FileLock(tmp_path / "store" / ".locks" / "square.lock")
    held.acquire()
    words = [sys.executable, "-m", "vostool", "store", "rm", "square"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as removal:
        assert removal.stderr is not None
        assert removal.stderr.readline() == "square: another run writes it; waiting\n"
        held.release()
        assert removal.wait() == 0
    assert FeatureStore(tmp_path / "store").names() == []


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}])
def test_names_that_the_locale_cannot_write(tmp_path: Path, locale: dict[str, str]) -> None:
    plain = {**locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    moving_square(tmp_path / "größe-日本", 2)
    (tmp_path / "kein-vidéo.mp4").write_text("none")
    for line in ("$V extract nö", "$V extract kein-vidéo.mp4", "$V store rm größe"):
        done = in_shell(line, tmp_path, **plain)
        one_line(done)
    done = in_shell("$V extract größe-日本 --name a && $V store ls", tmp_path, **plain)
    assert done.status == 0, done
    done = in_shell("$V extract größe-日本", tmp_path, **plain)
    assert done.status in (0, 1) and "Traceback" not in done.err, done.err
    done = in_shell("$V adapt a --scribbles größe-日本 --out größe.h5", tmp_path, **plain)
    one_line(done, "größe-日本")


def test_a_name_within_a_file_that_the_locale_cannot_write(
    prepared: tuple[Path, Path], tmp_path: Path
) -> None:
    session = package.open(prepared[0], store=tmp_path / "store", name="größe").session()
    session.add_scribbles({0: [package.Stroke(1, np.array([[0.2, 0.5]]))]})
    session.adapter.write(tmp_path / "a.h5")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    one_line(in_shell("$V render --adapter a.h5 --out m --store store", tmp_path, **plain), "größe")


def read_only(*_: object) -> None:
    raise OutputError("read-only")


@contextmanager
def no_lock(*_: object) -> Iterator[None]:
    read_only()
    yield


def test_what_is_made_is_taken_from_a_store_that_is_read_only(
    prepared: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredClip, "lock", no_lock)
    monkeypatch.setattr(extraction, "update_source", read_only)
    run, words = CliRunner(), ["--store", str(prepared[1])]
    assert run.invoke(main, ["extract", str(prepared[0]), *words]).output == "square\n"
    assert run.invoke(main, ["propagate", "square", *words]).output == "square\n"
    moved = tmp_path / "square"
    subprocess.run(["cp", "-r", prepared[0], moved], check=True)
    assert run.invoke(main, ["extract", str(moved), *words]).output == "square\n"
    assert writer.clip_lock is not no_lock


def test_an_adapter_that_cannot_be_written_is_called_by_its_name(
    prepared: tuple[Path, Path], vostool: Vostool, square_scribbles: Path
) -> None:
    words = ("adapt", "square", "--store", prepared[1], "--scribbles", square_scribbles)
    done = vostool(*words, "--out", "/proc/a.h5")
    one_line(done, "/proc/a.h5: cannot be written (No such file or directory)")
    assert ".a." not in done.err


def test_hdf5_tells_reasons_in_the_systems_words() -> None:
    told = "unable to open file: name = '.a.17.h5', errno = 30, error message = 'Read-only'"
    problem = unwritable(Path("out/a.h5"), OSError(told))
    assert str(problem).startswith("out/a.h5: cannot be written (Read-only file system)")
