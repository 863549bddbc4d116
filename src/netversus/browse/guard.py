"""Who may ask, for what, and what the browser may do with the answer. Stands before every page.

Only GET and HEAD. The Host header must name this machine as it was told to be reached: a page of somebody else's that
points a name of its own at this machine (DNS rebinding) carries that name. And each answer says that it may load our
own files only, be framed by our own pages only, and be read by no other site.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from netversus.messages import say

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """The application behind it sees only what may be asked. `host` is the address that the server listens on."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self._here = is_loopback(host)
        self._names = {"localhost", host.lower()} | (set() if self._here else {socket.gethostname().lower()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refusal(scope) or self.app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse(
                say("Only GET and HEAD: nothing can be changed here."), 405, {"Allow": "GET, HEAD"}
            )
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            return PlainTextResponse(say("This server is not reached by that name."), 421)
        return None

    def _known(self, header: str) -> bool:
        """Whether a Host header names this server: an address, or one of its names. A port may follow."""
        name = header.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._here
