"""Who is answered: those who know the token, and no page of another site that a browser shows.

A page of another site can make a browser send requests to this machine, by its address or by a name
that it lets point here (DNS rebinding). It does not know the token; the names in Host and Origin
would tell it, too. Each of the three is enough, and all are checked.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""What this machine is called by its own browsers, and through ``ssh -L``, at whatever port."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Answers for an application whatever it shall not see.

    Args:
        app: the application; it sees paths without the token.
        token: the first part of every path.
        names: what Host may call this machine.
    """

    def __init__(self, app: ASGIApp, token: str, names: frozenset[str]) -> None:
        self._app, self._token, self._names = app, token, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if (problem := self._problem(scope)) is None:
            path = scope["path"].removeprefix(f"/{self._token}")
            inner = {**scope, "path": path, "raw_path": path.encode()}
            await self._app(inner, receive, send_with_headers)
        elif scope["type"] == "http":
            refusal = PlainTextResponse(problem, 403)
            await refusal(scope, receive, send_with_headers)
        else:
            await WebSocketClose(reason=problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> str | None:
        """Why a request is not answered."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in self._names:
            return "this page is for its own machine; open it as http://127.0.0.1:PORT/TOKEN/"
        if origin is None and scope["type"] == "websocket":
            return "a socket must tell its Origin"
        if origin is not None and origin != f"http://{host}":
            return "the request comes from a page of another site"
        token = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return "the address lacks the token; open the one that vostool scribble printed"
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            return "nothing is sent here but through the socket"
        return None


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
