"""A process that has imported all that vostool needs, and forks a child for each run.

It has run no torch operation and has no threads, so that forking it is safe. The shim lies under
it and sleeps until a child wakes it. It reads pickled requests and writes pickled answers.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What the shim is to do in a run.

    Attributes:
        kill_at: SIGKILL before the operation of this number, from 1; 0 for never.
        fail_at: the operation of this number fails, of those in ``mask``; 0 for none.
        error: the errno that it fails with.
        mask: bits of the shim's MAY_...
        sticky: all operations from it on fail.
        log: the file to record operations in, or nothing.
    """

    kill_at: int = 0
    fail_at: int = 0
    error: int = 0
    mask: int = 0
    sticky: bool = False
    log: str = ""


@dataclass(frozen=True)
class Request:
    """A run.

    Attributes:
        root: the folder that the shim watches, and whose content is told of.
        commands: arguments of vostool, one after the other until one fails.
        fault: what happens to them.
        before, after: whether to tell of the root's content before and after them.
        weights: a folder to take for that of the shipped weights.
        answer: the file for the pickled :class:`Outcome`.
        words: the file for standard error.
    """

    root: Path
    commands: tuple[tuple[str, ...], ...]
    fault: Fault
    before: bool
    after: bool
    weights: Path | None
    answer: Path
    words: Path


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        status: of the last command; negative for a signal.
        err: standard error.
        before, after: the root's content, a word a thing.
        operations: how many there were.
        candidates: how many of them were in the fault's mask.
    """

    status: int = 0
    err: str = ""
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    operations: int = 0
    candidates: int = 0


def call(arguments: tuple[str, ...]) -> int:
    """Run vostool in this process, as its entry point does."""
    from vostool.__main__ import run

    sys.argv = ["vostool", *arguments]
    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def work(request: Request) -> Outcome:
    """Do a run, in a child."""
    from tests.faults.content import content

    outcome = Outcome()
    if request.weights is not None:
        import vostool.weights

        vostool.weights.__file__ = str(request.weights / "__init__.py")
    if request.before:
        outcome.before = content(request.root)
    fault, shim = request.fault, ctypes.CDLL(None)
    armed = any((fault.kill_at, fault.mask, fault.log))
    if armed:
        shim.faults_arm(
            os.fsencode(request.root), os.fsencode(fault.log), ctypes.c_long(fault.kill_at),
            ctypes.c_long(fault.fail_at), fault.error, fault.mask, int(fault.sticky),
        )  # fmt: skip
    for arguments in request.commands:
        outcome.status = call(arguments)
        if outcome.status:
            break
    if armed:
        might_fail = ctypes.c_long()
        outcome.operations = shim.faults_disarm(ctypes.byref(might_fail))
        outcome.candidates = might_fail.value
    if request.after:
        outcome.after = content(request.root)
    return outcome


def child(request: Request) -> None:
    """The whole life of a child."""
    words = os.open(request.words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(words, 2)
    outcome = work(request)
    sys.stderr.flush()
    request.answer.write_bytes(pickle.dumps(outcome))


def main() -> None:
    """Fork a child a request: ("start", request) → its pid; ("wait", pid) → its status."""
    import av
    import cv2
    import h5py
    import safetensors
    import torch
    import zarr

    from tests.faults import content  # noqa: F401

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    assert av and h5py and safetensors and zarr
    answers = os.fdopen(os.dup(1), "wb")
    questions = os.fdopen(os.dup(0), "rb")
    while True:
        try:
            kind, what = pickle.load(questions)
        except EOFError:
            return
        answer: Any
        if kind == "start":
            answer = os.fork()
            if answer == 0:
                try:
                    child(what)
                except BaseException:
                    traceback.print_exc()
                    os._exit(99)
                os._exit(0)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(what, 0)[1])
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    # Pickles name the classes by where they are found, which is not __main__.
    from tests.faults import zygote

    zygote.main()
