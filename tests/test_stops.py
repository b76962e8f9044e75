"""A stop ends a run with its own status and without a word, wherever it comes: also where Python or
a library would make something else of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HEAD = """
import os, signal, sys
from vostool.stops import run_stoppable

def stop(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
    for _ in range(3):  # Python's handlers run between its instructions
        pass

"""


def run(program: str, folder: Path) -> tuple[int, str, str]:
    """A program's exit status, and what it has written."""
    words = [sys.executable, "-c", HEAD + textwrap.dedent(program)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_what_is_half_made_is_removed_on_the_way(tmp_path: Path, number: str) -> None:
    program = f"""
    @run_stoppable
    def work():
        try:
            stop(signal.{number})
            print("went on")
        finally:
            print("removed")
    """
    assert run(program, tmp_path) == (128 + getattr(signal, number), "removed\n", "")


def test_a_stop_waits_while_a_module_is_loaded(tmp_path: Path) -> None:
    """A library in C++ may end the process at an exception in its start."""
    (tmp_path / "library.py").write_text("from __main__ import stop; stop(); print('loaded')")
    program = """
    import time
    @run_stoppable
    def work():
        import library
        time.sleep(30)
        print("went on")
    """
    assert run(program, tmp_path) == (143, "loaded\n", "")


def test_a_stop_waits_until_something_unstopped_is_whole(tmp_path: Path) -> None:
    program = """
    import time
    from vostool.stops import unstopped
    @unstopped
    def whole(word):
        stop()
        print(word)
    @run_stoppable
    def work():
        whole("whole")
        time.sleep(30)
        print("went on")
    """
    assert run(program, tmp_path) == (143, "whole\n", "")


def test_a_workspace_is_made_and_removed_whole(tmp_path: Path) -> None:
    """Whatever instruction of the making or the removing a stop comes at, no folder stays."""
    program = """
    import itertools, pathlib, sys
    from vostool.files import replacing, replacing_folder
    import filelock, shutil, tempfile
    for first in itertools.count(1):
        if os.fork():
            status = os.waitstatus_to_exitcode(os.wait()[1])
            hidden = [name for name in os.listdir(".") if name != "m"]
            assert status in (0, 143) and not hidden, (first, status, hidden)
            if status == 0:
                break
            continue
        events = itertools.count()
        def trace(frame, event, _):
            if next(events) == 97 * first:
                os.kill(os.getpid(), signal.SIGTERM)
            return trace
        @run_stoppable
        def work():
            sys.settrace(trace)
            with replacing_folder(pathlib.Path("m")) as made:
                pass
            sys.settrace(None)
            os.rmdir("m")
        os._exit(0)
    print(first > 5)
    """
    assert run(program, tmp_path) == (0, "True\n", "")


def test_another_error_that_comes_of_a_stop_is_not_shown(tmp_path: Path) -> None:
    program = """
    @run_stoppable
    def work():
        try:
            stop()
        except BaseException:
            raise ImportError("numpy failed to start")
    """
    assert run(program, tmp_path) == (143, "", "")


def test_a_run_that_has_caught_a_stop_ends_with_its_status(tmp_path: Path) -> None:
    program = """
    @run_stoppable
    def work():
        try:
            stop()
        except BaseException:
            pass
        print("went on")
    """
    assert run(program, tmp_path) == (143, "went on\n", "")


def test_a_stop_that_cannot_go_up_comes_again(tmp_path: Path) -> None:
    """Python prints and drops what is raised where an object is freed."""
    program = """
    import time
    class Thing:
        def __del__(self):
            stop()
    @run_stoppable
    def work():
        Thing()
        time.sleep(30)
        print("went on")
    """
    assert run(program, tmp_path) == (143, "", "")


def test_a_second_signal_does_not_disturb_the_removing(tmp_path: Path) -> None:
    program = """
    @run_stoppable
    def work():
        try:
            stop()
        finally:
            stop(signal.SIGINT)
            print("removed")
    """
    assert run(program, tmp_path) == (143, "removed\n", "")


def test_a_stop_after_the_work_is_too_late(tmp_path: Path) -> None:
    """The masks are there, so the status is 0; Python's own end would have none of our handlers."""
    program = """
    import atexit, threading
    atexit.register(stop)
    atexit.register(stop, signal.SIGINT)
    @run_stoppable
    def work():
        print("done")
    stop()
    """
    assert run(program, tmp_path) == (0, "done\n", "")


def test_threads_that_are_left_in_their_work_tell_nothing(tmp_path: Path) -> None:
    """At Python's own end zarr's background loop would tell of tasks that were destroyed."""
    program = """
    import asyncio, threading
    async def forever():
        while True:
            await asyncio.to_thread(lambda: None)
    def background():
        asyncio.run(forever())
    @run_stoppable
    def work():
        threading.Thread(target=background, daemon=True).start()
        stop()
    """
    assert run(program, tmp_path) == (143, "", "")


def test_signals_that_are_ignored_stay_so(tmp_path: Path) -> None:
    program = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    @run_stoppable
    def work():
        stop(signal.SIGINT)
        print("went on")
    """
    assert run(program, tmp_path) == (0, "went on\n", "")


def test_other_errors_are_told_as_ever(tmp_path: Path) -> None:
    status, _, err = run(
        "@run_stoppable\ndef work():\n    raise ValueError('a fault of ours')", tmp_path
    )
    assert status == 1 and err.endswith("ValueError: a fault of ours\n")
