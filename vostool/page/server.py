"""The server: the page's own files, the clip's frames, and a socket for all else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from vostool.clips import default_name
from vostool.errors import OutputError, VostoolError
from vostool.files import reason
from vostool.masks import davis_palette
from vostool.page.folder import (
    ADAPTER,
    FRAMES,
    MASKS,
    OVERLAY,
    Address,
    SessionFolder,
    Subject,
    open_folder,
)
from vostool.page.frames import FrameFiles
from vostool.page.guard import LOCAL_NAMES, Guard
from vostool.page.hub import Hub
from vostool.page.settings import Settings, keep
from vostool.page.worker import Worker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp
    from starlette.websockets import WebSocket

    from vostool.clips import Clip
    from vostool.pipeline.preparation import Bar
    from vostool.pipeline.progress import Progress, Say
    from vostool.session import Session

STATIC = Path(__file__).parent / "static"
LARGEST_MESSAGE = 8 << 20
"""Bytes that a browser may send at once: a file of strokes."""
MOST_TABS = 16
PATIENCE = 30.0
"""Seconds that a request waits for a frame that is not decoded yet."""


def serve(
    clip: Clip,
    name: str,
    open_session: Callable[[Path | None, Bar, Say], Session],
    folder: Path,
    *,
    settings: Settings,
    adapter: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    begun: Callable[[str], None],
    one_line: Callable[[VostoolError], str] = str,
) -> None:
    """Serve a page until told to stop.

    Args:
        clip: the frames.
        name: the clip's name in the store.
        open_session: opens the session, from an adapter or not, and makes what features are
            missing; tells how far it is.
        folder: the session's.
        settings: of the session, which are kept.
        adapter: what a new session goes on from, if it does.
        host: to listen on.
        port: likewise; None is the one of last time if it is free, or else any.
        begun: told the page's URL.
        one_line: what to say of an error.

    Raises:
        AdapterError: the adapter is broken.
        OutputError: the folder cannot be used, or the port.
        ScribbleError: the folder is of another clip, or broken.
    """
    subject = Subject(name, clip.fingerprint, clip.expected_frames, clip.size)
    with open_folder(folder, subject) as held, _listen(host, port, held) as (listener, address):
        if adapter is not None:
            held.begin_from(adapter)
        keep(held.path, settings)
        held.keep_address(address)
        about = {
            "clip": name,
            "frames": subject.frames,
            "size": subject.size,
            "fps": clip.fps,
            "palette": davis_palette().tolist(),
            "fingerprint": subject.fingerprint,
        }
        hub = Hub(held, about, {name, default_name(clip.path)})
        hub.worker = Worker(
            partial(open_session, held.begun_from), partial(_save, held.path), hub, one_line
        )
        files = FrameFiles(clip, held.path / FRAMES)
        at = f"[{host}]" if ":" in host else host.lower()
        app = build_app(hub, files, address.token, LOCAL_NAMES | {at})
        config = uvicorn.Config(
            app, log_level="error", ws_max_size=LARGEST_MESSAGE, timeout_graceful_shutdown=1
        )
        begun(f"http://{at}:{address.port}/{address.token}/")
        uvicorn.Server(config).run(sockets=[listener])


def build_app(hub: Hub, files: FrameFiles, token: str, names: frozenset[str]) -> ASGIApp:
    """The application.

    Args:
        hub: what tabs share.
        files: the frames.
        token: without which nobody is answered.
        names: what Host may call this machine.
    """

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-store"})

    async def frame(request: Request) -> Response:
        number = int(request.path_params["number"])
        if not await asyncio.to_thread(files.wait_for, number, PATIENCE):
            return PlainTextResponse(files.problem or f"no frame {number}", 404)
        kept = {"Cache-Control": "private, max-age=86400"}
        return FileResponse(files.file(number), media_type="image/jpeg", headers=kept)

    async def talk(tab_socket: WebSocket) -> None:
        await _talk(hub, tab_socket)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hub.begin()
        files.start()
        yield
        hub.worker.stop()

    routes: list[Any] = [
        Route("/", page),
        Route("/frames/{number:int}.jpg", frame),
        WebSocketRoute("/socket", talk),
        Mount("/", StaticFiles(directory=STATIC)),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), token, names)


async def _talk(hub: Hub, tab_socket: WebSocket) -> None:
    """Let a browser take part until it goes."""
    if hub.tabs >= MOST_TABS:
        await tab_socket.close(reason=f"{MOST_TABS} tabs are open; close one")
        return
    await tab_socket.accept()
    tab = await hub.join()

    async def send() -> None:
        while True:
            message = await tab.next()
            if isinstance(message, str):
                await tab_socket.send_text(message)
            else:
                await tab_socket.send_bytes(message)

    sending = asyncio.create_task(send())
    try:
        while True:
            await hub.take(tab, await tab_socket.receive_text())
    except (WebSocketDisconnect, RuntimeError, KeyError):  # it went, or sent what is no text
        pass
    finally:
        hub.leave(tab)
        sending.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await sending


@contextmanager
def _listen(
    host: str, port: int | None, folder: SessionFolder
) -> Iterator[tuple[socket.socket, Address]]:
    """A socket that is bound, and where it is.

    Raises:
        OutputError: the port is taken, or the host is not this machine.
    """
    known = folder.address()
    listener = None
    for number in [known.port, 0] if port is None else [port]:
        try:
            listener = socket.create_server((host, number), family=_family(host))
            break
        except OSError as failed:
            problem = failed
    if listener is None:
        raise OutputError(
            f"{host}:{port or 0} cannot be listened on ({reason(problem)}); name another --port or "
            "--host"
        ) from problem
    with listener:
        yield listener, Address(listener.getsockname()[1], known.token)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _save(folder: Path, session: Session, progress: Progress) -> None:
    """Write masks, overlay and adapter of a session into its folder."""
    session.save(folder / MASKS, overlay=folder / OVERLAY, progress=progress)
    session.adapter.write(folder / ADAPTER)
