"""The command line for tests: real calls, without the seconds of imports that each would take.

A server, one for each process of pytest, has imported what the commands import and has run nothing:
it has one thread, so it may fork. A call is a fork of it, with the caller's arguments, environment,
folder and pipes, that runs ``python -m vostool`` and ends as that does: ``cli/test_process.py``
holds such calls against true processes.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

LIBRARIES = (
    "av", "cv2", "h5py", "rich.progress", "rich.table", "safetensors.torch", "torch", "zarr",
    "vostool.davis.evaluation", "vostool.davis.pictures", "vostool.davis.results",
    "vostool.mask_propagation.frame_propagator", "vostool.opening", "vostool.session",
    "vostool.training.recipes.context", "vostool.training.recipes.decoder", "vostool.training.run",
)  # fmt: skip
"""What the commands load when they run."""
PERHAPS = (
    "matplotlib.backends.backend_agg", "matplotlib.figure", "networkx", "pandas", "scipy.optimize",
    "skimage.morphology", "sklearn.neighbors",
)  # fmt: skip
"""What they load where it is installed."""
LENGTH = 8
"""Bytes that tell how long a request is, and that tell a status."""


@dataclass(frozen=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on standard error that tell of an error."""
        return [line for line in self.err.splitlines() if line.startswith("Error:")]


Vostool = Callable[..., Done]


def call_process(folder: Path, *arguments: object, stdin: str = "") -> Done:
    """Call ``python -m vostool`` in a folder, as a process of its own."""
    words = [sys.executable, "-m", "vostool", *map(str, arguments)]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, cwd=folder)
    return Done(done.returncode, done.stdout, done.stderr)


class CommandServer:
    """Forks a process for each call; started at the first, and at an end with its pytest."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # others end in a fork
            )

    def call(self, folder: Path, *arguments: object, stdin: str = "") -> Done:
        """Call ``python -m vostool`` in a folder."""
        request = {"words": [*map(str, arguments)], "folder": str(folder), "env": {**os.environ}}
        content = json.dumps(request).encode()
        (its_in, our_in), (our_out, its_out), (our_err, its_err) = (os.pipe() for _ in range(3))
        self._channel.sendall(len(content).to_bytes(LENGTH, "big") + content)
        socket.send_fds(self._channel, [b"3"], [its_in, its_out, its_err])
        for end in (its_in, its_out, its_err):
            os.close(end)
        with ThreadPoolExecutor(3) as pool:
            out, err = pool.submit(_read_text, our_out), pool.submit(_read_text, our_err)
            pool.submit(_write_text, our_in, stdin).result()
        answer = self._channel.recv(LENGTH)
        assert answer, "the server of commands has ended"
        return Done(int.from_bytes(answer, "big", signed=True), out.result(), err.result())

    def close(self) -> None:
        """Let the server end."""
        self._channel.close()
        self._process.wait()


def _read_text(end: int) -> str:
    with open(end, encoding="utf-8") as stream:
        return stream.read()


def _write_text(end: int, text: str) -> None:
    # The command may end without reading it.
    with suppress(BrokenPipeError), open(end, "w", encoding="utf-8") as stream:
        stream.write(text)


def _serve(channel: socket.socket) -> dict[str, Any] | None:
    """Fork for each request, and answer with the fork's status.

    Returns:
        In a fork, the request; in the server, None when there are no more.
    """
    with channel:
        while head := channel.recv(LENGTH, socket.MSG_WAITALL):
            content = channel.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
            _, ends, _, _ = socket.recv_fds(channel, 1, 3)
            child = os.fork()
            for number, end in enumerate(ends):
                if not child:
                    os.dup2(end, number)
                os.close(end)
            if not child:
                request: dict[str, Any] = json.loads(content)
                return request
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            channel.sendall(status.to_bytes(LENGTH, "big", signed=True))
    return None


def _become(request: dict[str, Any]) -> None:
    """What Python sets up for a process, of a request."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.argv = ["vostool", *request["words"]]
    sys.path[0] = request["folder"]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - until the end
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, errors="backslashreplace", closefd=False
    )


def _run() -> int:
    """Run ``python -m vostool``; its exit status."""
    try:
        runpy.run_module("vostool", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(status: int) -> None:
    """What Python does at the end of a process, but for the freeing of all memory, page by page."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    import click

    from vostool.cli import main

    for name in main.list_commands(click.Context(main)):
        import_module(f"vostool.cli.{name}")
    for name in LIBRARIES:
        import_module(name)
    for name in PERHAPS:
        with suppress(ImportError):
            import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a thread, which would end in a fork"
    gc.collect()
    gc.freeze()  # else a fork's collector would touch, and so copy, every page
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        _become(request)
        _end(_run())
